"""The background work of events: number them, bring about what is due, and send them to endpoints.

Every worker process runs it. What one has taken the others leave, until it is recorded or its lease is over; so a
process that is killed between sending and recording has its message sent again, with the same id. An endpoint that
hangs holds up nothing but itself: a process sends it a few messages at once and others meanwhile.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from service.events.challenges import challenge_endpoint, take_due_challenges
from service.events.claims import Claim, Key, claim_due, record_outcome
from service.events.due import raise_due_events
from service.events.glance import look_around
from service.events.numbering import number_for_endpoints
from service.events.rechecks import recheck_standings
from service.events.sending import send_message
from service.web.context import Context

PAUSE_S = 0.25
PAUSE_AFTER_ERROR_S = 2.0
_AT_ONCE = 64
_RESOLUTION = 1 << 16
_log = structlog.get_logger(__name__)


class Courier:
    """One process's sendings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sending: dict[asyncio.Task[None], Key] = {}

    async def advance(self) -> bool:
        """Do what there is to do and start what is to be sent; returns whether there was anything."""
        context, now = self._context, self._context.clock()
        waiting = await context.database.glance(lambda connection: look_around(connection, now))
        database, found = context.database, False
        for is_wanted, step in (
            (waiting.has_rechecks, partial(recheck_standings, context)),
            (waiting.has_due_events, partial(raise_due_events, database, now)),
            (waiting.has_waiting_events, partial(number_for_endpoints, database, now)),
            (waiting.has_challenges, self._start_challenges),
            (waiting.has_deliveries, self._start_sending),
        ):
            found |= is_wanted and await _try(step)
        return found

    async def finish(self) -> None:
        """Wait for everything that was started."""
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def close(self) -> None:
        """Give up what was started; another process, or the next start, sends it again."""
        for task in self._sending:
            task.cancel()
        await self.finish()

    async def _start_challenges(self) -> bool:
        due = await take_due_challenges(self._context)
        for org_id, endpoint_id in due:
            self._start(self._challenge(org_id, endpoint_id), (org_id, endpoint_id))
        return bool(due)

    async def _start_sending(self) -> bool:
        room = _AT_ONCE - len(self._sending)
        in_flight = Counter(self._sending.values())
        claims = await claim_due(self._context, in_flight=in_flight, room=room) if room > 0 else []
        for claim in claims:
            self._start(self._send(claim), claim.endpoint)
        return bool(claims)

    def _start(self, sending: Coroutine[Any, Any, None], endpoint: Key) -> None:
        task = asyncio.create_task(sending)
        self._sending[task] = endpoint
        task.add_done_callback(self._sending.pop)

    async def _challenge(self, org_id: str, endpoint_id: str) -> None:
        try:
            await challenge_endpoint(self._context, org_id, endpoint_id)
        except Exception as error:  # its next try is written already
            _log.warning("webhook_not_challenged", error=type(error).__name__)

    async def _send(self, claim: Claim) -> None:
        context = self._context
        try:
            outcome = await send_message(context.fetcher, claim.message, now=context.clock())
            chance = secrets.randbelow(_RESOLUTION) / _RESOLUTION
            async with context.database.transaction() as session:
                await record_outcome(session, claim, outcome, chance=chance, now=context.clock())
        except Exception as error:  # the lease ends, and it is sent again
            _log.warning("webhook_not_recorded", error=type(error).__name__)


async def _try(step: Callable[[], Awaitable[bool]]) -> bool:
    """Take a step; one that fails is tried again in the next round, and keeps none of the others waiting."""
    try:
        return await step()
    except Exception as error:
        _log.warning("events_not_advanced", error=type(error).__name__)
        return False


async def run_courier(context: Context) -> None:
    """Do it forever."""
    courier = Courier(context)
    try:
        while True:
            try:
                found = await courier.advance()
            except Exception as error:  # the next round goes on
                _log.warning("events_not_advanced", error=type(error).__name__)
                await asyncio.sleep(PAUSE_AFTER_ERROR_S)
            else:
                await asyncio.sleep(0 if found else PAUSE_S)
    finally:
        await courier.close()
