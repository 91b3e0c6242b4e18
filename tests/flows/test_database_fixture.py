"""The databases that tests run on: empty at the start, transactional, and apart from each other."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tests.postgres import PostgresServer


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url)
    yield engine
    await engine.dispose()


async def table_names(connection: AsyncConnection) -> list[str]:
    return await connection.run_sync(lambda sync: inspect(sync).get_table_names())


@pytest.mark.parametrize("attempt", [1, 2])
async def test_database_starts_empty_and_keeps_what_was_committed(engine: AsyncEngine, attempt: int) -> None:
    async with engine.begin() as connection:
        assert await table_names(connection) == []
        await connection.execute(text("CREATE TABLE lots (quantity INTEGER NOT NULL)"))
        await connection.execute(text("INSERT INTO lots VALUES (:quantity)"), {"quantity": attempt})

    async with engine.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(text("DELETE FROM lots"))
        await transaction.rollback()

    async with engine.connect() as connection:
        assert (await connection.scalars(text("SELECT quantity FROM lots"))).all() == [attempt]


async def test_template_gives_a_copy_that_is_apart_from_it(postgres_server: PostgresServer) -> None:
    with postgres_server.temporary_database() as template_url:
        await execute(template_url, "CREATE TABLE lots AS SELECT 7 AS quantity")
        with postgres_server.temporary_database(template=template_url.rsplit("/", 1)[1]) as copy_url:
            await execute(copy_url, "UPDATE lots SET quantity = 8")
        assert await execute(template_url, "UPDATE lots SET quantity = quantity RETURNING quantity") == 7


async def execute(url: str, statement: str) -> object:
    """Run one statement on a connection that is closed afterwards; return the first value, if it gives rows."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        value = result.scalar() if result.returns_rows else None
    await engine.dispose()
    return value
