"""Markets that are set up once for a run of tests, and copied for each."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.cluster import Cluster, running_cluster
from tests.faults.estate import Estate, prepare_market
from tests.faults.scale import REFS

CopyMarket = Callable[[], Estate]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL cluster that tests may kill, if they start it again."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_estate(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with cluster.server.temporary_database() as url:
        folder = tmp_path_factory.mktemp("original") / "estate"
        yield asyncio.run(prepare_market(folder, url, REFS, "platform", "venue"))


@pytest.fixture
def postgres_market(cluster: Cluster, postgres_estate: Estate, tmp_path: Path) -> Iterator[Estate]:
    """A registrar and a venue on a PostgreSQL database of the test's own."""
    template = postgres_estate.database_url.rpartition("/")[2]
    with cluster.server.temporary_database(template=template) as url:
        yield postgres_estate.copy_to(tmp_path / "estate", url)


@pytest.fixture(scope="session")
def sqlite_estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder = tmp_path_factory.mktemp("original") / "estate"
    return asyncio.run(prepare_market(folder, _sqlite_url(folder), REFS, "platform"))


@pytest.fixture
def sqlite_market(sqlite_estate: Estate, tmp_path: Path) -> Estate:
    """A registrar on a SQLite file of the test's own."""
    folder = tmp_path / "estate"
    return sqlite_estate.copy_to(folder, _sqlite_url(folder))


def _sqlite_url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'data' / 'goodstanding.sqlite3'}"
