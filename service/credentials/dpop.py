"""DPoP: a request proves possession of the key that its access token is bound to."""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from service.credentials.jose import (
    SignFunction,
    VerificationKey,
    b64url_encode,
    check_times,
    jwk_thumbprint,
    load_key,
    parse_jws,
    sign_jws,
    verify_jws,
)
from service.errors import MalformedError, UnauthorizedError, VerificationError

DPOP_TYP = "dpop+jwt"
ALGORITHMS = ("ES256", "ES384", "EdDSA", "Ed25519")
MAX_BYTES = 8192
MAX_AGE = timedelta(seconds=300)
LEEWAY = timedelta(seconds=60)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class InvalidDpopProofError(UnauthorizedError):
    """The DPoP proof is missing, malformed, for another request, not current, used before, or of another key."""

    code = "invalid_dpop_proof"


@dataclass(frozen=True, slots=True)
class DpopProof:
    """What a verified proof leaves to do.

    Attributes:
        thumbprint: RFC 7638 thumbprint of its key, base64url: the ``jkt`` that a token is bound to.
        jti: To be spent once, and kept until ``expires_at``.
        expires_at: From then on the proof is too old anyway.
        nonce: To be compared with what we gave out; None if there is none.
    """

    thumbprint: str
    jti: str
    expires_at: datetime
    nonce: str | None


def build_dpop_proof(
    jwk: Mapping[str, Any],
    *,
    method: str,
    url: str,
    jti: str,
    issued_at: datetime,
    sign: SignFunction,
    nonce: str | None = None,
    access_token: str | None = None,
) -> str:
    """Make the proof for one request.

    Args:
        jwk: The public key.
        method, url: Of the request; query and fragment are left out.
        jti: Random, at least 96 bits, never used before.
        issued_at: Now, aware.
        sign: Signs with the private key of ``jwk``.
        nonce: ``DPoP-Nonce`` of the server, if it gave one.
        access_token: Sent with the request, if one is.

    Raises:
        MalformedJoseError: ``jwk`` is not a usable public key.

    Source: RFC 9449, section 4.2.
    """
    key = load_key(jwk)
    claims = {"jti": jti, "htm": method, "htu": re.split("[?#]", url)[0], "iat": int(issued_at.timestamp())}
    if nonce is not None:
        claims["nonce"] = nonce
    if access_token is not None:
        claims["ath"] = hash_access_token(access_token)
    return sign_jws({"typ": DPOP_TYP, "alg": key.alg, "jwk": dict(key.jwk)}, claims, sign)


def verify_dpop_proof(
    proof: str,
    *,
    expected_method: str,
    expected_url: str,
    access_token: str | None,
    now: datetime,
    algorithms: Collection[str] = ALGORITHMS,
) -> DpopProof:
    """Verify one DPoP proof.

    Pure: keeps no ``jti`` and knows no nonce; the caller spends and compares them.

    1. It is a compact JWS of at most 8 KiB whose ``alg`` is asymmetric and accepted.
    2. ``jwk`` in the header is a public key, with nothing private.
    3. ``typ`` is ``dpop+jwt`` and the signature is that key's.
    4. ``htm`` is the request's method.
    5. ``htu`` is the request's address, whatever its query and fragment, both brought to one form.
    6. ``iat`` lies in [now - 5 min, now + 1 min]; ``exp`` and ``nbf`` hold if present.
    7. With an access token, ``ath`` is its hash.
    8. ``jti`` is a non-empty text; ``nonce``, if present, a text.

    Args:
        proof: Value of the one ``DPoP`` header.
        expected_method: Method of the request, as HTTP writes it.
        expected_url: Its address as the outside sees it.
        access_token: The token beside it; None at a token endpoint.
        now: Aware.
        algorithms: ``dpop_signing_alg_values_supported`` of our metadata.

    Raises:
        InvalidDpopProofError: Any of these fails.

    Source: RFC 9449, section 4.3; RFC 3986, sections 6.2.2 and 6.2.3.
    """
    try:
        jws = parse_jws(proof, max_bytes=MAX_BYTES)  # (1)
        if jws.header["alg"] not in algorithms:
            raise InvalidDpopProofError("The DPoP proof's alg is not accepted.")
        key = _read_key(jws.header)  # (2)
        claims = verify_jws(jws, key, expected_typ={DPOP_TYP})  # (3)
        check_times(claims, now=now, leeway=LEEWAY, require_exp=False)  # (6)
    except (MalformedError, VerificationError) as error:
        raise InvalidDpopProofError(f"The DPoP proof is not valid: {error.detail}") from error
    if claims.get("htm") != expected_method:  # (4)
        raise InvalidDpopProofError("The DPoP proof was made for another method.")
    if _split_target(claims.get("htu")) != _split_target(expected_url):  # (5)
        raise InvalidDpopProofError("The DPoP proof was made for another address.")
    if "iat" not in claims or claims["iat"] < (now - MAX_AGE).timestamp():  # (6)
        raise InvalidDpopProofError("The DPoP proof is too old or states no iat.")
    if access_token is not None and claims.get("ath") != hash_access_token(access_token):  # (7)
        raise InvalidDpopProofError("The DPoP proof was made for another access token.")
    jti, nonce = claims.get("jti"), claims.get("nonce")  # (8)
    if not isinstance(jti, str) or not jti or not isinstance(nonce, str | None):
        raise InvalidDpopProofError("The DPoP proof has no jti, or no text as nonce.")
    expires_at = datetime.fromtimestamp(claims["iat"], UTC) + MAX_AGE
    return DpopProof(jwk_thumbprint(key.jwk), jti, expires_at, nonce)


def hash_access_token(token: str) -> str:
    """Return ``ath`` of an access token. Source: RFC 9449, section 4.2."""
    return b64url_encode(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())


def _read_key(header: Mapping[str, Any]) -> VerificationKey:
    jwk = header.get("jwk")
    if not isinstance(jwk, dict):
        raise InvalidDpopProofError("The DPoP proof holds no public key as jwk.")
    return load_key(jwk)


def _split_target(url: Any) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of an address, each in its one normal form."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidDpopProofError("The DPoP proof's htu is no web address.")
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise InvalidDpopProofError("The DPoP proof's htu is no web address.") from None
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise InvalidDpopProofError("The DPoP proof's htu is no web address.")
    return parts.scheme, parts.hostname, port, _ESCAPE.sub(_normalize_escape, parts.path) or "/"


def _normalize_escape(escape: re.Match[str]) -> str:
    if escape[1] is None:
        raise InvalidDpopProofError("The DPoP proof's htu is no web address.")
    sign = chr(int(escape[1], 16))
    return sign if _UNRESERVED.fullmatch(sign) else escape[0].upper()
