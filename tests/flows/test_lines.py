"""Pieces of work off the ORM: kept if they end well and are committed, gone otherwise, alike on both databases."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, UpdateBase, bindparam, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import NotFoundError
from service.storage import database as storage
from service.storage.database import Database
from service.storage.prepared import execute_together, fetch_all
from service.storage.together import read_together

COUNT = text("SELECT count(*) AS number FROM marks").columns(number=Integer)
PID = text("SELECT pg_backend_pid() AS pid").columns(pid=Integer)
MARKS = Table("marks", MetaData(), Column("id", Integer))
IDS = select(MARKS.c.id)
CHANGE = MARKS.update().where(MARKS.c.id == bindparam("old")).values(id=bindparam("new"))
ADD = text("INSERT INTO marks VALUES (1)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE marks (id INTEGER)"))
    yield database
    await database.close()


async def count(connection: AsyncConnection) -> int:
    [[number]] = await fetch_all(connection, COUNT, {})
    return int(number)


async def add(connection: AsyncConnection) -> None:
    await connection.execute(ADD)


async def read_pid(connection: AsyncConnection) -> int:
    [[pid]] = await fetch_all(connection, PID, {})
    return int(pid)


async def test_what_is_written_is_seen_when_it_is_committed(database: Database) -> None:
    async def work(connection: AsyncConnection) -> tuple[int, int]:
        await add(connection)
        return await count(connection), await database.glance(count)

    assert await database.write(work) == (1, 0)
    assert await database.glance(count) == 1


def plan(*added: int, change: dict[int, int]) -> list[tuple[UpdateBase, list[dict[str, int]]]]:
    return [
        (MARKS.insert(), [{"id": each} for each in added]),
        (CHANGE, [{"old": old, "new": new} for old, new in change.items()]),
    ]


@pytest.mark.parametrize("number", [2, 40])  # few go together, many do not
async def test_changes_of_several_kinds_are_all_made(database: Database, number: int) -> None:
    async def read(connection: AsyncConnection) -> list[int]:
        return sorted(row[0] for row in await fetch_all(connection, IDS, {}))

    await database.write(partial(execute_together, changes=plan(*range(number), change={})))
    planned = plan(100, 200, change={each: -each for each in range(1, number)})
    await database.write(partial(execute_together, changes=planned))
    assert await database.glance(read) == sorted([100, 200, *(-each for each in range(number))])


async def test_of_changes_one_of_which_fails_none_is_made(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE UNIQUE INDEX once ON marks (id)"))
    await database.write(add)
    with pytest.raises(IntegrityError):
        await database.write(partial(execute_together, changes=plan(2, 1, change={3: 5})))
    assert await database.glance(count) == 1


@pytest.mark.parametrize("error", [NotFoundError, ZeroDivisionError])
async def test_work_that_fails_leaves_nothing(database: Database, error: type[Exception]) -> None:
    async def work(connection: AsyncConnection) -> None:
        await add(connection)
        raise error

    with pytest.raises(error):
        await database.write(work)
    assert await database.glance(count) == 0
    await database.write(add)
    assert await database.glance(count) == 1


async def test_a_statement_that_fails_leaves_nothing_and_is_sqlalchemys(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await add(connection)
        await fetch_all(connection, text("SELECT * FROM nothing").columns(), {})

    with pytest.raises(DBAPIError, match="SELECT"):
        await database.write(work)
    await database.write(add)
    assert await database.glance(count) == 1


async def test_work_that_is_given_up_leaves_nothing(database: Database) -> None:
    begun = asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await add(connection)
        begun.set()
        await asyncio.sleep(60)

    working = asyncio.create_task(database.write(work))
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await database.write(add)
    assert await database.glance(count) == 1


async def test_who_gives_up_during_the_commit_leaves_the_connection_in_order(database: Database) -> None:
    for turns in range(8):
        working = asyncio.create_task(database.write(add))
        for _ in range(turns):
            await asyncio.sleep(0)
        working.cancel()
        await asyncio.wait([working])
    before = await database.glance(count)
    await database.write(add)
    assert await database.glance(count) == before + 1


async def test_a_writer_waits_for_another_process_and_not_for_ever(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_MS", 200)
    database = Database(sqlite_url)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE marks (id INTEGER)")
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(database.write(add))
        await asyncio.sleep(0.05)  # the event loop is free meanwhile
        assert not waiting.done()
        other.execute("COMMIT")
        await waiting
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            await database.write(add)
        other.execute("ROLLBACK")
    await database.write(add)
    assert await database.glance(count) == 2
    await database.close()


async def test_a_lost_connection_is_replaced(postgres_url: str) -> None:
    database = Database(postgres_url)
    pids = {await database.glance(read_pid), await database.write(read_pid)}

    async def hang_up(connection: AsyncConnection) -> None:
        for pid in pids:
            await connection.execute(select(text(f"pg_terminate_backend({pid})")))

    killer = Database(postgres_url)
    await killer.write(hang_up)
    await killer.close()
    await asyncio.sleep(0.1)  # the server's hanging up arrives as any other message does
    assert {await database.glance(read_pid), await database.write(read_pid)}.isdisjoint(pids)
    await database.close()


async def test_a_refusal_costs_no_connection(postgres_url: str) -> None:
    database = Database(postgres_url)

    async def refuse(connection: AsyncConnection) -> None:
        await read_pid(connection)
        raise NotFoundError

    for do in (database.glance, database.write):
        pid = await do(read_pid)
        with pytest.raises(NotFoundError):
            await do(refuse)
        assert await do(read_pid) == pid
    await database.close()


async def test_what_is_read_together_is_what_each_would_have_read_alone(database: Database) -> None:
    least = select(MARKS.c.id).where(MARKS.c.id >= bindparam("least")).order_by(MARKS.c.id)

    async def list_from(connection: AsyncConnection, first: int) -> list[int]:
        return [number for (number,) in await fetch_all(connection, least, {"least": first})]

    async def list_twice(connection: AsyncConnection) -> tuple[tuple[list[int], ...], list[int]]:
        both = await read_together(connection, partial(list_from, first=3), partial(list_from, first=2))
        return both, await list_from(connection, both[0][0] - 2)

    await database.write(partial(execute_together, changes=plan(1, 2, 3, change={})))
    found = await database.glance(partial(_read_both, one=partial(list_from, first=9), other=list_twice))
    assert found == ([], (([3], [2, 3]), [1, 2, 3]))


async def _read_both(connection: AsyncConnection, one: Any, other: Any) -> Any:
    return await read_together(connection, one, other)


async def test_a_read_that_fails_ends_those_that_it_is_together_with(database: Database) -> None:
    async def refuse(connection: AsyncConnection) -> int:
        await count(connection)
        raise NotFoundError

    with pytest.raises(NotFoundError):
        await database.glance(partial(_read_both, one=count, other=refuse))
    assert await database.glance(count) == 0
