"""Statements that go to the driver as text behave as SQLAlchemy's own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Column, Date, LargeBinary, MetaData, String, Table, bindparam, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service.storage.prepared import execute_each, fetch_all
from service.storage.types import Amount, Instant, JsonColumn, Quantity

KINDS = Table(
    "kinds",
    MetaData(),
    Column("id", String, primary_key=True),
    Column("quantity", Quantity),
    Column("amount", Amount),
    Column("document", JsonColumn),
    Column("at", Instant),
    Column("day", Date),
    Column("sealed", LargeBinary),
)
SELECT = select(KINDS).where(KINDS.c.id.in_(bindparam("ids", expanding=True))).order_by(KINDS.c.id)


@dataclass(frozen=True)
class _Row:
    id: str
    quantity: int | None = None
    amount: Decimal | None = None
    document: Any = None
    at: datetime | None = None
    day: date | None = None
    sealed: bytes | None = None


ROWS = (
    _Row(
        "full",
        quantity=10**30,
        amount=Decimal("12.50"),
        document={"a": [1, {"b": "\u00e9"}]},
        at=datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=2))),
        day=date(2026, 11, 23),
        sealed=b"\0\1",
    ),
    _Row("empty"),
)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url, hide_parameters=True)
    async with engine.begin() as connection:
        await connection.run_sync(KINDS.metadata.create_all)
    yield engine
    await engine.dispose()


async def insert(connection: AsyncConnection, *rows: _Row) -> None:
    await execute_each(connection, INSERT, [dict(vars(row)) for row in rows])


INSERT = KINDS.insert()


@pytest.mark.parametrize("together", [True, False])
async def test_every_kind_of_column_is_written_and_read(engine: AsyncEngine, together: bool) -> None:
    async with engine.begin() as connection:
        for rows in [ROWS] if together else [(row,) for row in ROWS]:
            await insert(connection, *rows)
        read = [_Row(*row) for row in await fetch_all(connection, SELECT, {"ids": ["full", "empty", "none"]})]
        assert read == [_Row(*row) for row in (await connection.execute(SELECT, {"ids": ["full", "empty"]})).all()]
    assert read == [ROWS[1], ROWS[0]]
    assert read[1].at is not None
    assert read[1].at.tzinfo is UTC


async def test_what_is_rolled_back_was_not_written(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        transaction = await connection.begin()
        await insert(connection, *ROWS)
        await transaction.rollback()
    async with engine.connect() as connection:
        assert await fetch_all(connection, SELECT, {"ids": ["full"]}) == []


async def test_errors_are_those_of_sqlalchemy_and_name_no_value(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await insert(connection, ROWS[1])
    with pytest.raises(IntegrityError) as caught:
        async with engine.begin() as connection:
            await insert(connection, ROWS[0], ROWS[1])
    assert "SQL: INSERT INTO kinds" in str(caught.value)
    assert "12.50" not in str(caught.value)
    assert not caught.value.connection_invalidated


async def test_a_lost_connection_leaves_the_pool(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite's connections cannot be lost")
    victim, killer = create_async_engine(database_url), create_async_engine(database_url)
    try:
        async with victim.connect() as connection:
            pid = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
            async with killer.begin() as other:
                await other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
            with pytest.raises(DBAPIError) as caught:
                await fetch_all(connection, select(bindparam("one", type_=String)), {"one": "1"})
            assert caught.value.connection_invalidated
            assert connection.invalidated
        async with victim.connect() as connection:
            assert (await connection.exec_driver_sql("SELECT 1")).scalar_one() == 1
    finally:
        await victim.dispose()
        await killer.dispose()
