"""Investor tests and limits: computed from figures, with the working shown.

The figures stay with whoever enters them; what leaves is the answer. A test that turns on an absent figure has no
answer: it raises.

Source: rules.yaml, categories; FACTS.md, kinds ``qualify`` and ``limit``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from service.rules.decision import Value
from service.rules.facts import Facts, Number
from service.rules.law import FIRST_VERSION, Schedule
from service.rules.rule import Confidence, Source
from service.rules.schema import Shape

Comparator = Literal[">", ">=", "<", "<="]
_HOLDS: Mapping[Comparator, Callable[[Number, Number], bool]] = {
    ">": lambda value, line: value > line,
    ">=": lambda value, line: value >= line,
    "<": lambda value, line: value < line,
    "<=": lambda value, line: value <= line,
}


@dataclass(slots=True)
class Worksheet:
    """The working of one test: values by name, and a line of text per step."""

    computed: dict[str, Value] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def note(self, name: str, value: Value, line: str = "") -> None:
        """Keep an intermediate value, and say how it came about."""
        self.computed[name] = value
        if line:
            self.lines.append(line)

    def compare(self, label: str, value: Number, comparator: Comparator, threshold: Number) -> bool:
        """Compare a value with a threshold and write the line."""
        holds = _HOLDS[comparator](value, threshold)
        self.lines.append(f"{label}: {_show(value)} {comparator} {_show(threshold)} {'holds' if holds else 'fails'}")
        return holds

    def state(self, label: str, holds: bool) -> bool:
        """Write a line about something that is so or not."""
        self.lines.append(f"{label}: {'yes' if holds else 'no'}")
        return holds


def _show(number: Number) -> str:
    return f"{number:,}"


@dataclass(frozen=True, slots=True)
class InvestorTest:
    """A test of an investor's status.

    Attributes:
        id: ``given.test`` of a scenario, such as ``us.ai.income``.
        category: Category of the qualified-investor credential that passing it supports; None if it supports none.
        figures: The inputs and their readers.
        defaults: What stands for a figure that is left out; only where that cannot loosen the answer.
        judge: Tells whether the figures qualify; reads ``as_of``, a civil date that is always there.
        evidence: What a reviewer asks for, a line per document.
        parameters: Thresholds, for the listing and the digest.
    """

    id: str
    title: str
    citation: str
    source: Source
    confidence: Confidence
    category: str | None
    currency: str | None
    figures: Mapping[str, Shape]
    judge: Callable[[Facts, Worksheet], bool]
    defaults: Mapping[str, Value] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    parameters: Mapping[str, str | Schedule[Any]] = field(default_factory=dict)
    effective_from: date | None = None
    since: str = FIRST_VERSION
    pending: str | None = None


@dataclass(frozen=True, slots=True)
class InvestorLimit:
    """What an investor may buy, or sell, under a regime; attributes not listed are those of :class:`InvestorTest`.

    Attributes:
        id: ``given.regime`` of a scenario, such as ``us.reg_cf``.
        compute: Returns the limit, None for none; reads ``as_of``, a civil date that is always there.
    """

    id: str
    title: str
    citation: str
    source: Source
    confidence: Confidence
    currency: str | None
    figures: Mapping[str, Shape]
    compute: Callable[[Facts, Worksheet], Number | None]
    defaults: Mapping[str, Value] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    parameters: Mapping[str, str | Schedule[Any]] = field(default_factory=dict)
    effective_from: date | None = None
    since: str = FIRST_VERSION
    pending: str | None = None
