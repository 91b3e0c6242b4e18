"""Wallet attestation: a wallet's maker vouches for an instance of it, and the instance proves that it is the one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from service.credentials.jose import (
    MalformedJoseError,
    UnverifiedJws,
    VerificationKey,
    check_times,
    jwk_thumbprint,
    load_key,
    parse_json,
    parse_jws,
    verify_jws,
)
from service.errors import MalformedError, ProtocolError, VerificationError

ATTESTATION_TYP = "oauth-client-attestation+jwt"
POP_TYP = "oauth-client-attestation-pop+jwt"
ALGORITHMS = ("ES256", "ES384", "EdDSA", "Ed25519")
MAX_BYTES = 16_384
"""An attestation may carry a certificate chain."""
MAX_AGE = timedelta(seconds=300)
LEEWAY = timedelta(seconds=60)


class InvalidAttestationError(ProtocolError):
    """``invalid_client``: the attestation or its proof is malformed, for somebody else, or not authentic."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_client", detail, status=401)


@dataclass(frozen=True, slots=True)
class ClaimedAttestation:
    """A well-formed attestation that nobody verified yet: good for looking up who may have signed it.

    Attributes:
        client_id: ``sub``.
        kid: Key that its header names, or None.
        x5c: Certificate chain that its header holds, or None.
    """

    jws: UnverifiedJws
    client_id: str
    kid: str | None
    x5c: Any


@dataclass(frozen=True, slots=True)
class AttestedWallet:
    """An authentic instance of a wallet.

    Attributes:
        client_id: The wallet; instances share it.
        key: The instance's key, which the proof of possession must be signed with.
        thumbprint: Of that key (RFC 7638).
    """

    client_id: str
    key: VerificationKey
    thumbprint: str


@dataclass(frozen=True, slots=True)
class AttestationPop:
    """What a verified proof of possession leaves to do.

    Attributes:
        jti: To be spent once, and kept until ``expires_at``.
        expires_at: From then on the proof is too old anyway.
        challenge: To be compared with what we gave out; None if the wallet asked for none.
    """

    jti: str
    expires_at: datetime
    challenge: str | None


def read_attestation(attestation: str) -> ClaimedAttestation:
    """Read an attestation without verifying it.

    Raises:
        InvalidAttestationError: Not a JWT, or its ``sub`` is no text.
    """
    try:
        jws = parse_jws(attestation, max_bytes=MAX_BYTES)
        claims = parse_json(jws.payload)
    except MalformedJoseError as error:
        raise InvalidAttestationError(f"The wallet attestation is not valid: {error.detail}") from error
    client_id = claims.get("sub") if isinstance(claims, dict) else None
    if not isinstance(client_id, str) or not client_id:
        raise InvalidAttestationError("The wallet attestation names no wallet in sub.")
    return ClaimedAttestation(jws, client_id, jws.header.get("kid"), jws.header.get("x5c"))


def verify_attestation(attestation: ClaimedAttestation, key: VerificationKey, *, now: datetime) -> AttestedWallet:
    """Verify a wallet attestation with the key of a wallet provider that is trusted for its ``client_id``.

    1. ``typ`` is ``oauth-client-attestation+jwt``, ``alg`` and signature are the key's.
    2. ``exp`` is there and lies ahead; ``nbf`` and ``iat`` hold.
    3. ``cnf`` holds one public key as ``jwk``, and nothing private.

    Args:
        attestation: As read.
        key: The provider's.
        now: Aware.

    Raises:
        InvalidAttestationError: Any of these fails.

    Source: draft-ietf-oauth-attestation-based-client-auth, sections "Client Attestation JWT" and "Verification";
        OpenID4VCI 1.0, appendix E.
    """
    try:
        claims = verify_jws(attestation.jws, key, expected_typ={ATTESTATION_TYP})  # (1)
        check_times(claims, now=now, leeway=LEEWAY, require_exp=True)  # (2)
        instance = _read_instance_key(claims)  # (3)
    except InvalidAttestationError:
        raise
    except (MalformedError, VerificationError) as error:
        raise InvalidAttestationError(f"The wallet attestation is not valid: {error.detail}") from error
    return AttestedWallet(attestation.client_id, instance, jwk_thumbprint(instance.jwk))


def verify_attestation_pop(
    pop: str, wallet: AttestedWallet, *, expected_audience: str, now: datetime
) -> AttestationPop:
    """Verify the proof that whoever sends an attestation holds its key.

    Pure: keeps no ``jti`` and knows no challenge; the caller spends and compares them.

    1. ``typ`` is ``oauth-client-attestation-pop+jwt``, and the key of the attestation signed it.
    2. ``aud`` is the issuer identifier of the authorization server, as a text or the only element of an array.
    3. ``iat`` lies in [now - 5 min, now + 1 min]; ``exp`` and ``nbf`` hold if present.
    4. ``jti`` is a non-empty text; ``challenge``, if present, a text; ``iss``, if present, the wallet.

    Raises:
        InvalidAttestationError: Any of these fails.

    Source: draft-ietf-oauth-attestation-based-client-auth, sections "Client Attestation PoP JWT" and "Verification".
    """
    try:
        claims = verify_jws(parse_jws(pop, max_bytes=MAX_BYTES), wallet.key, expected_typ={POP_TYP})  # (1)
        check_times(claims, now=now, leeway=LEEWAY, require_exp=False)  # (3)
    except (MalformedError, VerificationError) as error:
        raise InvalidAttestationError(f"The proof of the wallet attestation is not valid: {error.detail}") from error
    if claims.get("aud") not in (expected_audience, [expected_audience]):  # (2)
        raise InvalidAttestationError("The proof of the wallet attestation was made for another server.")
    if "iat" not in claims or claims["iat"] < (now - MAX_AGE).timestamp():  # (3)
        raise InvalidAttestationError("The proof of the wallet attestation is too old or states no iat.")
    jti, challenge = claims.get("jti"), claims.get("challenge")  # (4)
    if not isinstance(jti, str) or not jti or not isinstance(challenge, str | None):
        raise InvalidAttestationError("The proof of the wallet attestation has no jti, or no text as challenge.")
    if claims.get("iss", wallet.client_id) != wallet.client_id:
        raise InvalidAttestationError("The proof of the wallet attestation is another wallet's.")
    return AttestationPop(jti, datetime.fromtimestamp(claims["iat"], UTC) + MAX_AGE + LEEWAY, challenge)


def _read_instance_key(claims: Mapping[str, Any]) -> VerificationKey:
    match claims.get("cnf"):
        case {"jwk": dict() as jwk}:
            return load_key(jwk)
    raise InvalidAttestationError("The wallet attestation has no cnf.jwk.")
