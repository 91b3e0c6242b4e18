"""Ask a faulty deployment, and judge how it answers: deny or 503, soon, and never a permit that is not kept."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.faults.audit import Books, check_acknowledged, check_counters, check_log, read_books
from tests.faults.clients import Desk
from tests.faults.estate import Estate
from tests.faults.history import Recorder, read_history
from tests.faults.processes import ServiceProcess
from tests.faults.scale import REFS

PROMPT_S = 2.0
READY_S = 5.0


@dataclass
class Probe:
    """One desk that asks without patience, each time for another investor, at the processes of a deployment."""

    estate: Estate
    desk: Desk
    https: Sequence[httpx2.AsyncClient]
    _next: Any = field(default_factory=lambda: iter(REFS))

    async def ask(self, count: int, *, at_once: int = 1) -> list[str]:
        """Return what ``count`` purchases came to: ``permit``, ``deny`` or the code of a problem."""
        said = list[str]()
        while len(said) < count:
            said += await asyncio.gather(*(self._ask() for _ in range(min(at_once, count - len(said)))))
        return said

    async def _ask(self) -> str:
        before = len(self.desk.attempts)
        decision = await self.desk.decide(next(self._next))
        return str(decision["outcome"]) if decision else self.desk.attempts[before].code

    def slowest(self) -> float:
        """Return how many seconds the slowest answer took that was ever given."""
        return max(each.seconds for each in self.desk.attempts)

    async def check(self) -> Books:
        """Compare what is on record with what was told."""
        books = await read_books(self.estate)
        check_acknowledged(books, read_history(self.desk.recorder.path))
        check_log(books)
        check_counters(books)
        return books


@asynccontextmanager
async def probing(estate: Estate, *processes: ServiceProcess, history: Path | None = None) -> AsyncIterator[Probe]:
    """Start the processes and open a desk that tries each request once and records it in a file."""
    async with AsyncExitStack() as closing:
        for each in processes:
            closing.push_async_callback(each.stop)
        await asyncio.gather(*(each.start() for each in processes))
        https = [await closing.enter_async_context(httpx2.AsyncClient(base_url=each.url)) for each in processes]
        desk = Desk(
            estate.members["platform"], https, Recorder(history or estate.folder / "history.jsonl"), patience_s=0
        )
        await desk.member.authorize(https[0])
        yield Probe(estate, desk, https)
