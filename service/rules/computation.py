"""The two entries to investor tests and limits: read the figures, work the answer out, say how.

Source: FACTS.md, kinds ``qualify`` and ``limit``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import localcontext
from typing import Any, TypeVar

from service.errors import InvalidInputError, ServiceError
from service.rules.catalog import LIMITS, TESTS
from service.rules.decision import Value
from service.rules.facts import EXACT, Facts, InvalidFactsError, MissingFactError, Number
from service.rules.law import CURRENT_LAW, RELEASES, Law, NotInForceError
from service.rules.rule import Confidence
from service.rules.schema import read_object
from service.rules.worksheet import InvestorLimit, InvestorTest, Step, Worksheet

_Answer = TypeVar("_Answer")
_Work = Callable[[Facts, Worksheet], _Answer]


class FigureMissingError(InvalidInputError):
    """The answer turns on a figure that nobody supplied."""

    code = "input_missing"


class NoSuchComputationError(InvalidInputError):
    """No test or limit of this id, or none on the day that is asked for."""

    code = "computation_unknown"


class ComputationFailedError(ServiceError):
    """A test or a limit broke on figures that it should have answered: a defect of its own."""

    code = "computation_failed"


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer of an investor test.

    Attributes:
        qualifies: Whether the figures pass.
        on: Civil date whose law was applied.
        category: Category of the qualified-investor credential that passing supports; None if it supports none.
        computed: Intermediate values by name.
        steps: The working.
        rules_version: Name of the law that was applied.
    """

    test_id: str
    qualifies: bool
    on: date
    category: str | None
    computed: Mapping[str, Value]
    steps: tuple[Step, ...]
    citation: str
    confidence: Confidence
    rules_version: str

    @property
    def explanation(self) -> tuple[str, ...]:
        """The working in English, a line per step."""
        return tuple(step.text for step in self.steps)


@dataclass(frozen=True, slots=True)
class LimitResult:
    """The answer of an investor limit; the attributes of :class:`Assessment` apply.

    Attributes:
        limit: Amount in ``currency``, or units where that is None; None means that there is no limit.
    """

    limit_id: str
    limit: Number | None
    on: date
    currency: str | None
    computed: Mapping[str, Value]
    steps: tuple[Step, ...]
    citation: str
    confidence: Confidence
    rules_version: str

    @property
    def explanation(self) -> tuple[str, ...]:
        """The working in English, a line per step."""
        return tuple(step.text for step in self.steps)


def find_release_day(law: Law) -> date:
    """Return the day of the law's release, which stands for ``as_of`` where nobody says one."""
    return RELEASES[law.version]


def find_test(test_id: str, law: Law = CURRENT_LAW) -> InvestorTest:
    """Return the investor test of an id.

    Raises:
        NoSuchComputationError: The law knows no such test.
    """
    test = TESTS.get(test_id)
    if test is None or not law.knows(test.since, test.pending):
        raise NoSuchComputationError(f"unknown investor test {test_id[:64]!r}")
    return test


def find_limit(limit_id: str, law: Law = CURRENT_LAW) -> InvestorLimit:
    """Return the investor limit of an id.

    Raises:
        NoSuchComputationError: The law knows no such limit.
    """
    limit = LIMITS.get(limit_id)
    if limit is None or not law.knows(limit.since, limit.pending):
        raise NoSuchComputationError(f"unknown limit {limit_id[:64]!r}")
    return limit


def assess_investor(
    test_id: str, figures: Mapping[str, Any], *, on: date, law: Law = CURRENT_LAW, path: str = "figures"
) -> Assessment:
    """Judge an investor's figures by one test.

    Args:
        test_id: Such as ``us.ai.income``.
        figures: The test's declared figures by name; null says "none" where the test allows it.
        on: Civil date whose law applies.
        path: What messages call ``figures``.

    Raises:
        NoSuchComputationError: No such test, or not on that day.
        InvalidFactsError: An unknown figure, or a value of the wrong kind, with its path.
        FigureMissingError: The answer turns on a figure that is absent.
        ComputationFailedError: The test has a defect.
    """
    test, sheet = find_test(test_id, law), Worksheet()
    return Assessment(
        test_id=test_id,
        qualifies=_work(test, test.judge, _read_figures(test, figures, on, law, path), sheet),
        on=on,
        category=test.category,
        computed=sheet.computed,
        steps=tuple(sheet.steps),
        citation=test.citation,
        confidence=test.confidence,
        rules_version=law.name,
    )


def compute_limit(
    limit_id: str, figures: Mapping[str, Any], *, on: date, law: Law = CURRENT_LAW, path: str = "figures"
) -> LimitResult:
    """Compute how much an investor may buy, or sell, under a regime.

    Arguments and errors are those of :func:`assess_investor`.
    """
    limit, sheet = find_limit(limit_id, law), Worksheet()
    return LimitResult(
        limit_id=limit_id,
        limit=_work(limit, limit.compute, _read_figures(limit, figures, on, law, path), sheet),
        on=on,
        currency=limit.currency,
        computed=sheet.computed,
        steps=tuple(sheet.steps),
        citation=limit.citation,
        confidence=limit.confidence,
        rules_version=law.name,
    )


def _read_figures(
    entry: InvestorTest | InvestorLimit, figures: Mapping[str, Any], on: date, law: Law, path: str
) -> Facts:
    read = read_object(figures, entry.figures, path)
    for name, value in entry.defaults.items():
        if read.get(name) is None:
            read[name] = value
    return Facts({**read, "as_of": on}, path, law)


def _work(entry: InvestorTest | InvestorLimit, work: _Work[_Answer], facts: Facts, sheet: Worksheet) -> _Answer:
    if entry.effective_from and facts.day("as_of") < entry.effective_from:
        raise _refuse_day(entry, facts)
    try:
        with localcontext(EXACT):
            return work(facts, sheet)
    except MissingFactError as error:
        raise FigureMissingError(f"INPUT_MISSING: {error.path} is missing and the answer turns on it") from None
    except NotInForceError:
        raise _refuse_day(entry, facts) from None
    except InvalidFactsError:
        raise
    except Exception as error:  # must stop this answer only, not the file of scenarios that it stands in
        raise ComputationFailedError(f"{entry.id} failed: {type(error).__name__}") from error


def _refuse_day(entry: InvestorTest | InvestorLimit, facts: Facts) -> NoSuchComputationError:
    return NoSuchComputationError(f"{entry.id} was not in force on {facts.day('as_of').isoformat()}")
