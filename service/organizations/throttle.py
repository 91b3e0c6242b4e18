"""Slow down guessing: count failures by name, in this process."""

from collections import OrderedDict
from datetime import datetime, timedelta

from service.errors import RateLimitedError

MAX_FAILURES = 10
# Many clients may share an address (a proxy, a NAT): one that guesses must not lock out the others.
MAX_FAILURES_PER_PEER = 500
WINDOW = timedelta(minutes=1)
_MAX_NAMES = 10_000  # bounds memory under a flood of invented names


class TooManyFailuresError(RateLimitedError):
    """Authentication failed too often."""

    code = "too_many_failures"


class FailureThrottle:
    """At most ``max_failures`` failed tries per name and ``WINDOW``. A success clears the name."""

    def __init__(self, max_failures: int = MAX_FAILURES) -> None:
        self._max_failures = max_failures
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()

    def _recent(self, name: str, now: datetime) -> list[datetime]:
        return [at for at in self._failures.get(name, []) if now - at < WINDOW]

    def check(self, name: str, now: datetime) -> None:
        """Raise ``TooManyFailuresError`` if ``name`` has to wait."""
        recent = self._recent(name, now)
        if len(recent) >= self._max_failures:
            wait = recent[0] + WINDOW - now
            raise TooManyFailuresError(
                "Too many failed attempts.",
                retry_after=max(1, int(wait.total_seconds())),
                quota=self._max_failures,
                window_s=int(WINDOW.total_seconds()),
            )

    def record_failure(self, name: str, now: datetime) -> None:
        """Count one failure."""
        self._failures[name] = [*self._recent(name, now), now][-self._max_failures :]
        self._failures.move_to_end(name)
        while len(self._failures) > _MAX_NAMES:
            self._failures.popitem(last=False)

    def clear(self, name: str) -> None:
        """Forget failures after a success."""
        self._failures.pop(name, None)


class AuthenticationThrottle:
    """Counts failed authentications by client, and far more generously by address."""

    def __init__(self) -> None:
        self._by_client = FailureThrottle()
        self._by_peer = FailureThrottle(MAX_FAILURES_PER_PEER)

    def check(self, client_id: str | None, peer: str, now: datetime) -> None:
        """Raise ``TooManyFailuresError`` if the client, unless it is None, or the address has to wait."""
        if client_id is not None:
            self._by_client.check(client_id, now)
        self._by_peer.check(peer, now)

    def record_failure(self, client_id: str | None, peer: str, now: datetime) -> None:
        """Count one failure for both."""
        if client_id is not None:
            self._by_client.record_failure(client_id, now)
        self._by_peer.record_failure(peer, now)

    def record_success(self, client_id: str | None) -> None:
        """Forget the client's failures."""
        if client_id is not None:
            self._by_client.clear(client_id)
