"""Connections whose statements go straight to the driver.

What SQLAlchemy does for each statement costs more than a small one costs the database. Its errors stay, and so does
its way to execute what is too rare to be prepared.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

Values = tuple[Any, ...]
Rows = Sequence[Sequence[Any]]


class DirectConnection(ABC):
    """What a piece of work off the ORM needs of a connection; elsewhere an ``AsyncConnection`` does as well."""

    dialect: Dialect
    is_remote: bool
    """Whether each statement is a trip to a server, which takes parameters by number."""

    @abstractmethod
    async def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Execute a statement as SQLAlchemy does."""

    @abstractmethod
    async def fetch(self, text: str, values: Values) -> Rows:
        """Return a query's rows; text and values as the driver takes them."""

    async def fetch_each(self, asked: Sequence[tuple[str, Values]]) -> Sequence[Rows]:
        """Return the rows of each of some queries that lock nothing, in one trip where there are trips."""
        return [await self.fetch(text, values) for text, values in asked]

    @abstractmethod
    async def change(self, text: str, values: Sequence[Values]) -> None:
        """Execute a change once for each tuple of values."""


def build_error(dialect: Dialect, text: str, error: BaseException, *, lost: bool) -> BaseException:
    """Return a driver's error as SQLAlchemy raises it, without the values.

    Args:
        error: Of the driver's module as SQLAlchemy knows it, ``dialect.loaded_dbapi``.
        lost: The connection is of no more use.
    """
    return DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
