"""Engine and transactions, alike on SQLite and PostgreSQL.

A use case runs inside ``async with database.transaction() as session``; leaving the block commits, and a failed
commit raises before any answer is built. Reads that change nothing use ``database.reading()``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

BUSY_TIMEOUT_MS = 10_000
POOL_SIZE = 10
POOL_TIMEOUT_S = 2.0  # an exhausted pool answers 503 within this time


def _tune_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own: "begin" below does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
            "synchronous=FULL",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        # Taking the write lock at BEGIN avoids the deadlock of two readers that both want to write.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _create_engine(url: str) -> AsyncEngine:
    # Parameters stay hidden: the text of a database error ends up in logs.
    if url.startswith("sqlite"):
        engine = create_async_engine(url, pool_timeout=POOL_TIMEOUT_S, pool_size=POOL_SIZE, hide_parameters=True)
        _tune_sqlite(engine)
        return engine
    return create_async_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"timeout": POOL_TIMEOUT_S, "command_timeout": 30},
    )


class Database:
    """One engine; made once by the composition root.

    Args:
        url: ``sqlite+aiosqlite:///<path>`` or ``postgresql+asyncpg://...``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _create_engine(url)
        self._reading_engine = self.engine.execution_options(reading=True)
        # SQLite has one writer; queueing in the process is fairer than its busy handler, which sleeps and retries.
        self._write_queue = asyncio.Lock() if self.is_sqlite else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a writing transaction; commits on leaving, rolls back when the block raises."""
        async with (
            self._write_queue or nullcontext(),
            AsyncSession(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a reading transaction; nothing written in it is kept."""
        async with AsyncSession(self._reading_engine, expire_on_commit=False) as session:
            yield session

    async def ping(self) -> None:
        """Raise if the database does not answer."""
        async with self._reading_engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Return every connection."""
        await self.engine.dispose()
