"""Instants as XML Schema writes them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_STAMP = re.compile(r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)?")


def write_instant(instant: datetime) -> str:
    """Write an aware instant in UTC, in whole seconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(value: Any, *, require_zone: bool = True) -> datetime | None:
    """Read an ``xsd:dateTimeStamp`` as an aware UTC instant; None if it is none.

    Args:
        value: Untrusted.
        require_zone: Whether an ``xsd:dateTime`` without a zone is refused; otherwise it is taken as UTC.

    Source: XML Schema Definition 1.1, part 2, section 3.4.28; VC Data Integrity 1.0, section 2.1 (``created``).
    """
    match = _STAMP.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    if match is None or (match["zone"] is None and require_zone):
        return None
    zone = "+00:00" if match["zone"] in (None, "Z") else match["zone"]
    try:
        instant = datetime.fromisoformat(match["second"] + zone)
        return instant.astimezone(UTC) + timedelta(microseconds=int((match["fraction"] or "0").ljust(6, "0")[:6]))
    except (ValueError, OverflowError):
        return None
