"""A thousand investors want a hundred places, two processes and two venues give them out, and one process dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.estate import Estate
from tests.faults.polling import poll_holders
from tests.faults.scale import LATE_REFS, REFS
from tests.faults.storm import Plan, gathering_storm
from tests.faults.stranger import check_log_from_outside
from tests.faults.watcher import list_commits, start_watching, stop_watching


@asynccontextmanager
async def watched(url: str) -> AsyncIterator[None]:
    await start_watching(url)
    try:
        yield
    finally:
        await stop_watching(url)


async def test_two_processes_two_venues_one_dies(postgres_market: Estate, tmp_path: Path) -> None:
    dying, surviving = postgres_market.process(), postgres_market.process()
    plan = Plan(cap=100, clients=64, refs=REFS, late_refs=LATE_REFS, settle_within=10)
    url = postgres_market.database_url
    async with watched(url), gathering_storm(postgres_market, [dying, surviving], plan) as storm:
        accreditation = await postgres_market.admit(surviving.url, "platform", "fickle")

        async def disturb() -> None:
            await dying.kill()
            desk = storm.desks[0]
            asked = [desk.decide("fickle") for _ in range(4)]
            await asyncio.gather(storm.revoke(accreditation, "fickle"), *asked)
            last = await desk.decide("fickle")
            assert last is None or last["outcome"] == "deny"

        await storm.blow(disturb)
        await storm.fill()
        books = await storm.check()
        commits = await list_commits(url)
        assert max(each.settled + each.promised for each in commits) == plan.cap
        assert commits[-1].settled == plan.cap == books.head.holders
        assert "log_not_advanced" not in surviving.read_log(), "two sequencers were in each other's way"
        await check_log_from_outside(surviving.url, url, tmp_path)  # last, as a machine without Go skips from here


async def test_one_process_on_sqlite_dies_while_it_writes_and_starts_again(sqlite_market: Estate) -> None:
    process = sqlite_market.process()
    plan = Plan(cap=10, clients=16, refs=REFS[:100], late_refs=LATE_REFS, settle_within=5)

    async def disturb() -> None:
        await process.kill()
        await process.start()

    async with (
        gathering_storm(sqlite_market, [process], plan) as storm,
        poll_holders(sqlite_market.database_url) as commits,
    ):
        await storm.blow(disturb)
        await storm.fill()
        books = await storm.check()
    assert max(each.settled + each.promised for each in commits) == plan.cap
    assert commits[-1].settled == plan.cap == books.head.holders
