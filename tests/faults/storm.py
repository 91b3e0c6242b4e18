"""Many clients of several venues want the last places in one register, whatever happens to the processes."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2

from tests.faults.audit import Books, add_hints, check_acknowledged, check_counters, check_log, read_books
from tests.faults.checker import check_history
from tests.faults.clients import Desk
from tests.faults.estate import ISSUED, SECURITY, Estate
from tests.faults.history import Recorder, read_history
from tests.faults.processes import ServiceProcess
from tests.faults.register_model import Register

HOLDERS = f"/v1/securities/{SECURITY}/holders"
SEED = 20261123


@dataclass(frozen=True, slots=True)
class Plan:
    """How hard it blows.

    Attributes:
        cap: Holders that there may be.
        clients: At once, over all venues.
        refs: Investors of each venue who want in.
        late_refs: Investors who come to the first venue when it is over.
        settle_within: Seconds that a permit holds its place.
    """

    cap: int
    clients: int
    refs: Sequence[str]
    late_refs: Sequence[str]
    settle_within: int


@dataclass
class Storm:
    """Desks of every venue, and what their clients still have to do."""

    plan: Plan
    estate: Estate
    desks: Sequence[Desk]
    recorder: Recorder
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))

    async def blow(self, disturb: Callable[[], Awaitable[Any]]) -> None:
        """Let every investor ask once, and disturb when half of them have been answered."""
        half, answered = asyncio.Event(), 0
        waiting = [iter(self.plan.refs) for _ in self.desks]

        async def client(desk: Desk, refs: Iterator[str]) -> None:
            nonlocal answered
            for ref in refs:
                await self._trade(desk, ref)
                answered += 1
                if answered * 2 >= len(self.plan.refs) * len(self.desks):
                    half.set()

        async def disturber() -> None:
            await half.wait()
            await disturb()

        each = self.plan.clients // len(self.desks)
        clients = [client(desk, refs) for desk, refs in zip(self.desks, waiting, strict=True) for _ in range(each)]
        await asyncio.gather(disturber(), *clients)

    async def _trade(self, desk: Desk, ref: str) -> None:
        decision = await desk.decide(ref)
        if self.chance.random() < 0.1:
            await self.desks[0].read(HOLDERS)  # which a venue may not
        if decision is None or decision["outcome"] != "permit":
            return
        end = self.chance.choice((desk.settle, desk.settle, desk.void, None))
        if end is not None:
            await end(decision["id"])

    async def revoke(self, credential_id: str, ref: str) -> None:
        """Let the issuer revoke what an investor of the first venue has shown; retried as everything else is."""
        number = self.recorder.invoke("revoke", investor=self.desks[0].name_holder(ref))
        issuer = replace(self.desks[0], member=self.estate.members["accreditor"])
        await issuer.member.authorize(issuer.processes[-1])
        body = {"status": "revoked", "reason": "withdrawn"}
        answer = await issuer.persist("POST", f"/v1/credentials/{credential_id}/status", body, {})
        assert answer is not None
        assert answer.status_code == 200, answer.text
        self.recorder.ok(number, {})

    async def fill(self) -> int:
        """When every permit that nobody settled has expired, take what is left; return how many places that were."""
        await asyncio.sleep(self.plan.settle_within)
        desk, taken = self.desks[0], 0
        for ref in self.plan.late_refs:
            decision = await desk.decide(ref)
            assert decision is not None
            if decision["outcome"] != "permit":
                break
            assert await desk.settle(decision["id"]) == "settled"
            taken += 1
        return taken

    async def check(self) -> Books:
        """Compare database, log and counters with what clients were told, and explain the history."""
        books = await read_books(self.estate)
        operations = read_history(self.recorder.path)
        check_acknowledged(books, operations)
        check_log(books)
        check_counters(books)
        verified = await self.estate.command("log", "verify", "--database")
        assert verified["valid"], verified["problems"]
        added_up = await self.estate.command("reconcile")
        assert (added_up["securities"] > 0, added_up["differences"]) == (True, [])
        add_hints(self.recorder, operations, books)
        verdict = check_history(read_history(self.recorder.path), Register(self.plan.cap, ISSUED))
        assert verdict.order is not None, f"{verdict.complaint}; see {self.recorder.path}"
        return books


@asynccontextmanager
async def gathering_storm(estate: Estate, processes: Sequence[ServiceProcess], plan: Plan) -> AsyncIterator[Storm]:
    """Start the processes, set the cap, and let every client connect to every process."""
    async with AsyncExitStack() as closing:
        for each in processes:
            closing.push_async_callback(each.stop)
        await asyncio.gather(*(each.start() for each in processes))
        venues = [name for name in ("platform", "venue") if name in estate.members]
        await estate.open_market(processes[0].url, venues, cap=plan.cap, settle_within=plan.settle_within)
        limits = httpx2.Limits(max_connections=plan.clients)
        https = [
            await closing.enter_async_context(httpx2.AsyncClient(base_url=each.url, limits=limits))
            for each in processes
        ]
        for name in venues:
            await estate.members[name].authorize(https[0])
        recorder = Recorder(estate.folder / "history.jsonl")
        yield Storm(plan, estate, [Desk(estate.members[name], https, recorder) for name in venues], recorder)
