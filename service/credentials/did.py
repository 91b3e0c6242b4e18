"""Decentralized identifiers: did:key and did:jwk resolved in place, documents written and read for did:web."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.credentials.did_web import MalformedDidError, did_web_from_url, did_web_url
from service.credentials.encoding import b64url_decode, b64url_encode, parse_json, write_json
from service.credentials.jwk import VerificationKey, load_key
from service.credentials.multikey import decode_multikey, encode_multikey
from service.errors import MalformedError, VerificationError

__all__ = [
    "ACCOUNT_DIDS",
    "MAX_KEYS",
    "RELATIONSHIPS",
    "DidKey",
    "MalformedDidError",
    "UnknownKeyError",
    "build_did_document",
    "did_jwk_from_jwk",
    "did_key_from_jwk",
    "did_web_from_url",
    "did_web_url",
    "find_holder_key",
    "list_document_keys",
    "resolve_did_jwk",
    "resolve_did_key",
    "select_verification_key",
]

RELATIONSHIPS = ("authentication", "assertionMethod", "capabilityInvocation", "capabilityDelegation")
"""The verification relationships of a signature key, as DID Core names them."""

ACCOUNT_DIDS = ("did:pkh:eip155:", "did:ethr:")
"""What DIDs of accounts on chains begin with; such an account has an address, but no public key to look up."""

MAX_KEYS = 100
"""Of an issuer, however it publishes them."""

_MAX_CHARACTERS = 2048
_FRAGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_CONTEXT = ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"]


class UnknownKeyError(VerificationError):
    """The DID document has no such key for this use."""

    code = "unknown_key"


@dataclass(frozen=True, slots=True)
class DidKey:
    """One verification method of a document that we write.

    Attributes:
        kid: Fragment of the method's DID URL, without ``#``.
        jwk: Public JWK; only ``kty``, ``crv`` and the coordinates are written.
        relationships: Names out of ``RELATIONSHIPS``.
    """

    kid: str
    jwk: Mapping[str, Any]
    relationships: Sequence[str]


def did_key_from_jwk(jwk: Mapping[str, Any]) -> str:
    """Return the did:key of a public P-256, P-384 or Ed25519 JWK.

    Raises:
        MalformedJoseError: See ``load_key``.

    Source: did:key v0.9, section 3.1.
    """
    return f"did:key:{encode_multikey(load_key(jwk))}"


def did_jwk_from_jwk(jwk: Mapping[str, Any]) -> str:
    """Return the did:jwk of a public P-256, P-384 or Ed25519 JWK, stripped to its key material.

    Raises:
        MalformedJoseError: See ``load_key``.

    Source: did:jwk method specification, section "Create".
    """
    return f"did:jwk:{b64url_encode(write_json(load_key(jwk).jwk))}"


def resolve_did_key(did: str) -> dict[str, Any]:
    """Return the DID document of a did:key; its one method is ``<did>#<multibase>``.

    Raises:
        MalformedDidError: Not a did:key.
        MalformedJoseError: See ``decode_multikey``.

    Source: did:key v0.9, section 3.1.
    """
    multibase = _method_specific_id(did, "key")
    return build_did_document(did, [DidKey(multibase, decode_multikey(multibase), RELATIONSHIPS)])


def resolve_did_jwk(did: str) -> dict[str, Any]:
    """Return the DID document of a did:jwk; its one method is ``<did>#0``.

    Only keys that verify signatures are resolved, so ``keyAgreement`` is never listed.

    Raises:
        MalformedDidError: Not a did:jwk.
        MalformedJoseError: The identifier isn't base64url of strict JSON, or see ``load_key``.

    Source: did:jwk method specification, section "Read".
    """
    jwk = parse_json(b64url_decode(_method_specific_id(did, "jwk")))
    if not isinstance(jwk, dict):
        raise MalformedDidError("The did:jwk doesn't hold a JWK.")
    return build_did_document(did, [DidKey("0", load_key(jwk).jwk, RELATIONSHIPS)])


def find_holder_key(did: str) -> VerificationKey | None:
    """Return the key with which a did:key or did:jwk proves itself, named as in the DID document.

    Returns:
        None for every other identifier, and for kinds of keys that verify nothing here.
    """
    resolve = resolve_did_key if did.startswith("did:key:") else resolve_did_jwk
    with suppress(MalformedError):
        document = resolve(did)
        name = document["verificationMethod"][0]["id"]
        return select_verification_key(document, name, relationship="authentication")
    return None


def build_did_document(did: str, methods: Sequence[DidKey]) -> dict[str, Any]:
    """Write a DID document in which ``did`` controls every key itself.

    Raises:
        ValueError: A ``kid`` that is no plain fragment or comes twice, or an unknown relationship. Ours to mend.

    Source: DID Core 1.0, sections 5.1 to 5.3; JSON Web Signature 2020, section 3.1.
    """
    kids = [method.kid for method in methods]
    if len(set(kids)) != len(kids) or not all(map(_FRAGMENT.fullmatch, kids)):
        raise ValueError("a kid is repeated or isn't a plain fragment")
    if not all(set(method.relationships) <= set(RELATIONSHIPS) for method in methods):
        raise ValueError("a relationship is unknown")
    document: dict[str, Any] = {
        "@context": list(_CONTEXT),
        "id": did,
        "verificationMethod": [_write_method(did, method) for method in methods],
    }
    for relationship in RELATIONSHIPS:
        ids = [f"{did}#{method.kid}" for method in methods if relationship in method.relationships]
        if ids:
            document[relationship] = ids
    return document


def list_document_keys(document: Mapping[str, Any]) -> list[VerificationKey]:
    """Return all keys of a DID document that can be read, whatever they may be used for.

    Raises:
        MalformedDidError: More than ``MAX_KEYS``: a point costs up to 0.4 ms to read.
    """
    methods = [
        entry
        for name in ("verificationMethod", *RELATIONSHIPS)
        if isinstance(document.get(name), list)
        for entry in document[name]
        if isinstance(entry, dict)
    ]
    if len(methods) > MAX_KEYS:
        raise MalformedDidError(f"The DID document has more than {MAX_KEYS} keys.")
    found = []
    for method in methods:
        with suppress(MalformedError):
            found.append(load_key(_read_jwk(method)))
    return found


def select_verification_key(
    document: Mapping[str, Any], kid: str, *, relationship: str, now: datetime | None = None
) -> VerificationKey:
    """Return the one key of a DID document that ``kid`` names and ``relationship`` lists.

    The document is untrusted; that its ``id`` is the identifier that was resolved is the caller's check.

    Args:
        document: A DID document, ours or fetched.
        kid: DID URL of the key, or its fragment with ``#``; compared exactly.
        relationship: For instance ``assertionMethod`` for credentials, ``authentication`` for presentations.
        now: Timezone-aware; a key that has expired or was revoked by then is refused. None asks about no time.

    Raises:
        MalformedDidError: The document has no ``id``, or its method isn't an object with one public key.
        MalformedJoseError: See ``load_key`` and ``decode_multikey``.
        UnknownKeyError: No key or several under that name, not listed under ``relationship``, or controlled by another.

    Source: DID Core 1.0, sections 3.2.2, 5.2 and 5.3; Controlled Identifiers 1.0, sections 2.2 and 3.3.
    """
    did = document.get("id")
    if not isinstance(did, str):
        raise MalformedDidError("The DID document has no id.")
    name = _absolute(did, kid)
    listed = _members(document, relationship)
    found = [entry for entry in listed if isinstance(entry, dict) and _absolute(did, entry.get("id")) == name]
    if any(isinstance(entry, str) and _absolute(did, entry) == name for entry in listed):
        methods = _members(document, "verificationMethod")
        found += [entry for entry in methods if isinstance(entry, dict) and _absolute(did, entry.get("id")) == name]
    if len(found) != 1 or found[0].get("controller") != did or not name.startswith(f"{did}#"):
        raise UnknownKeyError("The DID document doesn't name this key for this use.")
    if now is not None:
        _check_ends(found[0], now)
    return load_key(_read_jwk(found[0]), kid=name)


def _check_ends(method: Mapping[str, Any], now: datetime) -> None:
    """Source: Controlled Identifiers 1.0, section 2.2 (``expires``, ``revoked``)."""
    for name in ("expires", "revoked"):
        if name in method and _read_instant(method[name]) <= now:
            raise UnknownKeyError("The DID document's key has expired or was revoked.")


def _read_instant(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise MalformedDidError("The DID document's method ends at no time that can be read.") from error
    if instant.tzinfo is None:
        raise MalformedDidError("The DID document's method ends at a time without a zone.")
    return instant


def _method_specific_id(did: str, method: str) -> str:
    prefix = f"did:{method}:"
    if not did.startswith(prefix) or len(did) > _MAX_CHARACTERS:
        raise MalformedDidError(f"The identifier isn't a did:{method}.")
    return did.removeprefix(prefix)


def _write_method(did: str, method: DidKey) -> dict[str, Any]:
    public = {name: method.jwk[name] for name in ("kty", "crv", "x", "y") if name in method.jwk}
    return {"id": f"{did}#{method.kid}", "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": public}


def _absolute(did: str, reference: Any) -> str:
    if not isinstance(reference, str):
        return ""
    return did + reference if reference.startswith("#") else reference


def _members(document: Mapping[str, Any], name: str) -> list[Any]:
    members = document.get(name, [])
    if not isinstance(members, list):
        raise MalformedDidError(f"The DID document's {name} isn't a list.")
    return members


def _read_jwk(method: Mapping[str, Any]) -> Mapping[str, Any]:
    jwk, multibase = method.get("publicKeyJwk"), method.get("publicKeyMultibase")
    if isinstance(jwk, dict) and multibase is None:
        return jwk
    if isinstance(multibase, str) and jwk is None:
        return decode_multikey(multibase)
    raise MalformedDidError("The DID document's method doesn't hold exactly one public key.")
