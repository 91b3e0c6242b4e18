"""did:webvh: identifiers whose documents have a history that proves itself. Nothing is fetched here.

A log has one entry per version. Each is chained to the one before by its hash and signed by a key that the one before
named, or committed to; the identifier holds the hash of the first. So whoever serves a log can leave out its end, and
change nothing. Source: did:webvh 1.0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import rfc8785

from service.credentials.canonical import canonicalize
from service.credentials.data_integrity import read_proofs, verify_json_proof
from service.credentials.did_web import MalformedDidError, did_web_url
from service.credentials.did_webvh_parameters import (
    BASE58_HASH,
    DidLogInvalidError,
    Parameters,
    Witnesses,
    apply_parameters,
)
from service.credentials.encoding import parse_json, write_json
from service.credentials.instants import parse_instant
from service.credentials.jwk import VerificationKey, load_key
from service.credentials.multikey import decode_multikey, encode_base58
from service.errors import MalformedError, VerificationError

MAX_LOG_BYTES = 256 * 1024
MAX_WITNESS_BYTES = 64 * 1024
_MAX_VERSIONS = 200
_MAX_WITNESS_PROOFS = 200
_FUTURE = timedelta(minutes=5)
_PLACEHOLDER = "{SCID}"
_SHA256_MULTIHASH = b"\x12\x20"
_CRYPTOSUITE = "eddsa-jcs-2022"
_MEMBERS = {"versionId", "versionTime", "parameters", "state", "proof"}


@dataclass(frozen=True, slots=True)
class DidVersion:
    """One verified version of a DID document.

    Attributes:
        version_id: Its number and the hash of its entry, which holds all before it.
        version_at: Since when it holds, as the controller says; later than that of the version before.
        document: The DID document.
        witnesses: Who must have approved it; None if nobody.
    """

    version_id: str
    version_at: datetime
    document: Mapping[str, Any]
    witnesses: Witnesses | None


@dataclass(frozen=True, slots=True)
class DidLog:
    """A verified log.

    Attributes:
        versions: From the first to the last.
        deactivated: Whether the last one ended the DID.
    """

    versions: Sequence[DidVersion]
    deactivated: bool

    @property
    def needs_witnesses(self) -> bool:
        """Whether ``verify_witnesses`` must be asked too."""
        return any(version.witnesses for version in self.versions)


def did_webvh_url(did: str) -> str:
    """Return the URL of a did:webvh's log; that of its witnesses' proofs ends in ``did-witness.json`` instead.

    Stricter than the method: percent-encoded or internationalized names and path segments are refused.

    Raises:
        MalformedDidError: No did:webvh with a hash, or without a safe address; see ``did_web_url``.

    Source: did:webvh 1.0, sections "Method-Specific Identifier" and "The DID to HTTPS Transformation".
    """
    scid, rest = _split(did)
    if not BASE58_HASH.fullmatch(scid):
        raise MalformedDidError("The did:webvh doesn't begin with a hash.")
    return f"{did_web_url(f'did:web:{rest}')}l"


def verify_did_log(did: str, log: bytes, *, now: datetime) -> DidLog:
    """Verify every entry of a log.

    Args:
        did: The identifier that is resolved.
        log: As it was served, untrusted.
        now: Time of the check, aware; no version may be later.

    Returns:
        The log, of which nobody asked the witnesses yet.

    Raises:
        DidLogInvalidError: See there.

    Source: did:webvh 1.0, section "Read (Resolve)".
    """
    lines = log.removesuffix(b"\n").split(b"\n")
    if len(log) > MAX_LOG_BYTES or len(lines) > _MAX_VERSIONS:
        raise DidLogInvalidError("The log is too long.")
    scid = _split(did)[0]
    versions: list[DidVersion] = []
    parameters: Parameters | None = None
    for line in lines:
        try:
            version, parameters = _verify_entry(parse_json(line), scid, versions, parameters, now)
        except DidLogInvalidError as error:
            raise DidLogInvalidError(f"Version {len(versions) + 1} of the log is wrong: {error.detail}") from error
        except (VerificationError, MalformedError, rfc8785.CanonicalizationError) as error:
            raise DidLogInvalidError(f"Version {len(versions) + 1} of the log cannot be read.") from error
        versions.append(version)
    if not any(version.document["id"] == did for version in versions):
        raise DidLogInvalidError("The log is about another identifier.")
    return DidLog(versions, deactivated=parameters is not None and parameters.deactivated)


def verify_witnesses(log: DidLog, proofs: bytes, *, now: datetime) -> None:
    """Check that each version was approved by as many witnesses as it needs, then or with a later version.

    Args:
        log: Verified.
        proofs: The file of the witnesses' proofs as it was served, untrusted.
        now: Time of the check, aware.

    Raises:
        DidLogInvalidError: The file cannot be read, or a version has too few approvals.

    Source: did:webvh 1.0, section "Verifying Witness Proofs During Resolution".
    """
    numbers = {version.version_id: number for number, version in enumerate(log.versions)}
    latest: dict[str, int] = {}
    for version_id, proof in _read_witness_proofs(proofs):
        number = numbers.get(version_id, -1)
        multibase = _read_method(proof.get("verificationMethod"))
        # A proof costs a signature, so one that can add nothing is not verified.
        if number > latest.get(multibase, -1) and _is_approval(version_id, proof, now):
            latest[multibase] = number
    for number, version in enumerate(log.versions):
        if version.witnesses is not None:
            approved = sum(latest.get(each, -1) >= number for each in version.witnesses.multikeys)
            if approved < version.witnesses.threshold:
                raise DidLogInvalidError(f"Version {number + 1} of the log was approved by too few witnesses.")


def _split(did: str) -> tuple[str, str]:
    scid, colon, rest = did.removeprefix("did:webvh:").partition(":")
    if not did.startswith("did:webvh:") or not colon:
        raise MalformedDidError("The identifier isn't a did:webvh.")
    return scid, rest


def _verify_entry(
    entry: Any, scid: str, versions: Sequence[DidVersion], before: Parameters | None, now: datetime
) -> tuple[DidVersion, Parameters]:
    if not isinstance(entry, dict) or set(entry) != _MEMBERS or not isinstance(entry["state"], dict):
        raise DidLogInvalidError("It has other members than an entry.")
    parameters = apply_parameters(entry["parameters"], before)
    if parameters.scid != scid:
        raise DidLogInvalidError("It is of another hash than the identifier.")
    unsigned = {name: value for name, value in entry.items() if name != "proof"}
    if before is None:
        _check_scid(unsigned, scid)
    _check_version_id(unsigned, scid, versions)
    # With keys that were committed to before, the entry itself says which of them now sign.
    committed = before is not None and bool(before.next_key_hashes)
    active = parameters if before is None or committed else before
    _verify_signature(entry, unsigned, active.update_keys, now)
    _check_identifier(entry["state"], scid, versions, parameters)
    witnesses = parameters.witnesses if before is None or before.witnesses is None else before.witnesses
    version_at = _read_time(entry["versionTime"], versions, now)
    return DidVersion(entry["versionId"], version_at, entry["state"], witnesses), parameters


def _check_scid(unsigned: Mapping[str, Any], scid: str) -> None:
    text = write_json({**unsigned, "versionId": _PLACEHOLDER}).decode().replace(scid, _PLACEHOLDER)
    if hash_canonically(parse_json(text)) != scid:
        raise DidLogInvalidError("Its hash isn't the one in the identifier.")


def _check_version_id(unsigned: Mapping[str, Any], scid: str, versions: Sequence[DidVersion]) -> None:
    previous = versions[-1].version_id if versions else scid
    expected = f"{len(versions) + 1}-{hash_canonically({**unsigned, 'versionId': previous})}"
    if unsigned["versionId"] != expected:
        raise DidLogInvalidError("Its number or its hash doesn't follow from what is before it.")


def hash_canonically(value: Any) -> str:
    """Return the hash that a log uses: SHA-256 over the canonical JSON, as a multihash in base58btc.

    Source: did:webvh 1.0, sections "Generate SCID" and "Generate Entry Hash".
    """
    return encode_base58(_SHA256_MULTIHASH + sha256(canonicalize(value)).digest())


def _verify_signature(
    entry: Mapping[str, Any], unsigned: Mapping[str, Any], update_keys: Sequence[str], now: datetime
) -> None:
    for proof in read_proofs(entry):
        multibase = _read_method(proof.method)
        if proof.suite.name != _CRYPTOSUITE or multibase not in update_keys:
            raise DidLogInvalidError("It is signed by a key that may not change the document, or in another way.")
        verify_json_proof(unsigned, proof, _load(multibase), expected_purpose="assertionMethod", now=now)


def _read_method(method: Any) -> str:
    """Return the key in ``did:key:<key>#<key>``; one text for two keys would let either stand for the other."""
    identifier, _, fragment = method.partition("#") if isinstance(method, str) else ("", "", "")
    multibase: str = identifier.removeprefix("did:key:")
    return multibase if identifier == f"did:key:{fragment}" else ""


def _load(multibase: str) -> VerificationKey:
    return load_key(decode_multikey(multibase))


def _read_time(value: Any, versions: Sequence[DidVersion], now: datetime) -> datetime:
    version_at = parse_instant(value)
    if version_at is None or not value.endswith(("Z", "+00:00")):
        raise DidLogInvalidError("Its time isn't one in UTC.")
    if version_at > now + _FUTURE or (versions and version_at <= versions[-1].version_at):
        raise DidLogInvalidError("Its time is in the future, or not later than that of the version before.")
    return version_at


def _check_identifier(
    document: Mapping[str, Any], scid: str, versions: Sequence[DidVersion], parameters: Parameters
) -> None:
    did = document.get("id")
    if not isinstance(did, str) or _split(did)[0] != scid:
        raise DidLogInvalidError("Its document is about an identifier with another hash.")
    did_webvh_url(did)  # refuses what isn't one
    previous = versions[-1].document["id"] if versions else did
    also = document.get("alsoKnownAs")
    if did != previous and not (parameters.portable and isinstance(also, list) and previous in also):
        raise DidLogInvalidError("The identifier moved, which it may not, or without naming the one before.")


def _read_witness_proofs(proofs: bytes) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        entries = parse_json(proofs, max_bytes=MAX_WITNESS_BYTES)
    except MalformedError as error:
        raise DidLogInvalidError("The witnesses' proofs cannot be read.") from error
    found: list[tuple[str, Mapping[str, Any]]] = []
    for entry in entries if isinstance(entries, list) else [None]:
        version_id = entry.get("versionId") if isinstance(entry, dict) else None
        listed = entry.get("proof", []) if isinstance(entry, dict) else None
        if not isinstance(version_id, str) or not isinstance(listed, list):
            raise DidLogInvalidError("The witnesses' proofs cannot be read.")
        found += [(version_id, proof) for proof in listed if isinstance(proof, dict)]
    if len(found) > _MAX_WITNESS_PROOFS:
        raise DidLogInvalidError("There are too many proofs of witnesses.")
    return found


def _is_approval(version_id: str, proof: Mapping[str, Any], now: datetime) -> bool:
    try:
        (read,) = read_proofs({"proof": proof})
        key = _load(_read_method(read.method))
        if read.suite.name != _CRYPTOSUITE:
            return False
        verify_json_proof({"versionId": version_id}, read, key, expected_purpose="assertionMethod", now=now)
    except (VerificationError, MalformedError):
        return False
    return True
