"""One connection to PostgreSQL kept at hand, where taking one from a pool would cost more than to ask it something."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import CursorResult, Executable
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from service.errors import ServiceError
from service.storage.direct import DirectConnection, Rows, Values, build_error
from service.storage.joined import join_queries

_T = TypeVar("_T")
Work = Callable[[AsyncConnection], Awaitable[_T]]
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class _PostgresConnection(DirectConnection):
    is_remote = True

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        self.dialect = connection.dialect
        self.driver = driver

    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return await self.connection.execute(statement, parameters)

    async def fetch(self, text: str, values: Values) -> Rows:
        try:
            rows: Rows = await self.driver.fetch(text, *values)
        except _ERRORS as error:
            raise self._name(text, error) from error
        return rows

    async def fetch_each(self, asked: Sequence[tuple[str, Values]]) -> Sequence[Rows]:
        if len(asked) == 1:
            return [await self.fetch(*asked[0])]
        values = tuple(chain.from_iterable(each for _, each in asked))
        [found] = await self.fetch(join_queries(tuple(text for text, _ in asked)), values)
        return cast(Sequence[Rows], found)

    async def change(self, text: str, values: Sequence[Values]) -> None:
        if len(values) == 1:
            await self.fetch(text, values[0])
            return
        try:
            await self.driver.executemany(text, values)
        except _ERRORS as error:
            raise self._name(text, error) from error

    async def begin(self) -> None:
        await self._script("BEGIN")
        self._sync.begin()

    async def commit(self) -> None:
        self._sync.commit()
        await self._script("COMMIT")

    async def roll_back(self) -> None:
        self._sync.rollback()
        await self._script("ROLLBACK")

    @property
    def _sync(self) -> Connection:
        """SQLAlchemy's side of the transaction, for whoever listens; on this engine it sends nothing."""
        sync = self.connection.sync_connection
        assert sync is not None
        return sync

    async def _script(self, text: str) -> None:
        try:
            await self.driver.execute(text)
        except _ERRORS as error:
            raise self._name(text, error) from error

    def _name(self, text: str, error: Exception) -> BaseException:
        """Return the driver's error as SQLAlchemy's own cursors do."""
        module: Any = self.dialect.loaded_dbapi
        names = module._asyncpg_error_translate
        kind = next((names[each] for each in type(error).__mro__ if each in names), module.Error)
        return build_error(self.dialect, text, kind(str(error), error), lost=self.driver.is_closed())


class PostgresLine:
    """Pieces of work take turns. A connection that failed, or that the server has closed, is replaced.

    Args:
        engine: Begins no transactions and pools nothing.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()
        self._connection: _PostgresConnection | None = None

    async def read(self, work: Work[_T]) -> _T:
        """Do a piece of reading; each statement sees one moment of its own."""
        async with self._turn:
            try:
                return await work(cast(AsyncConnection, await self._open()))
            except ServiceError:  # which says nothing of the connection
                raise
            except BaseException:  # cancelled, too, it may be in the middle of an answer
                await self._drop()
                raise

    async def write(self, work: Work[_T]) -> _T:
        """Do a piece of work in a transaction."""
        async with self._turn:
            try:
                connection = await self._open()
                await connection.begin()
                result = await work(cast(AsyncConnection, connection))
                await connection.commit()
            except Exception:
                await self._roll_back()
                raise
            except BaseException:  # cancelled it may be in the middle of an answer
                await self._drop()
                raise
            return result

    async def _roll_back(self) -> None:
        try:
            if self._connection is not None:
                await self._connection.roll_back()
        except Exception:  # of which the one that led here says more
            await self._drop()

    async def _open(self) -> _PostgresConnection:
        if self._connection is not None and self._connection.driver.is_closed():
            await self._drop()
        if self._connection is None:
            connection = await self._engine.connect()
            raw: Any = await connection.get_raw_connection()
            self._connection = _PostgresConnection(connection, raw.driver_connection)
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.connection.invalidate()
            await connection.connection.close()

    async def close(self) -> None:
        """Hang up."""
        async with self._turn:
            await self._drop()
