"""Form of the facts: which fields there are and what each holds. Nothing here knows a rule.

A field is a reader ``(value, path) -> value``; an object is a mapping of fields; a list is a one-entry tuple of its
element. Readers turn the text of dates and decimals into values and refuse what is neither.

Source: FACTS.md, "Fields that occur".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from service.rules.facts import InvalidFactsError

Reader = Callable[[Any, str], Any]
Shape: TypeAlias = "Reader | dict[str, Shape] | tuple[Shape]"

MAX_UNIT_DECIMALS = 18
_DECIMAL = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{1,60})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COUNTRY = re.compile(r"[A-Z]{2}")


class BadLiteral(str):
    """A numeric literal that stands for no exact decimal: NaN, an infinity, or an exponent."""

    __slots__ = ()


def is_decimal(text: str) -> bool:
    """Tell whether a string is the plain text of a decimal."""
    return not isinstance(text, BadLiteral) and _DECIMAL.fullmatch(text) is not None


def is_day(text: str) -> bool:
    """Tell whether a string is the text of a civil date; weeks and days that do not exist are none."""
    try:
        return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def read_number(value: Any, path: str) -> int | Decimal:
    """Read an exact number, or its decimal text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, str) and is_decimal(value):
        return Decimal(value) if "." in value else int(value)
    raise InvalidFactsError(f"{path}: an exact decimal number is needed (no exponent, NaN or infinity)")


def read_quantity(value: Any, path: str) -> int | Decimal:
    """Read a number of units: whole and positive."""
    number = read_number(value, path)
    if number <= 0 or number != int(number):
        raise InvalidFactsError(f"{path}: a positive whole number is needed")
    return int(number)


def read_amount(value: Any, path: str) -> int | Decimal:
    """Read a number that is not negative."""
    number = read_number(value, path)
    if number < 0:
        raise InvalidFactsError(f"{path}: a number of at least 0 is needed")
    return number


def read_whole(value: Any, path: str) -> int:
    """Read a whole number of at least 0."""
    number = read_amount(value, path)
    if number != int(number):
        raise InvalidFactsError(f"{path}: a whole number is needed")
    return int(number)


def read_flag(value: Any, path: str) -> bool:
    """Read a boolean."""
    if isinstance(value, bool):
        return value
    raise InvalidFactsError(f"{path}: true or false is needed")


def read_string(value: Any, path: str) -> str:
    """Read a string."""
    if isinstance(value, str) and not isinstance(value, BadLiteral):
        return value
    raise InvalidFactsError(f"{path}: a string is needed")


def read_country(value: Any, path: str) -> str:
    """Read a code of ISO 3166-1; one written otherwise would match no list of countries, and so pass it."""
    if not _COUNTRY.fullmatch(read_string(value, path)):
        raise InvalidFactsError(f"{path}: a country of two capital letters (ISO 3166-1) is needed")
    return str(value)


def read_percent(value: Any, path: str) -> int | Decimal:
    """Read a part of a whole, in per cent."""
    number = read_amount(value, path)
    if number > 100:
        raise InvalidFactsError(f"{path}: at most 100 is needed")
    return number


def read_day(value: Any, path: str) -> date:
    """Read a civil date."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and is_day(value):
        return date.fromisoformat(value)
    raise InvalidFactsError(f"{path}: a civil date YYYY-MM-DD is needed")


@dataclass(frozen=True, slots=True)
class Choice:
    """A reader of one of some strings."""

    allowed: tuple[str, ...]

    def __call__(self, value: Any, path: str) -> str:
        """Read one of them."""
        if read_string(value, path) not in self.allowed:
            raise InvalidFactsError(f"{path}: one of {', '.join(self.allowed)} is needed")
        return str(value)


def one_of(*allowed: str) -> Choice:
    """Return a reader of one of ``allowed``."""
    return Choice(allowed)


def read_category(value: Any, path: str) -> int:
    """Read a category of Regulation S."""
    number = read_whole(value, path)
    if number not in (1, 2, 3):
        raise InvalidFactsError(f"{path}: 1, 2 or 3 is needed")
    return number


def read_decimals(value: Any, path: str) -> int:
    """Read how many decimals a unit has; the bound keeps powers of ten small."""
    number = read_whole(value, path)
    if number > MAX_UNIT_DECIMALS:
        raise InvalidFactsError(f"{path} must be from 0 to {MAX_UNIT_DECIMALS}")
    return number


def read_shape(value: Any, shape: Shape, path: str) -> Any:
    """Read ``value`` by its shape; null stays null.

    Raises:
        InvalidFactsError: An unknown field or a value of the wrong kind, with its path.
    """
    if value is None:
        return None
    if isinstance(shape, dict):
        return read_object(value, shape, path)
    if isinstance(shape, tuple):
        return _read_list(value, shape[0], path)
    return shape(value, path)


def read_object(value: Any, shape: Mapping[str, Shape], path: str) -> dict[str, Any]:
    """Read an object by its fields.

    Raises:
        InvalidFactsError: As for :func:`read_shape`; null is no object.
    """
    if not isinstance(value, dict):
        raise InvalidFactsError(f"{path}: an object is needed")
    read: dict[str, Any] = {}
    for name, entry in value.items():
        below = shape.get(name) or shape.get("*")
        if below is None:
            raise InvalidFactsError(f"{path}.{name}: unknown field")
        if entry is None:
            read[name] = None
        elif isinstance(below, (dict, tuple)):
            read[name] = read_shape(entry, below, f"{path}.{name}")
        else:
            read[name] = below(entry, f"{path}.{name}")
    return read


def _read_list(value: Any, shape: Shape, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidFactsError(f"{path}: a list is needed")
    return [_read_entry(entry, shape, f"{path}[{index}]") for index, entry in enumerate(value)]


def _read_entry(value: Any, shape: Shape, path: str) -> Any:
    if value is None:
        raise InvalidFactsError(f"{path}: null is no entry of a list")
    return read_shape(value, shape, path)
