"""Compact JSON Web Signatures and the claims they carry.

A verifier's order: bounded parsing, the header's rules, the key record's algorithm, the type, the signature, the
claims. Nothing in a header selects a key, an algorithm or an address; callers look keys up first.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from service.credentials.encoding import MalformedJoseError, b64url_decode, b64url_encode, parse_json, write_json
from service.credentials.jwk import PublicKey, VerificationKey, jwk_thumbprint, load_key
from service.errors import VerificationError

__all__ = [
    "MAX_NUMERIC_DATE",
    "InvalidClaimsError",
    "InvalidSignatureError",
    "MalformedJoseError",
    "PublicKey",
    "SignFunction",
    "UnverifiedJws",
    "VerificationKey",
    "b64url_decode",
    "b64url_encode",
    "check_times",
    "is_media_type",
    "jwk_thumbprint",
    "load_key",
    "parse_json",
    "parse_jws",
    "read_numeric_date",
    "sign_jws",
    "verify_jws",
    "verify_raw_signature",
    "verify_signature",
    "write_der_signature",
    "write_json",
]

SignFunction = Callable[[bytes], bytes]
"""Returns the raw JWS signature over the signing input; for ECDSA R and S side by side."""

MAX_NUMERIC_DATE = 253_370_764_800
"""9999-01-01T00:00:00Z: the year that is left keeps ``datetime`` sums with a leeway in range."""


class InvalidSignatureError(VerificationError):
    """The signature isn't the key's over this token."""

    code = "invalid_signature"


class InvalidClaimsError(VerificationError):
    """An authentic token of another type, time, issuer or audience than expected."""

    code = "invalid_claims"
    check = "claims"


class UnverifiedJws(NamedTuple):
    """A well-formed JWS; nothing in it is to be believed yet."""

    header: dict[str, Any]
    payload: bytes
    signature: bytes
    signing_input: bytes


def parse_jws(token: str, *, max_bytes: int = 65_536) -> UnverifiedJws:
    """Split a compact JWS and check the rules for headers that hold whatever the key.

    Args:
        token: JWS compact serialization.
        max_bytes: Largest size of ``token``, in bytes.

    Raises:
        MalformedJoseError: Too long, not three base64url parts, the header no strict JSON object, ``alg`` missing or
            ``none`` in any case, ``crit`` or ``b64`` present, or ``typ`` or ``kid`` not a string.

    Source: RFC 7515, sections 4.1 and 5.2; RFC 7797, section 6; RFC 8725, section 3.
    """
    if len(token) > max_bytes:
        raise MalformedJoseError(f"The token is longer than {max_bytes} bytes.")
    signing_input, _, signature = token.rpartition(".")
    encoded_header, dot, payload = signing_input.partition(".")
    if not dot or "." in payload:
        raise MalformedJoseError("The token isn't a compact JWS.")
    short = len(encoded_header) <= _SHORT_HEADER
    header = dict(_read_short_header(encoded_header)) if short else _read_header(encoded_header)
    return UnverifiedJws(header, b64url_decode(payload), b64url_decode(signature), signing_input.encode("ascii"))


def verify_jws(token: str | UnverifiedJws, key: VerificationKey, *, expected_typ: Collection[str]) -> dict[str, Any]:
    """Verify a compact JWS and return its claims.

    Pure, and silent about time and parties: the caller checks ``exp``, ``iss``, ``aud`` and the like.

    Args:
        token: The token, or what :func:`parse_jws` made of it.
        key: The one key that may have signed it; it also fixes the algorithm.
        expected_typ: The media types allowed in ``typ``, compared as media types; ``""`` allows a header without one.

    Raises:
        MalformedJoseError: Not a compact JWS, or its payload is no strict JSON object.
        InvalidClaimsError: Another ``typ``.
        InvalidSignatureError: Another algorithm than the key's, a signature of the wrong length, or not this key's.

    Source: RFC 7515, sections 4.1.9 and 5.2; RFC 7518, section 3.4; RFC 8037, section 3.1; RFC 8725, section 3.11.
    """
    jws = parse_jws(token) if isinstance(token, str) else token
    verify_signature(jws, key, expected_typ=expected_typ)
    claims = parse_json(jws.payload, max_bytes=len(jws.payload))  # the caller chose how long a token may be
    if not isinstance(claims, dict):
        raise MalformedJoseError("The token's payload isn't a JSON object.")
    return claims


def verify_signature(jws: UnverifiedJws, key: VerificationKey, *, expected_typ: Collection[str]) -> None:
    """Verify what :func:`verify_jws` does, for a caller that reads the payload itself.

    Raises:
        InvalidClaimsError, InvalidSignatureError: See there.
    """
    algorithm = _ALGORITHMS[key.alg]
    if jws.header["alg"] not in algorithm.names:
        raise InvalidSignatureError("The token's algorithm isn't the key's.")
    if not is_media_type(jws.header.get("typ", ""), expected_typ):
        raise InvalidClaimsError("The token is of another type.")
    _verify_signature(jws.signature, jws.signing_input, key, algorithm)


def verify_raw_signature(signature: bytes, data: bytes, key: VerificationKey) -> None:
    """Verify a signature that stands in no JWS.

    Args:
        signature: As a ``SignFunction`` makes it.
        data: What was signed.
        key: The one key that may have signed it; it also fixes the algorithm.

    Raises:
        InvalidSignatureError: A signature of the wrong length, or not this key's.
    """
    _verify_signature(signature, data, key, _ALGORITHMS[key.alg])


def sign_jws(header: Mapping[str, Any], claims: Mapping[str, Any] | bytes, sign: SignFunction) -> str:
    """Write a compact JWS.

    Args:
        header: Protected header, with the ``alg`` that ``sign`` follows.
        claims: Claims set, or a payload that is already serialized.
        sign: Makes the signature; may raise what its key store raises.

    Source: RFC 7515, section 5.1.
    """
    payload = claims if isinstance(claims, bytes) else write_json(claims)
    signing_input = f"{b64url_encode(write_json(header))}.{b64url_encode(payload)}"
    return f"{signing_input}.{b64url_encode(sign(signing_input.encode('ascii')))}"


def check_times(claims: Mapping[str, Any], *, now: datetime, leeway: timedelta, require_exp: bool) -> None:
    """Check that ``now`` lies within the times that the claims state, each widened by ``leeway``.

    Args:
        claims: Claims set; ``exp``, ``nbf`` and ``iat`` are read.
        now: Timezone-aware.
        leeway: How far the clocks of the two sides may differ.
        require_exp: Whether a claims set without ``exp`` is refused.

    Raises:
        InvalidClaimsError: Expired, not yet valid, issued in the future, no ``exp`` though required, or a time that
            isn't an integer between 0 and ``MAX_NUMERIC_DATE``.

    Source: RFC 7519, sections 4.1.4 to 4.1.6.
    """
    exp, nbf, iat = read_numeric_date(claims, "exp"), read_numeric_date(claims, "nbf"), read_numeric_date(claims, "iat")
    if exp is None and require_exp:
        raise InvalidClaimsError("The token has no exp.")
    if exp is not None and (now - leeway).timestamp() >= exp:
        raise InvalidClaimsError("The token has expired.")
    latest = (now + leeway).timestamp()
    if nbf is not None and nbf > latest:
        raise InvalidClaimsError("The token isn't valid yet.")
    if iat is not None and iat > latest:
        raise InvalidClaimsError("The token was issued in the future.")


def read_numeric_date(claims: Mapping[str, Any], name: str) -> int | None:
    """Return claim ``name`` in whole seconds since 1970 UTC, or None if it is absent.

    Raises:
        InvalidClaimsError: Not an integer (a boolean, a float or a string isn't) between 0 and ``MAX_NUMERIC_DATE``.

    Source: RFC 7519, section 2 (NumericDate); fractions are refused on purpose.
    """
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int or not 0 <= value <= MAX_NUMERIC_DATE:
        raise InvalidClaimsError(f"The token's {name} isn't a whole number of seconds.")
    return value


@dataclass(frozen=True, slots=True)
class _SignatureAlgorithm:
    names: tuple[str, ...]  # that a header may use
    signature_bytes: int
    ecdsa: ec.ECDSA | None  # made once: PyJWT's own algorithm objects make it per call, 6 % of a verification


_ALGORITHMS = {
    "ES256": _SignatureAlgorithm(("ES256",), 64, ec.ECDSA(SHA256())),
    "ES384": _SignatureAlgorithm(("ES384",), 96, ec.ECDSA(SHA384())),
    "EdDSA": _SignatureAlgorithm(("EdDSA", "Ed25519"), 64, None),
}


def _verify_signature(signature: bytes, data: bytes, key: VerificationKey, algorithm: _SignatureAlgorithm) -> None:
    # The fixed length shuts out DER and any other second spelling of the same signature.
    if len(signature) != algorithm.signature_bytes:
        raise InvalidSignatureError("The signature has the wrong length.")
    public = key.key
    try:
        if algorithm.ecdsa is None:
            cast(Ed25519PublicKey, public).verify(signature, data)
        else:
            cast(ec.EllipticCurvePublicKey, public).verify(write_der_signature(signature), data, algorithm.ecdsa)
    except InvalidSignature as error:
        raise InvalidSignatureError("The signature doesn't verify.") from error


def write_der_signature(raw: bytes) -> bytes:
    """Write an ECDSA signature as OpenSSL reads it: a sequence of the integers r and s.

    Args:
        raw: r and s side by side, of up to 48 bytes each, so that every length is one byte.

    Source: RFC 3279, section 2.2.3; X.690, section 8.3.
    """
    half = len(raw) // 2
    numbers = _write_der_integer(raw[:half]) + _write_der_integer(raw[half:])
    return b"\x30%c" % len(numbers) + numbers


def _write_der_integer(number: bytes) -> bytes:
    digits = number.lstrip(b"\0")
    if not digits or digits[0] & 0x80:  # or it would be negative
        digits = b"\0" + digits
    return b"\x02%c" % len(digits) + digits


def _read_header(encoded: str) -> dict[str, Any]:
    header = parse_json(b64url_decode(encoded))
    if not isinstance(header, dict):
        raise MalformedJoseError("The token's header isn't a JSON object.")
    _check_header(header)
    return header


_SHORT_HEADER = 512  # characters; longer ones hold certificates
_read_short_header = lru_cache(maxsize=256)(_read_header)  # issuers and wallets write the same one again and again


def _check_header(header: Mapping[str, Any]) -> None:
    alg = header.get("alg")
    if not isinstance(alg, str) or alg.lower() == "none":
        raise MalformedJoseError("The token isn't signed.")
    if "crit" in header or "b64" in header:
        raise MalformedJoseError("The token's header asks for an extension that isn't supported.")
    for name in ("typ", "kid"):
        if not isinstance(header.get(name, ""), str):
            raise MalformedJoseError(f"The token's {name} isn't a string.")


def is_media_type(typ: str, expected: Collection[str]) -> bool:
    """Tell whether ``typ`` or ``cty`` names one of the expected media types, with or without ``application/``.

    Source: RFC 7515, sections 4.1.9 and 4.1.10.
    """
    return typ in expected or _media_type(typ) in map(_media_type, expected)


def _media_type(typ: str) -> str:
    typ = typ.lower() if typ.isascii() else typ  # U+212A lowers to a plain k
    subtype = typ.removeprefix("application/")
    return typ if "/" in subtype else subtype
