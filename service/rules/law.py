"""Which law an evaluation applies: a version of the rule set, and thresholds that change by date.

Old versions stay evaluable: every rule and every row of a schedule names the version that brought it, and an
evaluation under an earlier version doesn't know it. Pending law is a row or a rule that names its ``LW-`` id: it
applies only where that id is assumed, as in ``2026.11.1+LW-US-INVEST``.

Source: rules.yaml, conventions.rule_versions and law_watch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Generic, TypeVar

from service.errors import InvalidInputError

T = TypeVar("T")
FIRST_VERSION = "2026.11.1"
RELEASES: Mapping[str, date] = MappingProxyType({FIRST_VERSION: date(2026, 11, 23)})
"""Versions of the rule set, oldest first, and the day on which each was adopted."""
RULES_VERSION = list(RELEASES)[-1]
PENDING: Mapping[str, str] = MappingProxyType(
    {
        "LW-US-INVEST": "INVEST Act, H.R. 3383: qualifying venture capital funds up to 500 owners and 50 million",
    }
)
"""Law that is not in force and can be assumed, by its id in rules.yaml's ``law_watch``."""


class UnknownRulesVersionError(InvalidInputError):
    """No such version of the rules can be evaluated here."""

    code = "rules_version_unknown"


@dataclass(frozen=True, slots=True)
class Law:
    """What an evaluation knows: everything up to ``version``, and the pending law that is assumed."""

    version: str
    assumed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The version and what is assumed, as ``choose_law`` reads it."""
        return "+".join((self.version, *sorted(self.assumed)))

    def knows(self, since: str, pending: str | None) -> bool:
        """Tell whether a rule or row belongs to this law."""
        return _rank(since) <= _rank(self.version) and (pending is None or pending in self.assumed)


CURRENT_LAW = Law(RULES_VERSION)


def choose_law(name: str | None) -> Law:
    """Return the law of a version's name; None names the current one.

    Args:
        name: ``VERSION`` or ``VERSION+LW-...``.

    Raises:
        UnknownRulesVersionError: No such version, or nothing is known of the pending law.
    """
    if name is None:
        return CURRENT_LAW
    version, *assumed = name.split("+")
    if version not in RELEASES:
        raise UnknownRulesVersionError(f"Versions of the rules: {', '.join(RELEASES)}.")
    if not set(assumed) <= set(PENDING):
        raise UnknownRulesVersionError(f"Pending law that can be assumed: {', '.join(PENDING)}.")
    return Law(version, frozenset(assumed))


def choose_law_on(day: date) -> Law:
    """Return the law of the newest version that was adopted by ``day``, or the first one of all."""
    adopted = [version for version, adopted_on in RELEASES.items() if adopted_on <= day]
    return Law(adopted[-1] if adopted else FIRST_VERSION)


@cache
def _rank(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


class NotInForceError(Exception):
    """A rule asks for a threshold on a day on which there was none."""


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """A value and when it applies.

    Attributes:
        effective_from: First day, None for "always until then".
        effective_to: Last day, None while in force.
        citation: Where this value stands, if not where the rule stands.
        since: Version of the rule set that brought the row.
        pending: Id of the pending law that it belongs to.
    """

    value: T
    effective_from: date | None = None
    effective_to: date | None = None
    citation: str = ""
    since: str = FIRST_VERSION
    pending: str | None = None

    def covers(self, day: date) -> bool:
        """Tell whether the row applies on ``day``."""
        return (self.effective_from is None or self.effective_from <= day) and (
            self.effective_to is None or day <= self.effective_to
        )


class Schedule(Generic[T]):
    """A threshold by date. Of several rows that apply, the one written last counts."""

    __slots__ = ("rows",)

    def __init__(self, *rows: Row[T]) -> None:
        self.rows = rows

    def on(self, day: date, law: Law) -> T:
        """Return the value on ``day``.

        Raises:
            NotInForceError: No row applies.
        """
        for row in reversed(self.rows):
            if row.covers(day) and law.knows(row.since, row.pending):
                return row.value
        raise NotInForceError

    def describe(self, law: Law) -> list[dict[str, str | None]]:
        """Return the rows that the law knows, as JSON values."""
        return [
            {
                "value": str(row.value),
                "effective_from": row.effective_from.isoformat() if row.effective_from else None,
                "effective_to": row.effective_to.isoformat() if row.effective_to else None,
                "citation": row.citation or None,
                "pending": row.pending,
            }
            for row in self.rows
            if law.knows(row.since, row.pending)
        ]
