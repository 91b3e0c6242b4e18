"""Instants on the wire."""

from datetime import UTC, datetime


def format_instant(instant: datetime) -> str:
    """Return RFC 3339 in UTC with ``Z``, whole seconds unless there are fractions."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_optional(instant: datetime | None) -> str | None:
    """Return ``format_instant``, or None for None."""
    return None if instant is None else format_instant(instant)
