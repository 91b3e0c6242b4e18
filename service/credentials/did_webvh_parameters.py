"""The parameters of a did:webvh log: what each entry sets, and what it may not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from service.credentials.jwk import load_key
from service.credentials.multikey import decode_multikey, encode_base58
from service.errors import MalformedError, VerificationError

BASE58_HASH = re.compile(r"[1-9A-HJ-NP-Za-km-z]{46}")
METHOD = "did:webvh:1.0"
_MAX_ITEMS = 32
_LISTS = ("updateKeys", "nextKeyHashes", "watchers")
_FLAGS = ("portable", "deactivated")
_NAMES = {"method", "scid", "witness", "ttl", *_LISTS, *_FLAGS}
_MAX_TTL = 2**31


class DidLogInvalidError(VerificationError):
    """The history of a did:webvh does not prove itself."""

    code = "did_log_invalid"
    check = "issuer"


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who approves versions.

    Attributes:
        multikeys: Their Ed25519 keys, all different.
        threshold: How many of them must approve each version.
    """

    multikeys: Sequence[str]
    threshold: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """What holds after an entry.

    Attributes:
        scid: The hash in the identifier.
        update_keys: Multikeys that may sign what comes next.
        next_key_hashes: If there are any, the next entry's ``update_keys`` must all be among them.
        portable: Whether the identifier may move to another place.
        deactivated: Whether nothing comes next.
        witnesses: Who approves; None if nobody need.
    """

    scid: str
    update_keys: Sequence[str] = ()
    next_key_hashes: Sequence[str] = ()
    portable: bool = False
    deactivated: bool = False
    witnesses: Witnesses | None = None


def apply_parameters(found: Any, before: Parameters | None) -> Parameters:
    """Return what holds after an entry; what it leaves out stays as it was.

    Args:
        found: ``parameters`` of the entry, untrusted.
        before: What held before it; None for the first.

    Raises:
        DidLogInvalidError: Of another version of the method, of another form, or not allowed after what was before.

    Source: did:webvh 1.0, sections "did:webvh DID Method Parameters" and "Pre-Rotation Key Hash Generation and
        Verification".
    """
    if not isinstance(found, dict) or not set(found) <= _NAMES:
        raise DidLogInvalidError("Its parameters are unknown.")
    _check_forms(found)
    if before is None:
        if found.get("method") != METHOD or not isinstance(found.get("scid"), str) or "updateKeys" not in found:
            raise DidLogInvalidError("The first entry lacks its method, its hash or its keys.")
        return _merge(found, Parameters(found["scid"]))
    if "scid" in found or found.get("method", METHOD) != METHOD or found.get("portable") is True:
        raise DidLogInvalidError("Only the first entry may say this.")
    if before.deactivated:
        raise DidLogInvalidError("The identifier had ended before.")
    if before.next_key_hashes:
        _check_commitment(found, before.next_key_hashes)
    return _merge(found, before)


def _check_forms(found: Mapping[str, Any]) -> None:
    for name in _LISTS:
        items = found.get(name)
        if items is not None and not (
            isinstance(items, list) and len(items) <= _MAX_ITEMS and all(isinstance(item, str) for item in items)
        ):
            raise DidLogInvalidError(f"Its {name} isn't a list of texts, or too long.")
    if not all(isinstance(found.get(name, False), bool) for name in _FLAGS):
        raise DidLogInvalidError("A parameter isn't true or false.")
    ttl = found.get("ttl")
    if ttl is not None and not (type(ttl) is int and 0 <= ttl <= _MAX_TTL):
        raise DidLogInvalidError("Its ttl isn't a number of seconds.")


def _check_commitment(found: Mapping[str, Any], hashes: Sequence[str]) -> None:
    if "updateKeys" not in found or "nextKeyHashes" not in found:
        raise DidLogInvalidError("It doesn't name the keys that were committed to.")
    if not all(hash_multikey(key) in hashes for key in found["updateKeys"] or ()):
        raise DidLogInvalidError("It names keys that nobody committed to.")


def hash_multikey(multikey: str) -> str:
    """Return what an entry commits to a next key by: the SHA-256 multihash of its text in base58btc.

    Source: did:webvh 1.0, section "Pre-Rotation Key Hash Generation and Verification".
    """
    return encode_base58(b"\x12\x20" + sha256(multikey.encode()).digest())


def _merge(found: Mapping[str, Any], before: Parameters) -> Parameters:
    # Some early writers say null for nothing.
    after = before
    if "updateKeys" in found:
        after = replace(after, update_keys=found["updateKeys"] or ())
    if "nextKeyHashes" in found:
        after = replace(after, next_key_hashes=found["nextKeyHashes"] or ())
    if "witness" in found:
        after = replace(after, witnesses=_read_witnesses(found["witness"]))
    return replace(
        after,
        portable=found.get("portable", before.portable),
        deactivated=found.get("deactivated", before.deactivated),
    )


def _read_witnesses(found: Any) -> Witnesses | None:
    """Read who must approve; anything else than nobody must be said well, so that no witness is lost by a slip."""
    if found is None or found == {}:
        return None
    listed = found.get("witnesses") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MAX_ITEMS:
        raise DidLogInvalidError("Its witnesses cannot be read.")
    multikeys = [_read_witness(entry) for entry in listed]
    threshold = found.get("threshold")
    if len(set(multikeys)) != len(multikeys) or type(threshold) is not int or not 1 <= threshold <= len(multikeys):
        raise DidLogInvalidError("Its witnesses come twice, or their number isn't one that can be reached.")
    return Witnesses(multikeys, threshold)


def _read_witness(entry: Any) -> str:
    did = entry.get("id") if isinstance(entry, dict) else None
    multikey = did.removeprefix("did:key:") if isinstance(did, str) and did.startswith("did:key:") else ""
    try:
        alg = load_key(decode_multikey(multikey)).alg
    except MalformedError as error:
        raise DidLogInvalidError("A witness isn't a did:key.") from error
    if alg != "EdDSA":
        raise DidLogInvalidError("A witness has no Ed25519 key.")
    return multikey
