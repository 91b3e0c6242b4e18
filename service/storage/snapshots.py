"""Rows as JSON values, and back: what is kept of a row as it stood."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Date, LargeBinary, Table
from sqlmodel import SQLModel

from service.storage.types import Instant

_Model = TypeVar("_Model", bound=SQLModel)
_DECODERS: Mapping[type, Callable[[Any], Any]] = {
    Instant: datetime.fromisoformat,
    Date: date.fromisoformat,
    LargeBinary: b64decode,
}


def take_snapshot(model: type[SQLModel], row: object) -> dict[str, Any]:
    """Return every column of a row, through the ORM or not; instants and days as ISO 8601, bytes as base64."""
    return {column.name: _encode(getattr(row, column.name)) for column in _table_of(model).columns}


def restore_snapshot(model: type[_Model], document: Mapping[str, Any]) -> _Model:
    """Return a row as it stood, outside any session; columns that are gone since are left out."""
    columns = {column.name: column.type for column in _table_of(model).columns if column.name in document}
    return model(**{name: _decode(document[name], kind) for name, kind in columns.items()})


def _table_of(model: type[SQLModel]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    return table


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def _decode(value: Any, kind: Any) -> Any:
    decode = _DECODERS.get(type(kind))
    return value if value is None or decode is None else decode(value)
