"""One row that the service wrote, from which others are cast."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from tests.bench.population.layout import KNOWN

Rows = Iterable[tuple[Any, ...]]


@dataclass(frozen=True)
class Model:
    """The investor whom the service admitted, and whose rows are copied.

    Attributes:
        platform_id: The platform, which is also the registrar.
        security_id: Of which the investor holds one opening lot.
        ref: The platform's and the issuers' name for the investor.
    """

    platform_id: str
    security_id: str
    ref: str


class Mold:
    """One row. Casting is by column, which costs a tenth of casting row by row."""

    def __init__(self, table: str, row: Mapping[str, Any]) -> None:
        self.table = table
        self.columns = KNOWN[table].split()
        self.row = dict(row)

    def cast(self, **changes: Iterable[Any]) -> Rows:
        """Return rows like this one, as many as the columns that change have values."""
        return zip(*(changes.get(name, repeat(self.row[name])) for name in self.columns), strict=False)
