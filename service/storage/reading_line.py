"""One connection kept at hand for short readings, where taking one from a pool would cost more than to read.

It opens no transaction: each statement sees one moment of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_T = TypeVar("_T")
Work = Callable[[AsyncConnection], Awaitable[_T]]


class _Driver(Protocol):
    """The part of the driver's connection that tells whether the server has hung up."""

    def is_closed(self) -> bool: ...


class ReadingLine:
    """Readings take turns. A connection that failed, or that the server has closed, is replaced.

    Args:
        engine: Commits each statement by itself and pools nothing.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._driver: _Driver | None = None

    async def read(self, work: Work[_T]) -> _T:
        """Do a piece of reading."""
        async with self._turn:
            try:
                return await work(await self._open())
            except BaseException:  # cancelled, too, it may be in the middle of an answer
                await self._drop()
                raise

    async def _open(self) -> AsyncConnection:
        if self._driver is not None and self._driver.is_closed():
            await self._drop()
        if self._connection is None:
            connection = await self._engine.connect()
            raw: Any = await connection.get_raw_connection()
            self._connection, self._driver = connection, raw.driver_connection
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def close(self) -> None:
        """Hang up."""
        async with self._turn:
            await self._drop()
            await self._engine.dispose()
