"""Fixtures that every folder of tests shares."""

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from service.keys import FileKeystore
from service.storage.database import Database
from service.storage.migrate import upgrade
from tests.deployment import Deployment
from tests.foreign_issuer import ForeignIssuer, running_foreign_issuer
from tests.postgres import PostgresServer, running_postgres
from tests.prepared import Original, Originals, running_copy

_LONG = (
    "/faults/",
    "/interop/",
    "/browser/",
    "_cli.py",
    "test_backup",
    "test_readme",
    "test_past_register",
    "test_properties",
)


_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30


def pytest_xdist_auto_num_workers() -> int:
    """Run three processes on two cores: long tests wait for services, browsers and databases as often as they work."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_configure() -> None:
    """Keep the run's files in memory where there is room: thousands of databases would wait for a disk."""
    if "TMPDIR" in os.environ or not _IN_MEMORY.is_dir() or shutil.disk_usage(_IN_MEMORY).free < _ROOM_BYTES:
        return
    os.environ["TMPDIR"] = str(_IN_MEMORY)
    tempfile.tempdir = None  # read anew


def pytest_collection() -> None:
    """Look for no garbage while modules and tests are read, all of which stay: it took a quarter of that time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Let no later search for garbage walk over what was collected."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first: at the end of a run, no process is left alone with one of them."""
    items.sort(key=lambda item: not any(each in item.path.as_posix() for each in _LONG))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The run's own PostgreSQL cluster, started for the first test that asks."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """SQLAlchemy URL of an empty database; the test runs once on each kind that we support."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'goodstanding.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.temporary_database() as url:
        yield url


def _migrate(url: str, keystore_dir: Path) -> None:
    async def run() -> None:
        database = Database(url)
        await upgrade(database, FileKeystore(keystore_dir, "p"))
        await database.close()

    asyncio.run(run())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, copied for each test."""
    path = tmp_path_factory.mktemp("template") / "goodstanding.sqlite3"
    _migrate(f"sqlite+aiosqlite:///{path}", path.parent / "keys")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a migrated PostgreSQL database, copied for each test."""
    with postgres_server.temporary_database() as url:
        _migrate(url, tmp_path_factory.mktemp("keys"))
        yield url.rsplit("/", 1)[1]


@pytest.fixture(scope="session")
def originals() -> Originals:
    """What fixtures have prepared in this process, copied for each test."""
    return Originals()


@pytest.fixture
def sqlite_original(
    request: pytest.FixtureRequest,
    originals: Originals,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Original | None:
    """What the test's deployment on SQLite is a copy of, if it asks for something prepared."""

    def make_place() -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp("original")
        return f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, folder)}", folder

    return originals.find(request, "sqlite", make_place)


@pytest.fixture
def postgresql_original(
    request: pytest.FixtureRequest,
    originals: Originals,
    postgres_server: PostgresServer,
    postgres_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Original | None:
    """What the test's deployment on PostgreSQL is a copy of, if it asks for something prepared."""

    def make_place() -> tuple[str, Path]:
        return postgres_server.make_database(postgres_template), tmp_path_factory.mktemp("original")

    return originals.find(request, "postgresql", make_place)


@pytest.fixture
def sqlite_url(sqlite_template: Path, sqlite_original: Original | None, tmp_path: Path) -> str:
    """URL of a SQLite database of the test's own: migrated, and prepared where the test asks for it."""
    path = tmp_path / "goodstanding.sqlite3"
    shutil.copy(sqlite_original.database if sqlite_original else sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgres_url(
    postgres_server: PostgresServer, postgres_template: str, postgresql_original: Original | None
) -> Iterator[str]:
    """URL of a PostgreSQL database of the test's own: migrated, and prepared where the test asks for it."""
    template = postgresql_original.database if postgresql_original else postgres_template
    with postgres_server.temporary_database(template=template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """URL of a migrated database; the test runs once on each kind that we support."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database, on both kinds."""
    database = Database(migrated_url)
    yield database
    await database.close()


@pytest.fixture
def original(request: pytest.FixtureRequest, migrated_url: str) -> Original | None:
    """What the test's deployment is a copy of, if it asks for something prepared."""
    found: Original | None = request.getfixturevalue(f"{make_url(migrated_url).get_backend_name()}_original")
    return found


@pytest.fixture
async def deployment(migrated_url: str, original: Original | None, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A whole deployment, on both kinds of database."""
    async with running_copy(original, migrated_url, tmp_path) as running:
        yield running


@pytest.fixture
async def sqlite_deployment(
    sqlite_url: str, sqlite_original: Original | None, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """A whole deployment on SQLite, for tests of the HTTP surface."""
    async with running_copy(sqlite_original, sqlite_url, tmp_path) as running:
        yield running


@pytest.fixture
async def abroad() -> AsyncIterator[ForeignIssuer]:
    """An issuer outside the deployment."""
    async with running_foreign_issuer() as issuer:
        yield issuer
