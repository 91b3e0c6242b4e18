"""Compact JWE with ECDH-ES and AES-GCM (RFC 7516, RFC 7518), the profile of OpenID4VP 1.0, section 8.3."""

from collections.abc import Mapping
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey

from service.credentials.encoding import MalformedJoseError, b64url_decode, parse_json
from service.errors import VerificationError

ALGORITHM = "ECDH-ES"
ALGORITHMS = [ALGORITHM]
ENCRYPTION_METHODS = ["A128GCM", "A256GCM"]
MAX_TOKEN_BYTES = 512 * 1024


class DecryptionError(VerificationError):
    """The encrypted message is not for us, altered, or not of our profile."""

    code = "decryption_failed"
    check = "encryption"


class EncryptionError(VerificationError):
    """The recipient's key is malformed or no point of its curve."""

    code = "encryption_failed"
    check = "encryption"


def _registry() -> JWERegistry:
    registry = JWERegistry(algorithms=ALGORITHMS + ENCRYPTION_METHODS)
    registry.max_ciphertext_length = MAX_TOKEN_BYTES  # the library's own 64 KiB would undercut what callers allow
    return registry


def decrypt(token: str, private_jwk: Mapping[str, Any], *, max_bytes: int) -> bytes:
    """Return the plaintext.

    Args:
        token: Compact JWE; untrusted.
        private_jwk: Of the recipient. Its ``kid``, if it has one, is the only one that the message may name.
        max_bytes: Largest plaintext.

    Raises:
        DecryptionError: See there; compressed messages are refused.

    Source: RFC 7516, sections 4.1.13 and 5.2; OpenID4VP 1.0, section 8.3, and OpenID4VCI 1.0, section 10 (``kid``).
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise DecryptionError("The encrypted response is too large.")
    _check_header(token, private_jwk.get("kid"))
    try:
        opened = jwe.decrypt_compact(token, ECKey.import_key(dict(private_jwk)), registry=_registry())
    except (JoseError, ValueError, TypeError, KeyError):
        raise DecryptionError("The response could not be decrypted.") from None
    if opened.plaintext is None or len(opened.plaintext) > max_bytes:
        raise DecryptionError("The decrypted response is too large.")
    return opened.plaintext


def _check_header(token: str, kid: Any) -> None:
    # The library takes the last of repeated members, surplus bits in base64url, and an empty ``crit``.
    try:
        encoded_header, *parts = token.split(".")
        header = parse_json(b64url_decode(encoded_header))
        for part in parts:
            b64url_decode(part)
    except MalformedJoseError:
        raise DecryptionError("The encrypted response is malformed.") from None
    if not isinstance(header, dict) or "zip" in header or "crit" in header:
        raise DecryptionError("The encrypted response is compressed, or asks for an extension.")
    if kid is not None and header.get("kid", kid) != kid:
        raise DecryptionError("The encrypted response names another key.")


def encrypt(
    plaintext: bytes, recipient_jwk: Mapping[str, Any], *, method: str, header: Mapping[str, str] | None = None
) -> str:
    """Encrypt to a P-256 key; ``kid`` of the key is named in the header, beside what ``header`` adds.

    Raises:
        EncryptionError: The key cannot be used.
    """
    named = {"alg": ALGORITHM, "enc": method, "kid": recipient_jwk.get("kid"), **(header or {})}
    protected = {name: value for name, value in named.items() if value is not None}
    members: dict[str, Any] = {name: recipient_jwk.get(name) for name in ("kty", "crv", "x", "y")}
    if (members["kty"], members["crv"]) != ("EC", "P-256"):
        raise EncryptionError("The recipient's key is not a usable P-256 key.")
    try:
        return jwe.encrypt_compact(protected, plaintext, ECKey.import_key(members), registry=_registry())
    except (JoseError, ValueError, TypeError):
        raise EncryptionError("The recipient's key is not a usable P-256 key.") from None
