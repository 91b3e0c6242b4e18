"""Key attestations: what a wallet's maker, or its key storage, says of holder keys."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.credentials.jose import (
    InvalidClaimsError,
    VerificationKey,
    check_times,
    jwk_thumbprint,
    load_key,
    parse_jws,
    verify_jws,
)
from service.errors import VerificationError

KEY_ATTESTATION_TYP = "key-attestation+jwt"
MAX_ATTESTED_KEYS = 100
LEEWAY = timedelta(seconds=60)

FindAttesterKey = Callable[[Mapping[str, Any]], VerificationKey]
"""Returns the trusted key that a header means; raises a ServiceError of verification if there is none."""


class InvalidKeyAttestationError(VerificationError):
    """The key attestation is malformed, not current, by nobody who is trusted, or not about this key."""

    code = "invalid_key_attestation"
    check = "holder_binding"


@dataclass(frozen=True, slots=True)
class KeyAttestation:
    """Keys of one key storage.

    Attributes:
        jwks: Public members only, by thumbprint, in the attestation's order.
        names: Thumbprint by what a key proof's ``kid`` may call the key: its own ``kid``, else its place in the list.
        nonce: The ``c_nonce`` inside; the caller checks and spends it.
        key_storage: What its key storage resists, as the attester says; empty if it says nothing.
        user_authentication: The same of the user authentication before a key is used.
    """

    jwks: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]
    nonce: str
    key_storage: frozenset[str]
    user_authentication: frozenset[str]


def verify_key_attestation(
    token: str,
    *,
    find_key: FindAttesterKey,
    now: datetime,
    algorithms: Collection[str],
    require_exp: bool,
) -> KeyAttestation:
    """Verify a key attestation of unknown origin.

    Its ``status`` is not looked at: the nonce inside shows that it was made minutes ago, for this request.

    1. It is a compact JWS whose ``alg`` is asymmetric and accepted.
    2. A trusted attester signed it; ``typ`` is ``key-attestation+jwt``.
    3. ``iat`` is there and past; ``exp``, which a key proof asks for, is not.
    4. ``attested_keys`` holds distinct public keys of kinds that we take, ``MAX_ATTESTED_KEYS`` at most.
    5. ``nonce`` is a text; ``key_storage`` and ``user_authentication``, if there, are non-empty arrays of texts.

    Args:
        token: Compact JWS.
        find_key: Knows the trusted attesters.
        now: Aware.
        algorithms: ``proof_signing_alg_values_supported`` of our metadata.
        require_exp: Whether it came within a key proof.

    Raises:
        MalformedJoseError, VerificationError: Any of 1 to 5.

    Source: OpenID4VCI 1.0, appendices D.1, F.1 and F.3.
    """
    jws = parse_jws(token)  # (1)
    if jws.header["alg"] not in algorithms:
        raise InvalidKeyAttestationError("The key attestation's alg is not accepted.")
    claims = verify_jws(jws, find_key(jws.header), expected_typ={KEY_ATTESTATION_TYP})  # (2)
    check_times(claims, now=now, leeway=LEEWAY, require_exp=require_exp)  # (3)
    if "iat" not in claims:
        raise InvalidClaimsError("The token has no iat.")
    jwks, names = _read_keys(claims.get("attested_keys"))  # (4)
    if not isinstance(claims.get("nonce"), str):  # (5)
        raise InvalidKeyAttestationError("The key attestation has no nonce.")
    return KeyAttestation(
        jwks, names, claims["nonce"], _read_values(claims, "key_storage"), _read_values(claims, "user_authentication")
    )


def _read_keys(raw: Any) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_ATTESTED_KEYS or not all(isinstance(k, dict) for k in raw):
        raise InvalidKeyAttestationError(f"attested_keys isn't an array of 1 to {MAX_ATTESTED_KEYS} keys.")
    loaded = [load_key(jwk) for jwk in raw]
    jwks: dict[str, Mapping[str, Any]] = {jwk_thumbprint(key.jwk): key.jwk for key in loaded}
    names = {key.kid or str(place): jwk_thumbprint(key.jwk) for place, key in enumerate(loaded)}
    if len(jwks) != len(raw) or len(names) != len(raw):
        raise InvalidKeyAttestationError("attested_keys holds a key or a kid twice.")
    return jwks, names


def _read_values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    if name not in claims:
        return frozenset()
    values = claims[name]
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise InvalidKeyAttestationError(f"{name} isn't a non-empty array of strings.")
    return frozenset(values)
