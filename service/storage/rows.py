"""Single rows by their columns, off the ORM: for requests that read and write a few rows each.

Rows are dataclasses whose fields are named as the columns.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import Insert, Select, bindparam
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from service.storage.core import select_fields, start_upsert, table_of
from service.storage.prepared import execute_each, fetch_all

_Row = TypeVar("_Row")
Key = Mapping[str, Any]


@cache
def _select(row_type: type[Any], model: type[SQLModel], columns: tuple[str, ...], *, lock: bool) -> Select[Any]:
    table = table_of(model)
    query = select_fields(cast(Any, row_type), model).where(*(table.c[name] == bindparam(name) for name in columns))
    return query.with_for_update() if lock else query


async def find_rows(
    connection: AsyncConnection, row_type: type[_Row], model: type[SQLModel], key: Key, *, lock: bool = False
) -> list[_Row]:
    """Return the rows whose columns have these values, in no order.

    Args:
        key: Values by column, none of them None.
        lock: Whether to hold them until the transaction ends.
    """
    query = _select(cast(Any, row_type), model, tuple(key), lock=lock)
    return [row_type(*row) for row in await fetch_all(connection, query, key)]


async def find_row(
    connection: AsyncConnection, row_type: type[_Row], model: type[SQLModel], key: Key, *, lock: bool = False
) -> _Row | None:
    """Return the row that ``find_rows`` finds by the columns of a key, None if there is none."""
    return next(iter(await find_rows(connection, row_type, model, key, lock=lock)), None)


async def get_row(
    connection: AsyncConnection, row_type: type[_Row], model: type[SQLModel], key: Key, *, lock: bool = False
) -> _Row:
    """Return the row that there is for certain; arguments as ``find_rows``."""
    [row] = await find_rows(connection, row_type, model, key, lock=lock)
    return row


@cache
def _insert_new(model: type[SQLModel], dialect: str) -> Insert:
    return start_upsert(model, dialect).on_conflict_do_nothing()


async def insert_new_rows(connection: AsyncConnection, model: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns; one whose key is taken is left out."""
    await execute_each(connection, _insert_new(model, connection.dialect.name), rows)
