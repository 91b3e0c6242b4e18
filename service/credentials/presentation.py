"""SD-JWT VC with key binding: the holder presents; the verifier checks that it is the holder, here and now."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256, sha384, sha512
from typing import Any

from service.credentials.claims_path import ClaimsPath
from service.credentials.credential import LEEWAY, MAX_AGE, VerifiedCredential
from service.credentials.jose import (
    InvalidClaimsError,
    InvalidSignatureError,
    MalformedJoseError,
    SignFunction,
    VerificationKey,
    b64url_encode,
    check_times,
    load_key,
    read_numeric_date,
    sign_jws,
    verify_jws,
)
from service.credentials.sd_jwt import (
    UnverifiedCredential,
    disclose,
    parse_sd_jwt,
    read_credential,
    read_holder_jwk,
    verify_sd_jwt_vc,
)
from service.credentials.sd_jwt_errors import (
    AudienceMismatchError,
    HolderBindingInvalidError,
    HolderBindingMissingError,
    HolderBindingStaleError,
    HolderKeyError,
    NonceMismatchError,
    SdHashMismatchError,
    TransactionDataMismatchError,
)
from service.credentials.transaction_data import DEFAULT_HASH_ALGORITHM

KEY_BINDING_TYP = "kb+jwt"
_DIGESTS = {"sha-256": sha256, "sha-384": sha384, "sha-512": sha512}


def hash_transaction_data(encoded: str, algorithm: str = DEFAULT_HASH_ALGORITHM) -> str:
    """Return the hash by which a holder agrees to ``encoded``, an entry of ``transaction_data`` as it was received.

    Args:
        encoded: The entry; its base64url is not decoded.
        algorithm: One of ``HASH_ALGORITHMS``.

    Source: OpenID4VP 1.0, appendix B.3.3.1.
    """
    return b64url_encode(_DIGESTS[algorithm](encoded.encode()).digest())


def present_sd_jwt(
    compact: str,
    *,
    names: Collection[str | ClaimsPath],
    audience: str,
    nonce: str,
    issued_at: datetime,
    sign: SignFunction,
    transaction_data_hashes: Sequence[str] | None = None,
    transaction_data_hashes_alg: str | None = None,
) -> str:
    """Make the presentation that shows ``names`` to one verifier, once.

    Args:
        compact: SD-JWT as its holder keeps it.
        names: Top-level claim names, or paths to parts of claims, to disclose.
        audience: The verifier's full, prefixed client identifier, or ``origin:<origin>``.
        nonce: From the request.
        issued_at: Now, aware.
        sign: Signs with the holder key that the credential names.
        transaction_data_hashes: One ``hash_transaction_data`` per entry that the holder agreed to.
        transaction_data_hashes_alg: The algorithm of these, if the request named its hash algorithms.

    Raises:
        VerificationError: ``compact`` is not a well-formed SD-JWT with a holder key.

    Source: RFC 9901 sections 4.3 and 7.2; OpenID4VP 1.0, appendix B.3.
    """
    sd_jwt = disclose(compact, names)
    claims: dict[str, Any] = {
        "iat": int(issued_at.timestamp()),
        "aud": audience,
        "nonce": nonce,
        "sd_hash": _hash(sd_jwt),
    }
    if transaction_data_hashes is not None:
        claims["transaction_data_hashes"] = list(transaction_data_hashes)
    if transaction_data_hashes_alg is not None:
        claims["transaction_data_hashes_alg"] = transaction_data_hashes_alg
    header = {"alg": _load_holder_key(read_holder_jwk(compact)).alg, "typ": KEY_BINDING_TYP}
    return sd_jwt + sign_jws(header, claims, sign)


def verify_presentation(
    compact: str | UnverifiedCredential,
    key: VerificationKey,
    *,
    expected_audience: str,
    expected_nonce: str,
    now: datetime,
    max_age: timedelta = MAX_AGE,
    leeway: timedelta = LEEWAY,
    expected_transaction_data: Sequence[str] | None = None,
    expected_hash_algorithms: Collection[str] | None = None,
) -> VerifiedCredential:
    """Verify a credential and that its holder made this presentation for us and for this request.

    1. The presentation ends with a key binding JWT.
    2. The credential passes ``verify_sd_jwt_vc`` and names a holder key in ``cnf.jwk``.
    3. The key binding JWT has ``typ`` ``kb+jwt`` and is signed by that key.
    4. ``iat`` lies in [now - max_age, now + leeway], and ``now`` within ``nbf`` and ``exp`` if present.
    5. ``aud`` is the text ``expected_audience``.
    6. ``nonce`` is ``expected_nonce``.
    7. ``sd_hash`` is the hash of exactly what was presented.
    8. ``transaction_data_hashes`` are those of ``expected_transaction_data``, and absent if that is empty.

    Args:
        compact: SD-JWT with key binding, or what ``read_credential`` made of it.
        key: The issuer's key; see ``verify_sd_jwt_vc``.
        expected_audience: Our full client identifier, with prefix; or ``origin:<origin>``.
        expected_nonce: The nonce of our request; the caller spends it.
        now: Time of the check, aware.
        max_age: Oldest acceptable key binding.
        leeway: How far clocks may differ.
        expected_transaction_data: Encoded entries of our request that concern this credential.
        expected_hash_algorithms: Algorithms that our request named, of which the holder must name the used one; None
            if it named none, which means sha-256.

    Raises:
        VerificationError: As ``verify_sd_jwt_vc``, or one of ``sd_jwt_errors`` for steps 1 to 8.

    Source: RFC 9901 section 7.3; OpenID4VP 1.0, sections 8.6 and 14.1, appendix B.3.
    """
    sd_jwt = parse_sd_jwt(compact) if isinstance(compact, str) else compact.sd_jwt
    if sd_jwt.kb_jwt is None:  # (1)
        raise HolderBindingMissingError("The presentation has no key binding JWT.")
    read = read_credential(sd_jwt) if isinstance(compact, str) else compact
    credential = verify_sd_jwt_vc(  # (2)
        read, key, now=now, leeway=leeway, expected_audience=expected_audience, holder_bound=True
    )
    claims = _verify_key_binding(sd_jwt.kb_jwt, _load_holder_key(credential.holder_jwk))  # (3)
    _check_age(claims, now=now, max_age=max_age, leeway=leeway)  # (4)
    if claims.get("aud") != expected_audience:  # (5)
        raise AudienceMismatchError("The presentation was made for another audience.")
    if not _is_same(claims.get("nonce"), expected_nonce):  # (6)
        raise NonceMismatchError("The presentation was made for another request.")
    if not _is_same(claims.get("sd_hash"), _hash(sd_jwt.without_key_binding())):  # (7)
        raise SdHashMismatchError("The key binding was made for other disclosures.")
    _check_transaction_data(claims, expected_transaction_data or (), expected_hash_algorithms)  # (8)
    return credential


def _hash(text: str) -> str:
    return b64url_encode(sha256(text.encode()).digest())


def _is_same(value: Any, expected: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(), expected.encode())


def _load_holder_key(jwk: Mapping[str, Any] | None) -> VerificationKey:
    if jwk is None:
        raise HolderBindingMissingError("The credential names no holder key.")
    try:
        return load_key(jwk)
    except MalformedJoseError as error:
        raise HolderKeyError(f"The holder key cannot be used: {error.detail}") from error


def _verify_key_binding(kb_jwt: str, holder_key: VerificationKey) -> dict[str, Any]:
    try:
        return verify_jws(kb_jwt, holder_key, expected_typ={KEY_BINDING_TYP})
    except (MalformedJoseError, InvalidClaimsError, InvalidSignatureError) as error:
        raise HolderBindingInvalidError(f"The key binding JWT is not the holder's: {error.detail}") from error


def _check_age(claims: Mapping[str, Any], *, now: datetime, max_age: timedelta, leeway: timedelta) -> None:
    try:
        issued_at = read_numeric_date(claims, "iat")
        check_times(claims, now=now, leeway=leeway, require_exp=False)
    except InvalidClaimsError as error:
        raise HolderBindingStaleError(f"The key binding JWT is not current: {error.detail}") from error
    if issued_at is None or issued_at < (now - max_age).timestamp():
        raise HolderBindingStaleError("The key binding JWT is too old or states no iat.")


def _check_transaction_data(
    claims: Mapping[str, Any], expected: Sequence[str], algorithms: Collection[str] | None
) -> None:
    if not expected and ("transaction_data_hashes" in claims or "transaction_data_hashes_alg" in claims):
        raise TransactionDataMismatchError("The holder agreed to transaction data that nobody asked for.")
    if not expected:
        return
    hashes = claims.get("transaction_data_hashes", [])
    algorithm = _read_hash_algorithm(claims, algorithms)
    # The specification leaves the order of the hashes open, so only what was agreed to counts.
    if not isinstance(hashes, list) or not all(isinstance(item, str) for item in hashes):
        raise TransactionDataMismatchError("The transaction data hashes are not texts.")
    if sorted(hashes) != sorted(hash_transaction_data(entry, algorithm) for entry in expected):
        raise TransactionDataMismatchError("The holder agreed to other transaction data.")


def _read_hash_algorithm(claims: Mapping[str, Any], algorithms: Collection[str] | None) -> str:
    default = DEFAULT_HASH_ALGORITHM if algorithms is None else None
    found = claims.get("transaction_data_hashes_alg", default)
    if not isinstance(found, str) or found not in (algorithms or (DEFAULT_HASH_ALGORITHM,)):
        raise TransactionDataMismatchError("The transaction data were hashed by another algorithm than asked for.")
    return found
