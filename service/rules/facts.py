"""Typed reading of facts. What is absent raises; nothing is ever assumed.

Facts are nested mappings under the names of the scenario format: ``buyer.kyc_valid_until``, ``seller.lots``. Null says
"there is none" and is a fact only where a reader says so; elsewhere it is as good as absent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any, TypeVar

from service.errors import MalformedError
from service.rules.law import CURRENT_LAW, Law, Schedule

Number = int | Decimal
EXACT = Context(prec=200)
"""Keeps products of quantities (31 digits) and prices exact."""
_T = TypeVar("_T")


class MissingFactError(Exception):
    """A rule needs a fact that nobody supplied. The engine turns it into ``INPUT_MISSING``.

    Attributes:
        path: Full name of the fact, such as ``buyer.accredited``.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class InvalidFactsError(MalformedError):
    """Facts that no rule can read: an unknown field, regime or action, or a value of the wrong type."""

    code = "invalid_facts"


class Facts:
    """Read-only view of one transfer's facts, or of a part of them.

    Args:
        values: The facts at this level.
        prefix: Path of this level, empty at the top; only for naming what is missing.
        law: The law that is applied to them, for thresholds that change by date.

    Attributes:
        worked_out: What functions under :func:`once` made of these facts.
    """

    __slots__ = ("_lists", "_parts", "_prefix", "_values", "law", "worked_out")

    def __init__(self, values: Mapping[str, Any], prefix: str = "", law: Law = CURRENT_LAW) -> None:
        self._values = values
        self._prefix = prefix
        self.law = law
        self._parts: dict[str, Facts] = {}
        self._lists: dict[str, list[Facts]] = {}
        self.worked_out: dict[Callable[[Facts], Any], Any] = {}

    def path(self, name: str) -> str:
        """Return the full path of ``name``, for evidence."""
        return f"{self._prefix}.{name}" if self._prefix else name

    def has(self, name: str) -> bool:
        """Tell whether ``name`` was supplied and is not null."""
        return self._values.get(name) is not None

    def is_null(self, name: str) -> bool:
        """Tell whether ``name`` was supplied as null, which says "there is none" where the format allows it."""
        return name in self._values and self._values[name] is None

    def say(self, part: str, names: tuple[str, ...], values: tuple[object, ...]) -> bool:
        """Tell whether the facts below ``part`` were supplied with just these values, of these types, by ``names``."""
        try:
            found = tuple(map(self._values[part].__getitem__, names))
        except (AttributeError, KeyError, TypeError):
            return False
        return found == values and [*map(type, found)] == [*map(type, values)]

    def flag(self, name: str) -> bool:
        """Read a boolean."""
        value = self._values.get(name)
        return value if type(value) is bool else self._read(name, bool)

    def text(self, name: str) -> str:
        """Read a string."""
        value = self._values.get(name)
        return value if type(value) is str else self._read(name, str)

    def day(self, name: str) -> date:
        """Read a civil date."""
        value = self._values.get(name)
        if type(value) is date:
            return value
        if isinstance(value, datetime):
            raise InvalidFactsError(f"{self.path(name)} must be a civil date, not an instant")
        return self._read(name, date)

    def number(self, name: str) -> Number:
        """Read an exact number; a boolean is none, and neither is a float."""
        value = self._values.get(name)
        if type(value) is int:
            return value
        if value is None:
            raise MissingFactError(self.path(name))
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise InvalidFactsError(f"{self.path(name)} must be an exact number")
        return value

    def texts(self, name: str) -> list[str]:
        """Read a list of strings."""
        return self._read(name, list)

    def numbers(self, name: str) -> list[int]:
        """Read a list of whole numbers."""
        return self._read(name, list)

    def in_force(self, schedule: Schedule[_T]) -> _T:
        """Read a threshold as the law has it on the transfer's ``date``, or on a test's ``as_of``.

        Raises:
            NotInForceError: There is none on that day.
        """
        return schedule.on(self.day("date" if self.has("date") else "as_of"), self.law)

    def part(self, name: str) -> "Facts":
        """Return the facts below ``name``."""
        part = self._parts.get(name)
        if part is None:
            below = self._values.get(name)
            if type(below) is not dict:
                below = self._read(name, dict)
            part = self._parts[name] = Facts(below, self.path(name), self.law)
        return part

    def parts(self, name: str) -> list["Facts"]:
        """Return the entries of the list ``name``, each as facts."""
        parts = self._lists.get(name)
        if parts is None:
            entries: list[Mapping[str, Any]] = self._read(name, list)
            path, law = self.path(name), self.law
            parts = self._lists[name] = [Facts(entry, f"{path}[{n}]", law) for n, entry in enumerate(entries)]
        return parts

    def text_or_none(self, name: str) -> str | None:
        """Read a string that may be null; absent is still missing."""
        return None if self.is_null(name) else self.text(name)

    def number_or_none(self, name: str) -> Number | None:
        """Read an exact number that may be null; absent is still missing."""
        return None if self.is_null(name) else self.number(name)

    def day_or_none(self, name: str) -> date | None:
        """Read a civil date that may be null; absent is still missing."""
        return None if self.is_null(name) else self.day(name)

    def texts_or_none(self, name: str) -> list[str] | None:
        """Read a list of strings that may be null; absent is still missing."""
        return None if self.is_null(name) else self.texts(name)

    def _read(self, name: str, kind: type[_T]) -> _T:
        value = self._values.get(name)
        if value is None:
            raise MissingFactError(self.path(name))
        if not isinstance(value, kind):
            raise InvalidFactsError(f"{self.path(name)} has the wrong type")
        return value


def all_hold(*conditions: Callable[[], bool]) -> bool:
    """Tell whether every condition holds; one that is known to fail decides, whatever else is missing.

    Raises:
        MissingFactError: No condition is known to fail and one cannot be read: the first such.
    """
    return not _occurs(False, conditions)


def any_holds(*conditions: Callable[[], bool]) -> bool:
    """Tell whether a condition holds; one that is known to hold decides, whatever else is missing.

    Raises:
        MissingFactError: No condition is known to hold and one cannot be read: the first such.
    """
    return _occurs(True, conditions)


def _occurs(wanted: bool, conditions: Iterable[Callable[[], bool]]) -> bool:
    missing: MissingFactError | None = None
    for condition in conditions:
        try:
            if condition() is wanted:
                return True
        except MissingFactError as error:
            missing = missing or error
    if missing:
        raise missing
    return False


def is_known(condition: Callable[[], bool]) -> bool:
    """Tell whether a condition is known to hold; what an absent fact leaves open does not."""
    try:
        return condition()
    except MissingFactError:
        return False


def once(work: Callable[[Facts], _T]) -> Callable[[Facts], _T]:
    """Decorate a function of facts that several rules ask: it works once for each view of them.

    What it raises is not kept, so that each rule that asks is told.
    """

    def ask(facts: Facts) -> _T:
        answers = facts.worked_out
        if work not in answers:
            answers[work] = work(facts)
        answer: _T = answers[work]
        return answer

    return ask


def iterate_parties(facts: Facts) -> Iterator[tuple[str, Facts]]:
    """Yield the parties that take part, seller first, as (role, facts); whose lots a pledgee sells is the pledgor."""
    for role in ("seller", "buyer", "pledgor"):
        if facts.has(role):
            yield role, facts.part(role)
