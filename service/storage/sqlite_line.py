"""One connection to SQLite kept at hand, whose statements run in the thread of the event loop.

A statement takes SQLite some microseconds, and changing threads for it a hundred, during which Python's lock goes
back and forth. Only the disk is waited for in another thread.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, Engine, Executable
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.direct import DirectConnection, Rows, Values, build_error

_T = TypeVar("_T")
Work = Callable[[AsyncConnection], Coroutine[Any, Any, _T]]
BY_HAND = "transactions_by_hand"
"""Execution option of connections that begin no transaction unless they are told to."""
_LONGEST_PAUSE_S = 0.05


class _SqliteConnection(DirectConnection):
    is_remote = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self.driver = driver

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return self.connection.execute(statement, parameters)

    async def fetch(self, text: str, values: Values) -> Rows:
        try:
            return self.driver.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise build_error(self.dialect, text, error, lost=False) from error

    async def change(self, text: str, values: Sequence[Values]) -> None:
        try:
            if len(values) == 1:
                self.driver.execute(text, values[0])
            else:
                self.driver.executemany(text, values)
        except sqlite3.Error as error:
            raise build_error(self.dialect, text, error, lost=False) from error

    def try_to_begin(self) -> bool:
        """Take the write lock; return False while another process has it."""
        try:
            self.driver.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if _is_busy(error):
                return False
            raise build_error(self.dialect, "BEGIN IMMEDIATE", error, lost=False) from error
        self.connection.begin()
        return True

    def roll_back(self) -> None:
        self.connection.rollback()
        if self.driver.in_transaction:  # SQLAlchemy thinks of it as over where its commit failed
            self.driver.execute("ROLLBACK")


def _is_busy(error: sqlite3.Error) -> bool:
    """Tell whether somebody else has a lock, whatever for. Source: SQLite, "Result and Error Codes"."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


class SqliteLine:
    """Work on one connection; one piece at a time may write.

    Args:
        engine: Pools nothing, and lets connections be used by more than one thread.
        patience_s: How long another process may keep the write lock.
    """

    def __init__(self, engine: Engine, *, patience_s: float) -> None:
        self._engine = engine.execution_options(**{BY_HAND: True})
        self._patience_s = patience_s
        self._connection: _SqliteConnection | None = None
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")

    async def read(self, work: Work[_T]) -> _T:
        """Do a piece of reading outside of any transaction."""
        connection = self._connection or self._open()
        return await work(cast(AsyncConnection, connection))

    async def write(self, work: Work[_T]) -> _T:
        """Do a piece of work in a transaction; nobody else may be doing so on this line."""
        if self._connection is None:
            await self._in_thread(self._open)
        connection = self._connection
        assert connection is not None
        await self._begin(connection)
        try:
            result = await work(cast(AsyncConnection, connection))
            await self._in_thread(connection.connection.commit)
        except BaseException:
            self._roll_back(connection)
            raise
        return result

    def _open(self) -> _SqliteConnection:
        connection = _SqliteConnection(self._engine.connect())
        connection.driver.execute("PRAGMA busy_timeout=0")  # it would sleep in the event loop's thread
        self._connection = connection
        return connection

    async def _begin(self, connection: _SqliteConnection) -> None:
        deadline, pause = time.monotonic() + self._patience_s, 0.001
        while not connection.try_to_begin():
            if time.monotonic() > deadline:
                busy = sqlite3.OperationalError("database is locked")
                raise build_error(connection.dialect, "BEGIN IMMEDIATE", busy, lost=False)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        working = asyncio.get_running_loop().run_in_executor(self._disk, work)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await asyncio.wait([working])  # until then the connection is the thread's
            raise

    def _roll_back(self, connection: _SqliteConnection) -> None:
        try:
            connection.roll_back()
        except (sqlite3.Error, DBAPIError):  # of which the one that led here says more
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error, DBAPIError):
                connection.connection.invalidate()
                connection.connection.close()

    def close(self) -> None:
        """Let go of the file."""
        self._drop()
        self._disk.shutdown()
