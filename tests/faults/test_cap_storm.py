"""A thousand investors want a hundred places, two processes and two venues give them out, and one process dies."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster, running_cluster
from tests.faults.estate import prepare_estate
from tests.faults.processes import ServiceProcess
from tests.faults.storm import Plan, gathering_storm
from tests.faults.watcher import list_commits, start_watching, stop_watching

CAP = 100


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(cluster: Cluster) -> Iterator[str]:
    with cluster.server.temporary_database() as url:
        yield url


@asynccontextmanager
async def running(*processes: ServiceProcess) -> AsyncIterator[None]:
    try:
        await asyncio.gather(*(each.start() for each in processes))
        yield
    finally:
        await asyncio.gather(*(each.stop() for each in processes))


@asynccontextmanager
async def watched(url: str) -> AsyncIterator[None]:
    await start_watching(url)
    try:
        yield
    finally:
        await stop_watching(url)


def _plan(cap: int, wanting: int, *, clients: int) -> Plan:
    refs, late = [f"investor-{n}" for n in range(wanting)], [f"late-{n}" for n in range(cap + 1)]
    return Plan(cap=cap, clients=clients, refs=refs, late_refs=late, settle_within=10)


async def test_two_processes_two_venues_one_dies(postgres_url: str, tmp_path: Path) -> None:
    estate = await prepare_estate(tmp_path / "estate", postgres_url, with_venue=True)
    dying, surviving = estate.process(), estate.process()
    plan = _plan(CAP, 120, clients=64)
    async with (
        running(dying, surviving),
        gathering_storm(estate, [dying, surviving], plan) as storm,
        watched(postgres_url),
    ):
        await storm.blow(dying.kill)
        await storm.fill()
        books = await storm.check()
        commits = await list_commits(postgres_url)
        assert max(each.settled + each.promised for each in commits) == CAP
        assert commits[-1].settled == CAP == books.head.holders
