"""Send one message to one endpoint, and judge the answer by its status."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from prometheus_client import Counter, Histogram

from service import __version__
from service.credentials.webhook import sign_webhook
from service.events.schedule import read_retry_after
from service.fetch import Fetched, Fetcher, FetchError

WITHIN_S = 15.0
"""How long a receiver may take: the least that Standard Webhooks recommends."""
ATTEMPTS = Counter("goodstanding_webhook_attempts_total", "Webhooks that were sent, by what came of it.", ["result"])
LATENCY = Histogram("goodstanding_webhook_attempt_seconds", "Time that receivers of webhooks took.")


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the same id and body at each attempt.

    Attributes:
        keys: That sign, the newest first.
    """

    url: str
    id: str
    body: bytes
    keys: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        status: HTTP status, None without an answer.
        error: None if the message arrived, else ``http_status``, or the code of the error that was in the way.
        retry_after: How long the receiver wants to be left alone.
        body: The start of the answer, as far as it was asked for.
    """

    status: int | None
    error: str | None
    retry_after: timedelta | None = None
    body: bytes = b""

    @property
    def is_delivered(self) -> bool:
        """Tell whether the receiver has it."""
        return self.error is None

    @property
    def is_gone(self) -> bool:
        """Tell whether the receiver wants to hear nothing any more."""
        return self.status == HTTPStatus.GONE


async def send_message(fetcher: Fetcher, message: Message, *, now: datetime, max_bytes: int = 0) -> Outcome:
    """Send a message; raises nothing.

    Args:
        now: Time of the attempt, which is signed.
        max_bytes: How much of the answer is wanted.
    """
    signed = sign_webhook(message.keys, message_id=message.id, timestamp=int(now.timestamp()), body=message.body)
    own = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": f"Goodstanding/{__version__}"}
    started = time.perf_counter()
    try:
        answer = await fetcher.notify(
            message.url, content=message.body, headers=own | signed, within_s=WITHIN_S, max_bytes=max_bytes
        )
        outcome = _judge(answer, now)
    except FetchError as error:
        outcome = Outcome(None, error.code)
    LATENCY.observe(time.perf_counter() - started)
    ATTEMPTS.labels("delivered" if outcome.is_delivered else outcome.error).inc()
    return outcome


def _judge(answer: Fetched, now: datetime) -> Outcome:
    """Anything but 2xx is a failure, redirects too, which are not followed."""
    if HTTPStatus(200) <= answer.status < 300:
        return Outcome(answer.status, None, body=answer.body)
    return Outcome(answer.status, "http_status", read_retry_after(answer.headers.get("retry-after"), now))
