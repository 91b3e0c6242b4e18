"""``private_key_jwt``: a client proves who it is with a JWT that it signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from service.credentials.jose import (
    MalformedJoseError,
    VerificationKey,
    check_times,
    parse_json,
    parse_jws,
    verify_jws,
)
from service.credentials.jwk_set import select_key
from service.errors import MalformedError, ProtocolError, VerificationError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "ES384", "EdDSA", "Ed25519")
MAX_BYTES = 8192
MAX_LIFETIME = timedelta(hours=1)
LEEWAY = timedelta(seconds=60)
# Clients of before the type was defined send JWT or nothing; every other type of ours is refused.
_TYPES = frozenset({"client-authentication+jwt", "JWT", ""})


class InvalidAssertionError(ProtocolError):
    """``invalid_client``: the assertion is malformed, for somebody else, not current, or not of the client's key."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_client", detail, status=401)


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """What a verified assertion leaves to do: its ``jti`` is spent once, and kept until ``expires_at``."""

    jti: str
    expires_at: datetime


def read_asserted_client(assertion: str) -> str:
    """Return whom an assertion claims to come from, unverified: only good for looking up keys.

    Raises:
        InvalidAssertionError: Not a JWT, or its ``sub`` is no text.
    """
    try:
        claims = parse_json(parse_jws(assertion, max_bytes=MAX_BYTES).payload)
    except MalformedJoseError as error:
        raise InvalidAssertionError(f"The client assertion is not valid: {error.detail}") from error
    client_id = claims.get("sub") if isinstance(claims, dict) else None
    if not isinstance(client_id, str):
        raise InvalidAssertionError("The client assertion names no client in sub.")
    return client_id


def verify_client_assertion(
    assertion: str, keys: Sequence[VerificationKey], *, client_id: str, expected_audience: str, now: datetime
) -> ClientAssertion:
    """Verify a client assertion.

    Pure: keeps no ``jti``; the caller spends it.

    1. It is a compact JWS of at most 8 KiB, with an asymmetric ``alg`` and a type that is no other token's.
    2. One of the client's own registered keys signed it: that of ``kid``, or the only one.
    3. ``iss`` and ``sub`` are the client.
    4. ``aud`` is the issuer identifier of the authorization server, alone: as a text or the only element of an array.
    5. ``exp`` is there, lies ahead, and at most an hour; ``nbf`` and ``iat`` hold.
    6. ``jti`` is a non-empty text.

    Args:
        assertion: ``client_assertion`` of the request.
        keys: Registered keys of the client.
        client_id: The client.
        expected_audience: Our issuer identifier; an endpoint's address is none.
        now: Aware.

    Raises:
        InvalidAssertionError: Any of these fails.

    Source: RFC 7523, section 3, with draft-ietf-oauth-rfc7523bis, section 4; FAPI 2.0 Security Profile, section 5.3.2.
    """
    try:
        jws = parse_jws(assertion, max_bytes=MAX_BYTES)  # (1)
        key = select_key(keys, jws.header.get("kid"))
        if key is None:
            raise InvalidAssertionError("The client assertion names no key of the client.")
        claims = verify_jws(jws, key, expected_typ=_TYPES)  # (1) (2)
        check_times(claims, now=now, leeway=LEEWAY, require_exp=True)  # (5)
    except InvalidAssertionError:
        raise
    except (MalformedError, VerificationError) as error:
        raise InvalidAssertionError(f"The client assertion is not valid: {error.detail}") from error
    if claims.get("iss") != client_id or claims.get("sub") != client_id:  # (3)
        raise InvalidAssertionError("The client assertion is another client's.")
    if claims.get("aud") not in (expected_audience, [expected_audience]):  # (4)
        raise InvalidAssertionError("The client assertion was made for another server.")
    return ClientAssertion(_read_jti(claims), _read_end(claims, now))  # (6) (5)


def _read_jti(claims: dict[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise InvalidAssertionError("The client assertion has no jti.")
    return jti


def _read_end(claims: dict[str, Any], now: datetime) -> datetime:
    end = datetime.fromtimestamp(claims["exp"], UTC)
    if end > now + MAX_LIFETIME + LEEWAY:
        raise InvalidAssertionError("The client assertion is valid for too long.")
    return end + LEEWAY
