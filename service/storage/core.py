"""Set-wise reads and writes of plain rows: the tables are the SQLModel ones, the ORM stays off.

Rows are dataclasses whose fields are named as the columns.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache, partial
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Insert,
    Select,
    Table,
    Update,
    UpdateBase,
    any_,
    bindparam,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from service.storage.prepared import execute_together, fetch_all
from service.storage.together import read_together

_Row = TypeVar("_Row")
Key = tuple[Any, ...]


def table_of(model: type[SQLModel]) -> Table:
    """Return the table behind a model."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]  # SQLModel does not declare it


@cache
def select_fields(row_type: type[Any], model: type[SQLModel]) -> Select[Any]:
    """Return a query for the columns that a row type has, in the order of its fields."""
    table = table_of(model)
    return select(*(table.c[each.name] for each in fields(row_type)))


def is_among(column: Column[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values of a list, which is a parameter.

    PostgreSQL takes it as one array, so that all lengths are one statement, prepared once.
    """
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, type_=column.type, expanding=True))


@cache
def _select_by(row_type: type[Any], model: type[SQLModel], columns: Key, dialect: str) -> Select[Any]:
    table = table_of(model)
    *first, last = (table.c[name] for name in columns)
    equal = (column == bindparam(column.name, type_=column.type) for column in first)
    return select_fields(cast(Any, row_type), model).where(*equal, is_among(last, "values", dialect))


async def read_rows(
    connection: AsyncConnection, row_type: type[_Row], model: type[SQLModel], columns: Key, keys: Iterable[Key]
) -> list[_Row]:
    """Read the rows with any of the keys: one query for all that differ only in their last part.

    Args:
        columns: Names of the key's columns, as an index has them. SQLite can use it only in this form.
    """
    groups: dict[Key, set[Any]] = defaultdict(set)
    for key in keys:
        groups[key[:-1]].add(key[-1])
    query = _select_by(cast(Any, row_type), model, columns, connection.dialect.name)
    parameters = [
        dict(zip(columns[:-1], first, strict=True)) | {"values": _pad(sorted(values))}
        for first, values in sorted(groups.items())
    ]
    reads = [partial(fetch_all, query=query, parameters=each) for each in parameters]
    return [row_type(*row) for rows in await read_together(connection, *reads) for row in rows]


def _pad(values: list[Any]) -> list[Any]:
    """Repeat the last value up to a power of two: few lengths are few statements, which stay prepared."""
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))


@cache
def _list_columns(row_type: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(row_type))


def read_values(row: object) -> dict[str, Any]:
    """Return a row's values by column."""
    return {name: getattr(row, name) for name in _list_columns(cast(Any, type(row)))}


Change = tuple[UpdateBase, Sequence[Mapping[str, Any]]]


def plan_inserts(model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> Change:
    """Insert rows that all have the same columns."""
    return _insert(model), rows


@cache
def _insert(model: type[SQLModel]) -> Insert:
    return table_of(model).insert()


def plan_updates(model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> Change:
    """Set every column of rows that all have the same columns, by primary key."""
    columns = tuple(rows[0]) if rows else ()
    return _update(model, columns), [{f"_{name}": row[name] for name in row} for row in rows]


@cache
def _update(model: type[SQLModel], columns: Key) -> Update:
    table = table_of(model)
    keys = {column.name for column in table.primary_key}
    statement = table.update().where(*(table.c[name] == bindparam(f"_{name}") for name in columns if name in keys))
    return statement.values({name: bindparam(f"_{name}") for name in columns if name not in keys})


def plan_upserts(model: type[SQLModel], rows: Sequence[Mapping[str, Any]], dialect: str) -> Change:
    """Insert rows, or set every column of those that are there already, by primary key."""
    return _upsert(model, tuple(rows[0]) if rows else (), dialect), rows


@cache
def _upsert(model: type[SQLModel], columns: Key, dialect: str) -> Insert:
    keys = [column.name for column in table_of(model).primary_key]
    statement = start_upsert(model, dialect)
    changes = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes) if changes else statement


async def insert_rows(connection: AsyncConnection, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """See ``plan_inserts``."""
    await execute_together(connection, [plan_inserts(model, rows)])


async def update_rows(connection: AsyncConnection, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """See ``plan_updates``."""
    await execute_together(connection, [plan_updates(model, rows)])


async def upsert_rows(connection: AsyncConnection, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """See ``plan_upserts``."""
    await execute_together(connection, [plan_upserts(model, rows, connection.dialect.name)])


def start_upsert(model: type[SQLModel], dialect: str) -> postgresql.Insert | sqlite.Insert:
    """Return the dialect's own insert, which knows what to do with rows that are there already."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table_of(model))
