"""Fixtures that every folder of tests shares."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer, running_postgres


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
