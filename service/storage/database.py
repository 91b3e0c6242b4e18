"""Engine and transactions, alike on SQLite and PostgreSQL.

A use case runs inside ``async with database.transaction() as session``; leaving the block commits, and a failed
commit raises before any answer is built. Reads that change nothing use ``database.reading()``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import UnavailableError
from service.storage.postgres_line import PostgresLine
from service.storage.sqlite_line import SqliteLine, Work
from service.storage.sqlite_tuning import BUSY_TIMEOUT_MS, tune_sqlite

_T = TypeVar("_T")
# No overflow: connections beyond the pool would be opened and closed by every burst, which costs more than waiting.
POOL_SIZE = 16
POOL_TIMEOUT_S = 2.0  # an exhausted pool answers 503 within this time
STATEMENTS_KEPT = 1_000  # some tens of statements, most of them for several lengths of a list
STATEMENT_TIMEOUT_S = 10.0  # a server that hangs is a 503 too; the longest waits are for a security's row
_POSTGRES_ARGUMENTS = {
    "timeout": POOL_TIMEOUT_S,
    "command_timeout": STATEMENT_TIMEOUT_S,
    "prepared_statement_cache_size": STATEMENTS_KEPT,
    "statement_cache_size": STATEMENTS_KEPT,  # of statements that go straight to the driver
}
# PostgreSQL's classes of errors that say something of the server and nothing of the statement: no connection, read
# only (a standby), password or database gone, deadlock, no resources, shutting down or starting up, disk.
_OUTAGES = ("08", "25006", "28", "3D", "40", "53", "55", "57", "58")
_SQLITE_DUPLICATES = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")


def is_outage(error: DBAPIError) -> bool:
    """Tell whether the database could not do its work, so that the same request may succeed later.

    Source: PostgreSQL, appendix A, "Error codes".
    """
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_OUTAGES)


def is_duplicate(error: DBAPIError) -> bool:
    """Tell whether a row with the same key was there already.

    Source: PostgreSQL, appendix A, "Error codes"; SQLite, "Result and Error Codes".
    """
    name = getattr(error.orig, "sqlite_errorname", None)
    return getattr(error.orig, "sqlstate", None) == "23505" or name in _SQLITE_DUPLICATES


class StorageBusyError(UnavailableError):
    """Every connection was in use for too long."""

    code = "storage_busy"


def _replace_closed_connections(engine: Engine) -> None:
    """Let the pool connect again where the server has hung up, which its socket tells.

    Asking the server each time (``pool_pre_ping``) is three more round trips, most of the cost of a short reading.
    """

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("The server has closed the connection.")


def _create_engine(url: str) -> AsyncEngine:
    # Parameters stay hidden: the text of a database error ends up in logs.
    if url.startswith("sqlite"):
        engine = create_async_engine(
            url, pool_timeout=POOL_TIMEOUT_S, pool_size=POOL_SIZE, max_overflow=0, hide_parameters=True
        )
        tune_sqlite(engine.sync_engine)
        return engine
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,
        connect_args=_POSTGRES_ARGUMENTS,
    )
    _replace_closed_connections(engine.sync_engine)
    return engine


def _create_line_engine(url: str) -> AsyncEngine:
    return create_async_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True, connect_args=_POSTGRES_ARGUMENTS
    )


def _create_sync_engine(url: str) -> Engine:
    """Return the engine of connections to SQLite that are kept at hand."""
    arguments = {"check_same_thread": False, "cached_statements": STATEMENTS_KEPT}
    engine = create_engine(
        url.replace("+aiosqlite", ""), poolclass=NullPool, hide_parameters=True, connect_args=arguments
    )
    tune_sqlite(engine)
    return engine


class _SqliteLines:
    """A connection for readings and one for writing, which must not show what is not committed."""

    def __init__(self, url: str) -> None:
        engine = _create_sync_engine(url)
        self._reader = SqliteLine(engine, patience_s=BUSY_TIMEOUT_MS / 1000)
        self._writer = SqliteLine(engine, patience_s=BUSY_TIMEOUT_MS / 1000)

    async def read(self, work: Work[_T]) -> _T:
        return await self._reader.read(work)

    async def write(self, work: Work[_T]) -> _T:
        return await self._writer.write(work)

    async def close(self) -> None:
        self._reader.close()
        self._writer.close()


class _PostgresLines:
    """A connection for readings, and as many for writing as ever were at work at once."""

    def __init__(self, url: str) -> None:
        self._engine = _create_line_engine(url)
        self._reader = PostgresLine(self._engine)
        self._idle: list[PostgresLine] = []

    async def read(self, work: Work[_T]) -> _T:
        return await self._reader.read(work)

    async def write(self, work: Work[_T]) -> _T:
        line = self._idle.pop() if self._idle else PostgresLine(self._engine)
        try:
            return await line.write(work)
        finally:
            self._idle.append(line)

    async def close(self) -> None:
        for line in (self._reader, *self._idle):
            await line.close()
        await self._engine.dispose()


class Database:
    """One engine; made once by the composition root.

    Args:
        url: ``sqlite+aiosqlite:///<path>`` or ``postgresql+asyncpg://...``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _create_engine(url)
        self._lines = _SqliteLines(url) if self.is_sqlite else _PostgresLines(url)
        self._reading_engine = self.engine.execution_options(reading=True)
        # SQLite has one writer; queueing in the process is fairer than its busy handler, which sleeps and retries.
        self._write_queue = asyncio.Lock() if self.is_sqlite else None
        # The pool's own queue lets newcomers overtake, so that under load some wait for seconds; this one is fair.
        self._connections = asyncio.Semaphore(POOL_SIZE)

    @asynccontextmanager
    async def _connection_slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(POOL_TIMEOUT_S):
                await self._connections.acquire()
        except TimeoutError:
            raise StorageBusyError("Every connection to the database is in use.") from None
        try:
            yield
        finally:
            self._connections.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a writing transaction; commits on leaving, rolls back when the block raises."""
        async with (
            self._write_queue or nullcontext(),
            self._connection_slot(),
            AsyncSession(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    async def write(self, work: Work[_T]) -> _T:
        """Do a piece of work in a writing transaction of its own, off the ORM; a failed commit raises.

        Args:
            work: A transaction is open while it waits for anything, and on SQLite no other can be.
        """
        async with self._write_queue or self._connection_slot():
            return await self._lines.write(work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a reading transaction; nothing written in it is kept."""
        async with (
            self._connection_slot(),
            AsyncSession(self._reading_engine, expire_on_commit=False) as session,
        ):
            yield session

    async def glance(self, work: Work[_T]) -> _T:
        """Do a piece of reading off the ORM and outside of any transaction: each statement sees a moment of its own.

        Args:
            work: Reads by ``fetch_all``, a few rows at a time: SQLite answers in the thread of the event loop, and its
                readers wait for no writer.
        """
        return await self._lines.read(work)

    async def ping(self) -> None:
        """Raise if the database does not answer."""
        async with self._reading_engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Return every connection."""
        await self.engine.dispose()
        await self._lines.close()
