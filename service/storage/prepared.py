"""Statements that are compiled once and then go to the driver as text.

What SQLAlchemy does for each execution (cache keys, parameters, a result with its metadata) costs several times what
SQLite needs for the query. The connection, its transaction and its errors stay SQLAlchemy's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import SelectBase, TextualSelect
from sqlalchemy.types import TypeEngine

from service.storage.direct import DirectConnection, build_error
from service.storage.joined import join_changes

Query: TypeAlias = SelectBase | TextualSelect
_Convert: TypeAlias = Callable[[Any], Any]
_STATEMENTS_KEPT = 1_000
_MOST_TOGETHER = 16  # rows; beyond that, sending each kind by itself is as good, and texts would be many
_NUMERIC_OID = 1700  # what PostgreSQL says of such a column; no other type looks at it


@dataclass(frozen=True, slots=True)
class _Prepared:
    """One statement for one number of values in each of its lists.

    Attributes:
        places: In the driver's order, the name of each parameter, its place in a list, and what turns it into what the
            driver takes.
        readers: By the place of a column, what turns the driver's value into ours.
    """

    text: str
    places: tuple[tuple[str, int | None, _Convert | None], ...]
    readers: tuple[tuple[int, _Convert], ...] = ()

    def bind(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values as the driver takes them."""
        values = []
        for name, place, convert in self.places:
            value = parameters[name] if place is None else parameters[name][place]
            values.append(value if convert is None else convert(value))
        return tuple(values)

    def read(self, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Return the driver's rows with our values."""
        return [self._read(row) for row in rows] if self.readers else list(rows)

    def _read(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, convert in self.readers:
            values[place] = convert(values[place])
        return values


async def fetch_all(connection: AsyncConnection, query: Query, parameters: Mapping[str, Any]) -> list[Sequence[Any]]:
    """Return a query's rows.

    Args:
        query: Kept by the caller: it is compiled once for each number of values.
        parameters: By name; a list for those that expand.

    Raises:
        DBAPIError: As from ``connection.execute``.
    """
    shape = tuple((name, len(value) if isinstance(value, list) else None) for name, value in parameters.items())
    prepared = _prepare_query(query, connection.dialect, shape)
    values = prepared.bind(parameters)
    if isinstance(connection, DirectConnection):
        return prepared.read(await connection.fetch(prepared.text, values))
    return prepared.read(await connection.run_sync(_fetch, prepared.text, values))


async def execute_together(
    connection: AsyncConnection, changes: Sequence[tuple[UpdateBase, Sequence[Mapping[str, Any]]]]
) -> None:
    """Execute several changes, each once for each of its sets of parameters.

    A few go to a server as one statement: the trips to it cost more than they do. So none may see what another
    changes, nor change the same row; all of a statement's checks are made, foreign keys at its end.

    Raises:
        DBAPIError: As from ``connection.execute``.
    """
    changes = [each for each in changes if each[1]]
    few = len(changes) > 1 and sum(len(parameters) for _, parameters in changes) <= _MOST_TOGETHER
    if not few or not isinstance(connection, DirectConnection) or not connection.is_remote:
        for change, parameters in changes:
            await execute_each(connection, change, parameters)
        return
    texts, values = [], []
    for change, parameters in changes:
        prepared = _prepare_change(change, connection.dialect, tuple(parameters[0]))
        texts += [prepared.text] * len(parameters)
        values += [prepared.bind(each) for each in parameters]
    await connection.change(join_changes(tuple(texts)), [tuple(chain.from_iterable(values))])


async def execute_each(
    connection: AsyncConnection, change: UpdateBase, parameters: Sequence[Mapping[str, Any]]
) -> None:
    """Execute a change once for each set of parameters; all have the same names.

    Raises:
        DBAPIError: As from ``connection.execute``.
    """
    prepared = _prepare_change(change, connection.dialect, tuple(parameters[0]))
    values = [prepared.bind(each) for each in parameters]
    if isinstance(connection, DirectConnection):
        await connection.change(prepared.text, values)
    else:
        await connection.run_sync(_change, prepared.text, values)


@lru_cache(_STATEMENTS_KEPT)
def _prepare_query(query: Query, dialect: Dialect, shape: tuple[tuple[str, int | None], ...]) -> _Prepared:
    compiled = query.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    readers = enumerate(_read_with(column.type, dialect) for column in query.selected_columns)
    return _Prepared(
        *_expand(compiled, {name: None if length is None else [None] * length for name, length in shape}),
        readers=tuple((place, convert) for place, convert in readers if convert is not None),
    )


@lru_cache(_STATEMENTS_KEPT)
def _prepare_change(change: UpdateBase, dialect: Dialect, names: tuple[str, ...]) -> _Prepared:
    compiled = change.compile(dialect=dialect, column_keys=list(names))
    assert isinstance(compiled, SQLCompiler)
    return _Prepared(*_expand(compiled, dict.fromkeys(names)))


def _expand(
    compiled: SQLCompiler, lists: Mapping[str, Any]
) -> tuple[str, tuple[tuple[str, int | None, _Convert | None], ...]]:
    state = compiled.construct_expanded_state(lists)
    origins: dict[str, tuple[str, int | None]] = {
        each: (name, place) for name, made in state.parameter_expansion.items() for place, each in enumerate(made)
    }
    places = [origins.get(name, (name, None)) for name in state.positiontup or ()]
    return state.statement, tuple((name, place, _bind_with(compiled, name)) for name, place in places)


def _bind_with(compiled: SQLCompiler, name: str) -> _Convert | None:
    convert: _Convert | None = compiled.binds[name].type.dialect_impl(compiled.dialect).bind_processor(compiled.dialect)
    return convert


def _read_with(type_: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return type_.dialect_impl(dialect).result_processor(dialect, _NUMERIC_OID)


def _fetch(connection: Connection, statement: str, values: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
        return cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _translate(connection, statement, error) from error
    finally:
        cursor.close()


def _change(connection: Connection, statement: str, values: Sequence[tuple[Any, ...]]) -> None:
    cursor = connection.connection.cursor()
    try:
        if len(values) == 1:
            cursor.execute(statement, values[0])
        else:
            cursor.executemany(statement, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _translate(connection, statement, error) from error
    finally:
        cursor.close()


def _translate(connection: Connection, statement: str, error: Exception) -> BaseException:
    """Return the error as SQLAlchemy would raise it; a connection that is lost leaves the pool."""
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]  # the drivers' errors share no base
    if lost:
        connection.invalidate(error)
    return build_error(dialect, statement, error, lost=lost)
