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


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the working, in parts, so that pages can say it in other languages.

    Attributes:
        wording: English, with ``{name}`` for each of ``values``, and the key of its translations; where a figure is
            compared by its own name, that name.
        comparison: Such as ``1,000 > 500``; empty where nothing is compared.
        holds: What came out; None for a line that only says how a value came about.
    """

    wording: str
    values: Mapping[str, str]
    comparison: str = ""
    holds: bool | None = None

    @property
    def text(self) -> str:
        """The line in English."""
        label = self.wording.format(**self.values)
        if self.holds is None:
            return label
        if self.comparison:
            return f"{label}: {self.comparison} {'holds' if self.holds else 'fails'}"
        return f"{label}: {'yes' if self.holds else 'no'}"


@dataclass(slots=True)
class Worksheet:
    """The working of one test: values by name, and the steps to them."""

    computed: dict[str, Value] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def note(self, name: str, value: Value) -> None:
        """Keep an intermediate value."""
        self.computed[name] = value

    def explain(self, wording: str, **values: str | Number) -> None:
        """Say how a value came about."""
        self.steps.append(Step(wording, _show_all(values)))

    def compare(
        self, wording: str, value: Number, comparator: Comparator, threshold: Number, **values: str | Number
    ) -> bool:
        """Compare a value with a threshold and write the line."""
        holds = _HOLDS[comparator](value, threshold)
        comparison = f"{_show(value)} {comparator} {_show(threshold)}"
        self.steps.append(Step(wording, _show_all(values), comparison, holds))
        return holds

    def state(self, wording: str, holds: bool, **values: str | Number) -> bool:
        """Write a line about something that is so or not."""
        self.steps.append(Step(wording, _show_all(values), holds=holds))
        return holds


def _show_all(values: Mapping[str, str | Number]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else _show(value) for name, value in values.items()}


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
