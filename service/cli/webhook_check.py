"""Check webhooks that come in, as a receiver has to. Pure."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from service.credentials.webhook import ID_HEADER, SECRET_PREFIX, SIGNATURE_HEADER, TIME_HEADER, sign_webhook
from service.errors import InvalidInputError, VerificationError

TOLERANCE = timedelta(minutes=5)
_KEY_BYTES = range(24, 65)
_TIME_DIGITS = 12


class WebhookSecretError(InvalidInputError):
    """The secret is not ``whsec_`` and 24 to 64 bytes of base64."""

    code = "webhook_secret_malformed"


class WebhookInvalidError(VerificationError):
    """A webhook is not authentic, or was signed too long ago or in the future."""

    code = "webhook_invalid"


def parse_secret(text: str) -> bytes:
    """Read a secret as it was shown when the endpoint was made.

    Raises:
        WebhookSecretError: See there.
    """
    try:
        key = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SECRET_PREFIX) or len(key) not in _KEY_BYTES:
        raise WebhookSecretError("A webhook secret is whsec_ and 24 to 64 bytes of base64.")
    return key


def verify_webhook(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, *, now: datetime) -> str:
    """Verify a message that came in; returns its id, which nobody should act on twice.

    Args:
        keys: Any of them may have signed.
        headers: By lower-case name.
        body: As it came, before anybody parsed it.
        now: Aware UTC.

    Raises:
        WebhookInvalidError: A header is missing or malformed, no signature fits, or ``webhook-timestamp`` is more than
            five minutes from now.

    Source: Standard Webhooks 1.0.0, "Verifying signatures".
    """
    message_id, sent_at = headers.get(ID_HEADER, ""), headers.get(TIME_HEADER, "")
    is_time = sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= _TIME_DIGITS
    if not is_time or not message_id.isascii() or "." in message_id or not message_id:
        raise WebhookInvalidError("The webhook's headers are missing or malformed.")
    if abs(now.timestamp() - int(sent_at)) > TOLERANCE.total_seconds():
        raise WebhookInvalidError("The webhook was signed too long ago, or in the future.")
    if not _is_signed(keys, message_id, int(sent_at), headers, body):
        raise WebhookInvalidError("No signature of the webhook is valid.")
    return message_id


def _is_signed(keys: Sequence[bytes], message_id: str, timestamp: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether one of the signatures is by one of the keys; each comparison takes constant time."""
    signed = sign_webhook(keys, message_id=message_id, timestamp=timestamp, body=body)[SIGNATURE_HEADER]
    given = headers.get(SIGNATURE_HEADER, "").encode("utf-8", "replace").split(b" ")
    return any(hmac.compare_digest(each, mine) for each in given for mine in signed.encode().split(b" ") if mine)
