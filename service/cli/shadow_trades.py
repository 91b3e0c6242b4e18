"""A venue's past trades as it can write them: a CSV file, a trade a row, facts in columns named by their paths.

Nothing is assumed: an empty cell is an absent fact, and ``null`` says "there is none" where the scenario format allows
it. Lists are written as JSON, as in ``[{"qty": 100, "acquired_on": "2026-01-05", "from_": "issuer"}]``.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from service.errors import InvalidInputError
from service.rules.catalog import REGIMES
from service.rules.facts import InvalidFactsError
from service.rules.rule import ACTIONS
from service.rules.schema import Shape, one_of, read_amount, read_day, read_flag, read_quantity, read_shape, read_string
from service.rules.transfer_schema import TRANSFER

Cell = Callable[[str], Any]
OUTCOMES = ("settled", "rejected")
TRADE_COLUMNS: Mapping[str, Shape] = {
    "reference": read_string,
    "trade_date": read_day,
    "action": one_of(*ACTIONS),
    "regime": one_of(*REGIMES),
    "security": read_string,
    "offering": read_string,
    "seller": read_string,
    "buyer": read_string,
    "quantity": read_quantity,
    "price": read_amount,
    "currency": read_string,
    "outcome": one_of(*OUTCOMES),
}
"""What a trade is; every other column is a fact."""
_CALLED = {"date": "trade_date", "qty": "quantity", "offering.regime": "regime"}
_FIRST_ROW = 2  # as a spreadsheet counts: the names are row 1


class TradeFileError(InvalidInputError):
    """The file of past trades cannot be used: a column or a value is wrong, and is named."""

    code = "trade_file_unusable"


@dataclass(frozen=True, slots=True)
class Trade:
    """One row.

    Attributes:
        row: Its number as a spreadsheet counts.
        told: Values of the columns of a trade, without those left empty.
        facts: Path to value, of the fact columns that are not empty; None says "there is none".
    """

    row: int
    told: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The venue's own reference, or the row."""
        return str(self.told.get("reference") or f"row {self.row}")


def read_trades(text: str, *, needed: Sequence[str], assumed: Mapping[str, str]) -> list[Trade]:
    """Read every row.

    Args:
        text: The file; its first row names the columns.
        needed: Columns of a trade that every row must fill.
        assumed: Path to text, for every row whose own cell is empty or that has no such column.

    Raises:
        TradeFileError: An unknown or repeated column, a missing one, or a value of the wrong kind with row and column.
    """
    try:
        rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise TradeFileError(f"not a readable CSV file: {error}") from None
    columns = rows[0] if rows else []
    readers = _choose_readers(columns, needed)
    constants = {path: _read_constant(path, value) for path, value in assumed.items()}
    numbered = [(number, row) for number, row in enumerate(rows[1:], _FIRST_ROW) if any(row)]
    return [_read_trade(number, columns, readers, row, needed, constants) for number, row in numbered]


def nest_facts(paths: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts by dotted path as nested mappings."""
    nested: dict[str, Any] = {}
    for path, value in paths.items():
        *parents, name = path.split(".")
        level = nested
        for parent in parents:
            level = level.setdefault(parent, {})
        level[name] = value
    return nested


def _choose_readers(columns: Sequence[str], needed: Sequence[str]) -> list[Cell]:
    for name in needed:
        if name not in columns:
            hint = " (columns are separated by commas)" if len(columns) == 1 and ";" in columns[0] else ""
            raise TradeFileError(f"column {name} is missing{hint}")
    if repeated := sorted(name for name, count in Counter(columns).items() if count > 1):
        raise TradeFileError(f"column {repeated[0][:80]!r} occurs twice")
    return [_choose_reader(name) for name in columns]


def _choose_reader(column: str) -> Cell:
    """Return the reader of a column's cells.

    Raises:
        TradeFileError: No trade and no fact has such a name.
    """
    if column in _CALLED:
        raise TradeFileError(f"column {column} is called {_CALLED[column]} here")
    shape: Any = TRADE_COLUMNS.get(column) or _find_shape(column)
    if shape is None:
        raise TradeFileError(f"column {column[:80]!r} is neither of a trade nor the path of a fact")
    if isinstance(shape, dict):
        raise TradeFileError(
            f"column {column} holds facts of its own: name one of them, as {column}.{next(iter(shape))}"
        )
    return partial(_read_cell, shape=shape, column=column)


def _find_shape(path: str) -> Any:
    shape: Any = TRANSFER
    for name in path.split("."):
        shape = (shape.get(name) or shape.get("*")) if isinstance(shape, dict) else None
    return shape


def _read_cell(text: str, *, shape: Shape, column: str) -> Any:
    if text == "null":
        return None
    if shape is read_flag and text.lower() in {"true", "false"}:  # a spreadsheet writes TRUE
        return text.lower() == "true"
    return read_shape(_parse_list(text, column) if isinstance(shape, tuple) else text, shape, column)


def _parse_list(text: str, column: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise InvalidFactsError(f"{column}: a JSON list is needed") from None


def _read_constant(path: str, text: str) -> Any:
    if path in TRADE_COLUMNS:
        raise TradeFileError(f"{path} belongs to a trade and cannot be assumed")
    try:
        return _choose_reader(path)(text)
    except InvalidFactsError as error:
        raise TradeFileError(error.detail) from None


def _read_trade(
    number: int,
    columns: Sequence[str],
    readers: Sequence[Cell],
    row: Sequence[str],
    needed: Sequence[str],
    constants: Mapping[str, Any],
) -> Trade:
    if len(row) != len(columns):
        raise TradeFileError(f"row {number}: {len(row)} cells under {len(columns)} columns")
    try:
        values = dict(_read_cells(columns, readers, row))
    except InvalidFactsError as error:
        raise TradeFileError(f"row {number}, column {error.detail}") from None
    for name in needed:
        if values.get(name) is None:
            raise TradeFileError(f"row {number}, column {name}: a value is needed")
    told = {name: value for name, value in values.items() if name in TRADE_COLUMNS}
    facts = {name: value for name, value in values.items() if name not in TRADE_COLUMNS}
    return Trade(number, told, {**constants, **facts})


def _read_cells(columns: Sequence[str], readers: Sequence[Cell], row: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for name, read, cell in zip(columns, readers, row, strict=True):
        if text := cell.strip():
            yield name, read(text)


def day_of(trade: Trade) -> date:
    """Return the trade's civil date."""
    day: date = trade.told["trade_date"]
    return day
