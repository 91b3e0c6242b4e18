"""Where requests to the gate meet: what arrives while a batch is running is the next batch. A lone one never waits.

Source: design.md section 3, "The gate's hot path".
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import UnavailableError
from service.gate.batch import Ask, Closing, Decision, Result, run_batch
from service.gate.material import Question
from service.gate.register_reading import VersionCache
from service.gate.reservations import SETTLED, VOID
from service.gate.settlement import Ended, require_state, settle_in_turn, void_in_turn
from service.gate.transfer_models import TransferRequest
from service.gate.transfers import Decided
from service.gate.turn import Turn
from service.storage.database import Database, is_outage
from service.web.context import Context

LARGEST_BATCH = 128
"""Beyond this, more requests save little, and the first of them would wait for the last."""


class Pipeline:
    """One process's queue before a database, which it does not keep alive."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Ask, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self.cache = VersionCache()

    async def submit(self, context: Context, ask: Ask) -> Any:
        """Wait for the answer to a request. Who gives up waiting does not take the request back.

        Raises:
            ServiceError: What it deserves, or the database could not be reached.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(context))
        result = await asyncio.shield(future)
        if isinstance(result, BaseException):
            raise result
        return result

    async def _work(self, context: Context) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_BATCH))]
            results = await self._run(context, [ask for ask, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    async def _run(self, context: Context, asks: Sequence[Ask]) -> list[Result]:
        """Run a batch; if it fails as a whole, each request alone, so that none fails for another's sake.

        A lone one, too, is run again: another process may have been first to use its key just then.
        """
        try:
            return await self._run_once(context, asks)
        except Exception as error:  # answered to whoever asked, who raises it
            if _is_everybodys(error):
                return [error] * len(asks)
        results: list[Result] = []
        for ask in asks:
            try:
                results += await self._run_once(context, [ask])
            except Exception as error:  # as above
                if _is_everybodys(error):
                    return [*results, *[error] * (len(asks) - len(results))]
                results.append(error)
        return results

    async def _run_once(self, context: Context, asks: Sequence[Ask]) -> list[Result]:
        async def work(connection: AsyncConnection) -> list[Result]:
            return await run_batch(connection, context, self.cache, asks)

        return await context.database.write(work)


def _is_everybodys(error: Exception) -> bool:
    """Tell whether another attempt would fail in the same way, whoever asks."""
    kinds = UnavailableError, OSError, OperationalError, InterfaceError, PoolTimeoutError
    return isinstance(error, kinds) or (isinstance(error, DBAPIError) and is_outage(error))


_pipelines: WeakKeyDictionary[Database, Pipeline] = WeakKeyDictionary()


def pipeline_of(context: Context) -> Pipeline:
    """Return the one pipeline before a database in this process."""
    pipeline = _pipelines.get(context.database)
    if pipeline is None:
        pipeline = _pipelines[context.database] = Pipeline()
    return pipeline


async def decide_transfer(context: Context, org_id: str, request: TransferRequest, *, key: str) -> Decided:
    """Decide, reserve, record and sign; or return what the same key decided before.

    Args:
        org_id: The caller: registrar of the security, or a venue with a grant.
        key: Idempotency key, unique within the organisation.

    Raises:
        IdempotencyKeyReusedError: The key belongs to another request.
        NotFoundError: Unknown security or offering.
        InvalidInputError: The request contradicts itself or the security.
        ClockBehindError: See ``code``; nothing is decided.
    """
    decided: Decided = await pipeline_of(context).submit(context, Decision(org_id, request, key))
    return decided


async def settle_transfer(context: Context, org_id: str, transfer_id: str, *, reference: str, sees_all: bool) -> Ended:
    """Turn a reservation into lots, if everything still holds; settling again changes nothing.

    Args:
        sees_all: Whether the caller may see AML and sanctions reasons of a refusal.

    Raises:
        NotFoundError: The caller asked for no such transfer.
        NoReservationError, ReservationEndedError, SettlementRefusedError: See ``code``.
    """

    async def act(turn: Turn, question: Question) -> Ended:
        return await settle_in_turn(turn, question, reference=reference, sees_all=sees_all)

    return require_state(await pipeline_of(context).submit(context, Closing(org_id, transfer_id, act)), SETTLED)


async def void_transfer(context: Context, org_id: str, transfer_id: str, *, reason: str) -> Ended:
    """Give a reservation up; voiding again changes nothing.

    Raises:
        NotFoundError: The caller asked for no such transfer.
        NoReservationError, ReservationEndedError: See ``code``.
    """

    async def act(turn: Turn, question: Question) -> Ended:
        return await void_in_turn(turn, question, reason=reason)

    return require_state(await pipeline_of(context).submit(context, Closing(org_id, transfer_id, act)), VOID)
