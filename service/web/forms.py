"""Form bodies of protocol endpoints, read strictly."""

import re
from urllib.parse import parse_qsl

from fastapi import Request

from service.errors import ProtocolError

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 50
# Decoders take a lone percent sign for itself, at the price of a text object for each of 200,000.
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


async def read_form(request: Request) -> dict[str, str]:
    """Return the parameters; one that comes twice could mean one thing here and another to a proxy.

    Raises:
        ProtocolError: ``invalid_request``. Another media type, no form, a repeated parameter, or U+0000.

    Source: RFC 6749, section 3.2 (parameters must not be included more than once).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise ProtocolError("invalid_request", f"The body must be {FORM}.")
    try:
        text = (await request.body()).decode()
        if _LONE_PERCENT.search(text):
            raise ValueError
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ProtocolError("invalid_request", "The form cannot be read.") from None
    if any("\0" in part for pair in pairs for part in pair):  # PostgreSQL keeps it in no text
        raise ProtocolError("invalid_request", "The form cannot be read.")
    if len(dict(pairs)) != len(pairs):
        raise ProtocolError("invalid_request", "A parameter is repeated.")
    return dict(pairs)
