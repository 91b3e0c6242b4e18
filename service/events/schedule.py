"""When a message that did not arrive is sent again. Pure.

Source: Standard Webhooks 1.0.0, "Deliverability and reliability".
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
LONGEST_WAIT = timedelta(hours=24)
_JITTER = 0.2


def find_next_try(
    failures: int, now: datetime, *, chance: float, retry_after: timedelta | None = None
) -> datetime | None:
    """Return when to try again after so many failures in a row, None after the last.

    Args:
        failures: At least one.
        now: When it failed.
        chance: From 0 to 1: by how much of a fifth of the delay it is later, so that not all come back at once.
        retry_after: The receiver asked for at least so long.
    """
    if failures > len(DELAYS):
        return None
    delay = DELAYS[failures - 1] * (1 + _JITTER * chance)
    return now + max(delay, retry_after or timedelta(0))


def read_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read a ``Retry-After`` header, seconds or a date, at most a day; None if it says nothing.

    Source: RFC 9110, section 10.2.3.
    """
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:10]), int(LONGEST_WAIT.total_seconds())))
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta(0)), LONGEST_WAIT)
