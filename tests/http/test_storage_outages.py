"""A database that cannot do its work is a 503 with Retry-After, whatever it says; then work goes on by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection, make_url

from service.keys import FileKeystore
from service.storage.database import POOL_SIZE, Database
from service.storage.migrate import check_schema, upgrade
from tests.deployment import Deployment, Member, running_deployment
from tests.postgres import PostgresServer

ASK = {"purpose": "us.506c"}


@pytest.fixture
async def on_postgres(postgres_url: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    async with running_deployment(postgres_url, tmp_path) as deployment:
        yield deployment


async def _ask(deployment: Deployment, platform: Member, key: str | None = None) -> int:
    """Write something; with an idempotency key on a connection of the pool, else on one that is kept at hand."""
    headers = await deployment.headers(platform, "verifier")
    headers |= {} if key is None else {"Idempotency-Key": key}
    answer = await deployment.http.post("/v1/presentation-requests", json=ASK, headers=headers)
    if answer.status_code != 201:
        assert answer.json()["code"] == "storage_unavailable"
        assert answer.headers["retry-after"] == "1"
    return answer.status_code


async def _verify(deployment: Deployment, platform: Member) -> int:
    access = await deployment.headers(platform, "verifier")
    answer = await deployment.http.post("/v1/verify", json={"credential": "a.b.c~"}, headers=access)
    return answer.status_code


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
        ("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
    ],
)
async def test_a_postgres_that_refuses(
    on_postgres: Deployment, postgres_server: PostgresServer, broken: str, mended: str
) -> None:
    platform = await on_postgres.add_organization("platform", "platform")
    assert await _ask(on_postgres, platform) == 201
    name = make_url(on_postgres.settings.database_url).database
    try:
        postgres_server.execute(f'ALTER DATABASE "{name}" {broken}')
        postgres_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        assert await _ask(on_postgres, platform) == 503
        assert await _verify(on_postgres, platform) in (200, 503)  # it only reads
    finally:
        postgres_server.execute(f'ALTER DATABASE "{name}" {mended}')
    postgres_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    await asyncio.sleep(0.1)  # the server's hanging up arrives as any other message does
    assert await _ask(on_postgres, platform) == 201


async def test_connections_that_the_server_closed_are_replaced(
    on_postgres: Deployment, postgres_server: PostgresServer
) -> None:
    platform = await on_postgres.add_organization("platform", "platform")
    assert await asyncio.gather(*(_ask(on_postgres, platform) for _ in range(4))) == [201] * 4
    assert await _verify(on_postgres, platform) == 200
    name = make_url(on_postgres.settings.database_url).database
    postgres_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    await asyncio.sleep(0.1)  # the server's hanging up arrives as any other message does
    assert await asyncio.gather(*(_ask(on_postgres, platform) for _ in range(4))) == [201] * 4
    assert await _verify(on_postgres, platform) == 200


@contextmanager
def _pragma(broken: str, mended: str) -> Iterator[None]:
    def run_pragma(connection: Connection) -> None:
        connection.connection.cursor().execute(f"PRAGMA {broken}")

    def undo_pragma(connection: Connection) -> None:
        connection.connection.cursor().execute(f"PRAGMA {mended}")

    listeners = {"begin": run_pragma, "commit": undo_pragma, "rollback": undo_pragma}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)  # a database has several engines
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


@pytest.mark.parametrize(
    ("broken", "mended"), [("query_only = 1", "query_only = 0"), ("max_page_count = 1", "max_page_count = 4294967294")]
)
@pytest.mark.parametrize("keyed", [True, False])
async def test_a_sqlite_that_is_read_only_or_full(
    sqlite_deployment: Deployment, broken: str, mended: str, keyed: bool
) -> None:
    platform = await sqlite_deployment.add_organization("platform", "platform")
    assert await _ask(sqlite_deployment, platform) == 201
    with _pragma(broken, mended):
        statuses = [await _ask(sqlite_deployment, platform, str(n) if keyed else None) for n in range(30)]
    assert 503 in statuses  # a full file has some room in its last pages
    assert set(statuses) <= {201, 503}
    assert await _ask(sqlite_deployment, platform) == 201


async def test_an_exhausted_pool(deployment: Deployment) -> None:
    platform = await deployment.add_organization("platform", "platform")
    await deployment.headers(platform, "verifier")
    held = [await deployment.context.database.engine.connect() for _ in range(POOL_SIZE)]
    assert await _ask(deployment, platform, "first") == 503
    for connection in held:
        await connection.close()
    assert await _ask(deployment, platform, "first") == 201


async def test_two_migrations_at_once(database_url: str, tmp_path: Path) -> None:
    databases, wrapper = [Database(database_url) for _ in range(3)], FileKeystore(tmp_path / "keys", "p")
    await asyncio.gather(*(upgrade(database, wrapper) for database in databases))
    for database in databases:
        await check_schema(database)
        await database.close()
