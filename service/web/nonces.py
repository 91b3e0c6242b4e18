"""Nonces made without storage: each carries its time and a keyed digest, so every worker can check another's.

Source: docs/decisions/0003.
"""

import hmac
import secrets
import struct
from datetime import UTC, datetime, timedelta

from service.credentials.jose import MalformedJoseError, b64url_decode, b64url_encode
from service.keys import Signer

NONCE_LIFETIME = timedelta(seconds=300)
_CLOCK_LEEWAY = timedelta(seconds=60)  # between workers
_BODY = struct.Struct(">Q16s")


def make_nonce(signer: Signer, *, purpose: str, owner: str, now: datetime) -> str:
    """Make a nonce; nothing is stored.

    Args:
        signer: Digests with the deployment's key.
        purpose: What it is for; a nonce for one thing is none for another.
        owner: For whose requests it is, an organisation's id.
        now: Aware.
    """
    body = _BODY.pack(int(now.timestamp()), secrets.token_bytes(16))
    return b64url_encode(body + _digest(signer, purpose, owner, body))


def find_nonce_end(signer: Signer, nonce: str, *, purpose: str, owner: str, now: datetime) -> datetime | None:
    """Return when a nonce ends; None if this deployment didn't make it for this, or it has ended."""
    try:
        data = b64url_decode(nonce)
    except MalformedJoseError:
        return None
    body, digest = data[: _BODY.size], data[_BODY.size :]
    if len(body) != _BODY.size or not hmac.compare_digest(digest, _digest(signer, purpose, owner, body)):
        return None
    made_at = datetime.fromtimestamp(_BODY.unpack(body)[0], UTC)
    if not made_at - _CLOCK_LEEWAY <= now < made_at + NONCE_LIFETIME:
        return None
    return made_at + NONCE_LIFETIME


def _digest(signer: Signer, purpose: str, owner: str, body: bytes) -> bytes:
    return signer.authenticate(owner.encode() + b"\x00" + body, purpose=purpose)[:16]
