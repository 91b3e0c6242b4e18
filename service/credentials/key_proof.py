"""The ``jwt`` key proof of a Credential Request: the wallet makes it, the issuer verifies it."""

import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.credentials.did import find_holder_key, resolve_did_jwk, resolve_did_key, select_verification_key
from service.credentials.jose import (
    InvalidClaimsError,
    SignFunction,
    VerificationKey,
    check_times,
    jwk_thumbprint,
    load_key,
    parse_jws,
    sign_jws,
    verify_jws,
)
from service.credentials.key_attestation import KeyAttestation
from service.errors import MalformedError, VerificationError

KEY_PROOF_TYP = "openid4vci-proof+jwt"
ACCEPTED_ALGORITHMS = frozenset({"ES256", "ES384", "EdDSA", "Ed25519"})
MAX_AGE = timedelta(seconds=300)
LEEWAY = timedelta(seconds=60)


class InvalidProofError(VerificationError):
    """The key proof is missing, malformed, for somebody else, not current, or not signed by the key it names."""

    code = "invalid_proof"
    check = "holder_binding"


class InvalidNonceError(VerificationError):
    """The key proof holds in all else, but its nonce is not ours."""

    code = "invalid_nonce"
    check = "nonce"


@dataclass(frozen=True, slots=True)
class HolderKey:
    """A key whose possession was proved.

    Attributes:
        jwk: Public members only; what goes into ``cnf.jwk``.
        alg: Algorithm of the key.
        thumbprint: RFC 7638 SHA-256 thumbprint, base64url; equal for equal keys.
        nonce: The ``c_nonce`` in the proof; the caller spends it.
        attestation: What an attester says of the key and its siblings, if that was asked for and sent.
        did: The did:key or did:jwk by which the proof named it; None if it came as a JWK.
    """

    jwk: Mapping[str, Any]
    alg: str
    thumbprint: str
    nonce: str
    attestation: KeyAttestation | None = None
    did: str | None = None


def build_key_proof(
    jwk: Mapping[str, Any],
    *,
    audience: str,
    nonce: str,
    issued_at: datetime,
    sign: SignFunction,
    client_id: str | None = None,
) -> str:
    """Prove possession of the key that a credential shall be bound to.

    Args:
        jwk: The public key.
        audience: Credential Issuer Identifier.
        nonce: ``c_nonce`` from the nonce endpoint.
        issued_at: Now, aware.
        sign: Signs with the private key of ``jwk``.
        client_id: Ours; ``None`` if the token request was anonymous.

    Raises:
        MalformedJoseError: ``jwk`` is not a usable public key.

    Source: OpenID4VCI 1.0, appendix F.1.
    """
    key = load_key(jwk)
    claims: dict[str, Any] = {"aud": audience, "iat": int(issued_at.timestamp()), "nonce": nonce}
    if client_id is not None:
        claims["iss"] = client_id
    return sign_jws({"typ": KEY_PROOF_TYP, "alg": key.alg, "jwk": dict(key.jwk)}, claims, sign)


def verify_key_proof(
    proof: str,
    *,
    audience: str,
    nonce: str | None,
    now: datetime,
    client_id: str | None = None,
    algorithms: Collection[str] = ACCEPTED_ALGORITHMS,
    max_age: timedelta = MAX_AGE,
    leeway: timedelta = LEEWAY,
    verify_attestation: Callable[[str], KeyAttestation] | None = None,
) -> HolderKey:
    """Verify one ``jwt`` key proof of a Credential Request.

    Pure: reads no clock and keeps no nonce; the caller spends the nonce.

    1. It is a compact JWS whose ``alg`` is asymmetric and accepted.
    2. The header names exactly one public key: ``jwk``, or ``kid`` as a DID URL of ``did:key`` or ``did:jwk``, or as
       the name of a key in ``key_attestation``. Where there is an attestation that counts, it is about that key.
    3. ``typ`` is ``openid4vci-proof+jwt`` and the signature is that key's.
    4. ``aud`` is our identifier, as a text or as the only element of an array.
    5. ``iss``, if present, is ``client_id``; it is absent if that is ``None``.
    6. ``iat`` lies in [now - max_age, now + leeway], and ``now`` within ``nbf`` and ``exp`` if present.
    7. ``nonce`` is a text, and ``nonce`` if that is given.

    Args:
        proof: Compact JWS.
        audience: Our Credential Issuer Identifier, an https URL.
        nonce: The ``c_nonce`` given out for this request; ``None`` if the caller looks up the returned one.
        now: Time of the request; aware.
        client_id: Client of the access token; ``None`` if it was obtained anonymously.
        algorithms: ``proof_signing_alg_values_supported`` of our metadata.
        max_age: Oldest acceptable proof.
        leeway: How far the wallet's clock may be ahead.
        verify_attestation: Verifies a ``key_attestation``; ``None`` if nobody's counts and the header is ignored.

    Raises:
        InvalidProofError: Any of 1 to 6, or there is no nonce.
        InvalidNonceError: All else holds but ``nonce`` differs.

    Source: OpenID4VCI 1.0, appendices F.1 and F.4.
    """
    try:
        jws = parse_jws(proof)  # (1)
        if jws.header["alg"] not in algorithms:
            raise InvalidProofError("The key proof's alg is not accepted.")
        attestation = _read_attestation(jws.header, verify_attestation)
        key = _read_key(jws.header, attestation)  # (2)
        claims = verify_jws(jws, key, expected_typ={KEY_PROOF_TYP})  # (3)
    except InvalidProofError:
        raise
    except (MalformedError, VerificationError) as error:
        raise InvalidProofError(f"The key proof is not valid: {error.detail}") from error
    if claims.get("aud") not in (audience, [audience]):  # (4)
        raise InvalidProofError("The key proof was made for another issuer.")
    _check_client(claims, client_id)  # (5)
    _check_age(claims, now=now, max_age=max_age, leeway=leeway)  # (6)
    did = _read_did(jws.header, key)
    return HolderKey(key.jwk, key.alg, jwk_thumbprint(key.jwk), _check_nonce(claims, nonce), attestation, did)  # (7)


def _read_attestation(
    header: Mapping[str, Any], verify: Callable[[str], KeyAttestation] | None
) -> KeyAttestation | None:
    if verify is None or "key_attestation" not in header:
        return None
    if not isinstance(header["key_attestation"], str):
        raise InvalidProofError("The key proof's key_attestation is not a string.")
    return verify(header["key_attestation"])


def _read_key(header: Mapping[str, Any], attestation: KeyAttestation | None) -> VerificationKey:
    if attestation is None:
        return _read_named_key(header)
    name: str = header.get("kid", "")
    if "jwk" not in header and "x5c" not in header and name in attestation.names:
        return load_key(attestation.jwks[attestation.names[name]])
    key = _read_named_key(header)
    if jwk_thumbprint(key.jwk) not in attestation.jwks:
        raise InvalidProofError("The key attestation is not about the key of the proof.")
    return key


def _read_named_key(header: Mapping[str, Any]) -> VerificationKey:
    named = [name for name in ("jwk", "kid", "x5c") if name in header]
    if named == ["jwk"] and isinstance(header["jwk"], dict):
        return load_key(header["jwk"])
    if named == ["kid"]:
        return _resolve_key(header["kid"])
    raise InvalidProofError("The key proof does not name exactly one public key as jwk or kid.")


def _read_did(header: Mapping[str, Any], key: VerificationKey) -> str | None:
    did: str = header.get("kid", "").partition("#")[0]
    found = find_holder_key(did)
    return did if found is not None and found.jwk == key.jwk else None  # an attester may call keys what it likes


def _resolve_key(kid: str) -> VerificationKey:
    did = kid.partition("#")[0]
    if did.startswith("did:key:"):
        document = resolve_did_key(did)
    elif did.startswith("did:jwk:"):
        document = resolve_did_jwk(did)
    else:
        raise InvalidProofError("The key proof's kid is not a did:key or did:jwk URL.")
    return select_verification_key(document, kid, relationship="authentication")


def _check_client(claims: Mapping[str, Any], client_id: str | None) -> None:
    if "iss" in claims and (client_id is None or claims["iss"] != client_id):
        raise InvalidProofError("The key proof's iss is not the client of the access token.")


def _check_age(claims: Mapping[str, Any], *, now: datetime, max_age: timedelta, leeway: timedelta) -> None:
    try:
        check_times(claims, now=now, leeway=leeway, require_exp=False)
    except InvalidClaimsError as error:
        raise InvalidProofError(f"The key proof is not current: {error.detail}") from error
    if "iat" not in claims or claims["iat"] < (now - max_age).timestamp():
        raise InvalidProofError("The key proof is too old or states no iat.")


def _check_nonce(claims: Mapping[str, Any], expected: str | None) -> str:
    nonce = claims.get("nonce")
    if not isinstance(nonce, str):
        raise InvalidProofError("The key proof has no nonce.")
    if expected is not None and not hmac.compare_digest(nonce.encode(), expected.encode()):
        raise InvalidNonceError("The key proof's nonce is not the one given out.")
    return nonce
