"""``c_nonce``: made without storage, spent once.

A nonce carries its time and a keyed digest, so every worker can check one that another worker made. Only a nonce that
came back in a valid proof is stored, under a primary key that lets one request through.

Source: OpenID4VCI 1.0, sections 7 and 13.5; docs/decisions/0003.
"""

import hashlib
import hmac
import secrets
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.jose import MalformedJoseError, b64url_decode, b64url_encode
from service.credentials.key_proof import InvalidNonceError
from service.keys import Signer
from service.storage.tables import SpentNonce

NONCE_LIFETIME = timedelta(seconds=300)
_CLOCK_LEEWAY = timedelta(seconds=60)  # between workers
_BODY = struct.Struct(">Q16s")
_PURPOSE = "c-nonce"


def make_nonce(signer: Signer, *, org_id: str, now: datetime) -> str:
    """Make a nonce for key proofs to this issuer; nothing is stored."""
    body = _BODY.pack(int(now.timestamp()), secrets.token_bytes(16))
    return b64url_encode(body + _digest(signer, org_id, body))


def check_nonce(signer: Signer, nonce: str, *, org_id: str, now: datetime) -> datetime:
    """Return the instant at which ``nonce`` ends; whether it was spent before shows only in ``spend_nonces``.

    Raises:
        InvalidNonceError: Not made by this deployment for this issuer, or too old.
    """
    try:
        data = b64url_decode(nonce)
    except MalformedJoseError:
        raise InvalidNonceError("The nonce is not one of ours.") from None
    body, digest = data[: _BODY.size], data[_BODY.size :]
    if len(body) != _BODY.size or not hmac.compare_digest(digest, _digest(signer, org_id, body)):
        raise InvalidNonceError("The nonce is not one of ours.")
    made_at = datetime.fromtimestamp(_BODY.unpack(body)[0], UTC)
    if not made_at - _CLOCK_LEEWAY <= now < made_at + NONCE_LIFETIME:
        raise InvalidNonceError("The nonce has expired.")
    return made_at + NONCE_LIFETIME


async def spend_nonces(session: AsyncSession, org_id: str, nonces: Mapping[str, datetime]) -> None:
    """Spend nonces together, in the caller's transaction; each maps to its end.

    Raises:
        InvalidNonceError: One was spent before. The transaction can only be rolled back then.
    """
    for nonce, expires_at in sorted(nonces.items()):
        digest = hashlib.sha256(nonce.encode()).hexdigest()
        session.add(SpentNonce(org_id=org_id, nonce_sha256=digest, expires_at=expires_at))
    try:
        await session.flush()
    except IntegrityError:
        raise InvalidNonceError("The nonce was used before.") from None


def _digest(signer: Signer, org_id: str, body: bytes) -> bytes:
    return signer.authenticate(org_id.encode() + b"\x00" + body, purpose=_PURPOSE)[:16]
