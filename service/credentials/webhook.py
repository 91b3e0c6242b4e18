"""Signatures of webhooks. Pure.

Source: Standard Webhooks 1.0.0, "Signature scheme" and "Webhook headers".
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence

SECRET_PREFIX = "whsec_"  # noqa: S105  # says what follows
ID_HEADER, TIME_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"
_VERSION = "v1"


def format_secret(key: bytes) -> str:
    """Write a key of 24 to 64 bytes as it is shown to the receiver."""
    return SECRET_PREFIX + b64encode(key).decode()


def sign_webhook(keys: Sequence[bytes], *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message, with one signature by each key.

    Args:
        keys: The newest first; more than one while a receiver changes over.
        message_id: The same each time that the message is sent; has no full stop.
        timestamp: Of this attempt, in seconds of the epoch.
        body: The bytes that are sent.
    """
    assert "." not in message_id
    return {
        ID_HEADER: message_id,
        TIME_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(_sign(key, message_id, str(timestamp), body) for key in keys),
    }


def _sign(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    return f"{_VERSION},{b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}"
