"""Slow down guessing: count failures by name, in this process."""

from collections import OrderedDict
from datetime import datetime, timedelta

from service.errors import RateLimitedError

MAX_FAILURES = 10
WINDOW = timedelta(minutes=1)
_MAX_NAMES = 10_000  # bounds memory under a flood of invented names


class TooManyFailuresError(RateLimitedError):
    """Authentication failed too often."""

    code = "too_many_failures"


class FailureThrottle:
    """At most ``MAX_FAILURES`` failed tries per name and ``WINDOW``. A success clears the name."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()

    def _recent(self, name: str, now: datetime) -> list[datetime]:
        return [at for at in self._failures.get(name, []) if now - at < WINDOW]

    def check(self, name: str, now: datetime) -> None:
        """Raise ``TooManyFailuresError`` if ``name`` has to wait."""
        recent = self._recent(name, now)
        if len(recent) >= MAX_FAILURES:
            wait = recent[0] + WINDOW - now
            raise TooManyFailuresError(
                "Too many failed attempts.",
                retry_after=max(1, int(wait.total_seconds())),
                quota=MAX_FAILURES,
                window_s=int(WINDOW.total_seconds()),
            )

    def record_failure(self, name: str, now: datetime) -> None:
        """Count one failure."""
        self._failures[name] = [*self._recent(name, now), now][-MAX_FAILURES:]
        self._failures.move_to_end(name)
        while len(self._failures) > _MAX_NAMES:
            self._failures.popitem(last=False)

    def clear(self, name: str) -> None:
        """Forget failures after a success."""
        self._failures.pop(name, None)
