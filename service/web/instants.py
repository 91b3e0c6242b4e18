"""Instants on the wire."""

import re
from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import Query

from service.errors import InvalidInputError

AsOf = Annotated[
    str | None, Query(description="RFC 3339 instant, or a date: the end of that day in UTC. Not in the future.")
]
"""Parameter that asks about the past; ``resolve_as_of`` reads it."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


class AsOfInvalidError(InvalidInputError):
    """``as_of`` is neither an RFC 3339 instant nor a date."""

    code = "as_of_invalid"


class AsOfInFutureError(InvalidInputError):
    """``as_of`` lies in the future, of which nothing is on record."""

    code = "as_of_in_future"


def format_instant(instant: datetime) -> str:
    """Return RFC 3339 in UTC with ``Z``, whole seconds unless there are fractions."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_optional(instant: datetime | None) -> str | None:
    """Return ``format_instant``, or None for None."""
    return None if instant is None else format_instant(instant)


def read_instant(text: str) -> datetime:
    """Read an RFC 3339 instant as UTC; of a second, whatever is finer than a microsecond is left out.

    Raises:
        ValueError, OverflowError: It is none: the library reads other forms of ISO 8601, too.

    Source: RFC 3339, section 5.6.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError("must be an RFC 3339 instant with its offset")
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def resolve_as_of(value: str, now: datetime) -> datetime:
    """Return the instant that a query names: itself, or the end of a UTC day; today's is now.

    Raises:
        AsOfInvalidError, AsOfInFutureError: See ``code``.
    """
    at = _read_as_of(value)
    if isinstance(at, datetime):
        instant = at
    else:
        end = datetime.combine(at, time.max, UTC)
        instant = now if at == now.date() else end
    if instant > now:
        raise AsOfInFutureError("as_of lies in the future.")
    return instant


def _read_as_of(value: str) -> datetime | date:
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
        return read_instant(value)
    except (ValueError, OverflowError):
        pass
    raise AsOfInvalidError("as_of must be an RFC 3339 instant or a date.")
