"""A database that is full, read-only, locked or out of connections: deny or 503, and work goes on afterwards."""

import asyncio
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from tests.faults.cluster import Cluster
from tests.faults.estate import Estate
from tests.faults.probing import PROMPT_S, READY_S, Probe, probing
from tests.faults.processes import ServiceProcess
from tests.faults.scale import LONG
from tests.faults.stepped_service import STEPPED
from tests.requirements_support import require_or_skip

OUTAGES = {"storage_unavailable", "storage_busy"}
ROOM_BYTES = 64 * 1024


@contextmanager
def full_disk(process: ServiceProcess, wal: Path) -> Iterator[None]:
    """Let no file of a process grow much beyond what the write-ahead log has: a quota, as a full disk is one."""
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size + ROOM_BYTES, hard))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can set the quota of a running process")
async def test_a_full_disk(sqlite_market: Estate) -> None:
    process = sqlite_market.process()
    wal = Path(sqlite_market.database_url.removeprefix("sqlite+aiosqlite:///") + "-wal")
    async with probing(sqlite_market, process) as probe:
        assert await probe.ask(2) == ["permit"] * 2
        with full_disk(process, wal):
            said = await probe.ask(30, at_once=4)
        assert set(said) <= {"permit"} | OUTAGES
        assert OUTAGES & set(said), "the disk was never full"
        assert await _ask_again(probe) == ["permit"] * 3
        await probe.check()


@pytest.mark.skipif(not LONG, reason="mounts a file system: make faults")
async def test_a_full_disk_of_its_own(sqlite_market: Estate, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=_count_megabytes(sqlite_market.folder) + 2) as grow:
        folder = tmp_path / "disk" / "estate"
        market = sqlite_market.copy_to(folder, f"sqlite+aiosqlite:///{folder / 'data' / 'goodstanding.sqlite3'}")
        async with probing(market, market.process(), history=tmp_path / "history.jsonl") as probe:
            said = await probe.ask(100, at_once=4)
            assert set(said) <= {"permit"} | OUTAGES
            assert OUTAGES & set(said), "the disk was never full"
            await asyncio.to_thread(grow)
            assert await _ask_again(probe) == ["permit"] * 3
            await probe.check()


@contextmanager
def small_disk(path: Path, *, megabytes: int) -> Iterator[Callable[[], None]]:
    """Mount a file system of this size; yield what makes it large."""
    path.mkdir()
    try:
        _mount("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path))
    except (subprocess.CalledProcessError, FileNotFoundError):
        require_or_skip("the right to mount", "mount -t tmpfs was refused")
    try:
        yield lambda: _mount("mount", "-o", "remount,size=500m", str(path))
    finally:
        _mount("umount", str(path))


def _mount(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _count_megabytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) // 2**20


async def test_a_read_only_sqlite_file(sqlite_market: Estate) -> None:
    path = make_url(sqlite_market.database_url).database
    assert path is not None
    read_only = sqlite_market.with_database(f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true")
    process = read_only.process(command=STEPPED)  # serve itself would not start on a file that it cannot write
    with closing(sqlite3.connect(path)) as writer:  # whose log the readers need
        writer.execute("SELECT count(*) FROM security").fetchone()
        async with probing(read_only, process) as probe:
            assert set(await probe.ask(5)) <= OUTAGES
            assert probe.slowest() < PROMPT_S
    async with probing(sqlite_market, sqlite_market.process()) as probe:
        assert await probe.ask(3) == ["permit"] * 3
        await probe.check()


async def test_a_postgres_that_takes_no_writes(postgres_market: Estate, cluster: Cluster) -> None:
    name = make_url(postgres_market.database_url).database
    async with probing(postgres_market, postgres_market.process()) as probe:
        assert await probe.ask(2) == ["permit"] * 2
        _alter(cluster, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on', name)
        assert set(await probe.ask(5)) <= OUTAGES
        assert probe.slowest() < PROMPT_S
        _alter(cluster, f'ALTER DATABASE "{name}" RESET default_transaction_read_only', name)
        assert await _ask_again(probe) == ["permit"] * 3
        await probe.check()


async def test_a_postgres_without_connections_to_give(postgres_market: Estate, cluster: Cluster) -> None:
    url = make_url(postgres_market.database_url).set(drivername="postgresql")
    async with probing(postgres_market, postgres_market.process()) as probe, AsyncExitStack() as taken:
        assert await probe.ask(2) == ["permit"] * 2
        await _take_all_connections(taken, cluster, url)
        assert set(await probe.ask(5)) <= OUTAGES
        assert probe.slowest() < PROMPT_S
        await taken.aclose()
        assert await _ask_again(probe) == ["permit"] * 3
        await probe.check()


async def _take_all_connections(taken: AsyncExitStack, cluster: Cluster, url: URL) -> None:
    """Take every connection that the server has, those of the service as well."""
    dsn = url.render_as_string(hide_password=False)
    first = await asyncpg.connect(dsn)
    taken.push_async_callback(first.close)
    others = "FROM pg_stat_activity WHERE datname = $1 AND application_name <> 'taker'"
    for _ in range(100):
        await first.execute("SET application_name = 'taker'")
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                one = await asyncpg.connect(dsn, server_settings={"application_name": "taker"})
                taken.push_async_callback(one.close)
        if await first.fetchval(f"SELECT count(*) {others}", url.database) == 0:
            return
        await first.execute(f"SELECT pg_terminate_backend(pid) {others}", url.database)
    raise AssertionError("the service always has a connection")


async def test_a_pool_of_connections_that_all_hang(postgres_market: Estate) -> None:
    url = make_url(postgres_market.database_url).set(drivername="postgresql")
    async with probing(postgres_market, postgres_market.process()) as probe:
        [known] = [decision["id"] for decision in [await probe.desk.decide("investor-499")] if decision]
        blocker = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE transfer IN ACCESS EXCLUSIVE MODE")
                reads = (
                    probe.desk.attempt(probe.https[0], "GET", f"/v1/transfers/{known}", None, {}) for _ in range(40)
                )
                answers, said = await asyncio.gather(asyncio.gather(*reads), probe.ask(1))
        finally:
            await blocker.close()
        assert {answer.status_code for answer in answers if answer} == {503}
        assert set(said) <= OUTAGES
        assert {each.code for each in probe.desk.attempts} > OUTAGES
        assert await _ask_again(probe) == ["permit"] * 3
        await probe.check()


async def _ask_again(probe: Probe) -> list[str]:
    """Ask until the fault is over for the service too, then three times."""
    async with asyncio.timeout(READY_S):
        while await probe.ask(1) != ["permit"]:
            pass
    return await probe.ask(3)


def _alter(cluster: Cluster, statement: str, database: str | None) -> None:
    """Change a setting, and end the connections that have the old one."""
    cluster.server.execute(statement)
    cluster.server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
