"""Encrypted Credential Requests and Responses: who may read them, beyond what TLS protects.

Nothing is compressed in either direction, and metadata say so by their silence.

Source: OpenID4VCI 1.0, sections 8.2, 9.1 and 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.encryption_key import ALGORITHM, EncryptionKey, load_encryption_key
from service.credentials.jose import MalformedJoseError, b64url_decode, parse_json, write_json
from service.errors import ProtocolError
from service.issuer.identity import Issuer
from service.keys import Signer
from service.keys.jwe import ENCRYPTION_METHODS, DecryptionError, encrypt
from service.storage.tables import SigningKey
from service.web.signing import ENCRYPTION, is_published

MAX_REQUEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """The body of a request as it came; ``is_encrypted`` by its media type."""

    content: bytes
    is_encrypted: bool


@dataclass(frozen=True, slots=True)
class ResponseEncryption:
    """How the wallet wants its answer."""

    key: EncryptionKey
    method: str


async def list_encryption_keys(session: AsyncSession, org_id: str) -> list[SigningKey]:
    """Return the keys that requests are to be encrypted to: the active ones, newest first; none for older issuers."""
    query = (
        select(SigningKey)
        .where(SigningKey.org_id == org_id, SigningKey.purpose == ENCRYPTION, col(SigningKey.retired_at).is_(None))
        .order_by(col(SigningKey.created_at).desc(), col(SigningKey.kid))
    )
    return list((await session.exec(query)).all())


async def open_message(
    session: AsyncSession, signer: Signer, issuer: Issuer, message: Message, *, now: datetime
) -> bytes:
    """Return the JSON text of a request, decrypted if need be.

    Raises:
        ProtocolError: ``invalid_encryption_parameters``: not of our profile, or for no key of this issuer.
    """
    if not message.is_encrypted:
        return message.content
    token = message.content.decode("ascii", errors="replace")
    kid = _read_kid(token)
    query = select(SigningKey.kid).where(
        SigningKey.org_id == issuer.org_id,
        SigningKey.kid == kid,
        SigningKey.purpose == ENCRYPTION,
        is_published(now),
    )
    if (await session.exec(query)).first() is None:
        raise _invalid("The request is encrypted to a key that is not in our metadata.")
    try:
        return signer.decrypt_jwe_with(kid, token, max_bytes=MAX_REQUEST_BYTES)
    except DecryptionError:
        raise _invalid("The request could not be decrypted.") from None


def read_response_encryption(raw: Mapping[str, Any], *, is_encrypted: bool) -> ResponseEncryption | None:
    """Read ``credential_response_encryption`` of a request; None without it.

    Args:
        raw: The request.
        is_encrypted: Whether the request came encrypted: else anybody on the way could have put a key of theirs there.

    Raises:
        ProtocolError: ``invalid_encryption_parameters``.
    """
    wanted = raw.get("credential_response_encryption")
    if "credential_response_encryption" not in raw:
        return None
    if not is_encrypted:
        raise _invalid("An encrypted response needs an encrypted request.")
    if not isinstance(wanted, dict) or not isinstance(wanted.get("jwk"), dict):
        raise _invalid("The parameter credential_response_encryption holds no jwk.")
    if "zip" in wanted:
        raise _invalid("Responses are not compressed.")
    if wanted.get("enc") not in ENCRYPTION_METHODS:
        raise _invalid("The parameter enc is missing or not supported.")
    try:
        return ResponseEncryption(load_encryption_key(wanted["jwk"]), wanted["enc"])
    except MalformedJoseError:
        raise _invalid("The parameter jwk is not a public P-256 key whose alg is ECDH-ES.") from None


def encrypt_answer(answer: Mapping[str, Any], wanted: ResponseEncryption) -> str:
    """Return the answer as a compact JWE; its ``kid`` is that of the wallet's key."""
    named = {} if wanted.key.kid is None else {"kid": wanted.key.kid}
    return encrypt(write_json(answer), {**wanted.key.jwk, **named}, method=wanted.method)


def _read_kid(token: str) -> str:
    try:
        header = parse_json(b64url_decode(token.partition(".")[0]))
    except MalformedJoseError:
        header = None
    if not isinstance(header, dict) or not isinstance(header.get("kid"), str):
        raise _invalid("The request is no compact JWE that names one of our keys.")
    # Before any key is touched: what is compressed or critical is not even looked into.
    if header.get("alg") != ALGORITHM or header.get("enc") not in ENCRYPTION_METHODS or {"zip", "crit"} & header.keys():
        raise _invalid("The request is encrypted in another way than our metadata say.")
    kid: str = header["kid"]
    return kid


def _invalid(detail: str) -> ProtocolError:
    return ProtocolError("invalid_encryption_parameters", detail)
