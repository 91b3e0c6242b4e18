"""What a check can find, and how findings add up."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

Outcome = str  # permit, deny or review


@dataclass(frozen=True)
class Verdict:
    """The reference's answer; ``complete`` says that ``codes`` are all the reasons there are."""

    outcome: Outcome
    codes: frozenset[str]
    complete: bool


@dataclass(frozen=True)
class Finding:
    """What one check found; a denial whose code the book does not name has no codes."""

    outcome: Outcome
    codes: frozenset[str] = frozenset()


class MissingFactError(Exception):
    """A fact that the check depends on was not supplied."""


class OpenQuestionError(Exception):
    """The book leaves open what follows from these facts."""


PASS = Finding("permit")
UNNAMED_DENIAL = Finding("deny")


def deny(*codes: str) -> Finding:
    return Finding("deny", frozenset(codes))


def review(code: str) -> Finding:
    return Finding("review", frozenset({code}))


def leave_open(question: str) -> NoReturn:
    raise OpenQuestionError(question)


Check = Callable[[], Finding]
Condition = Callable[[], bool]


def any_route(*routes: Condition) -> bool:
    """Tell whether one alternative holds.

    Raises:
        OpenQuestionError: None surely holds, and for one of them the book leaves it open.
        MissingFactError: None surely holds, and one of them might if a fact were supplied.
    """
    doubts: list[Exception] = []
    for route in routes:
        try:
            if route():
                return True
        except (MissingFactError, OpenQuestionError) as doubt:
            doubts.append(doubt)
    if doubts:
        raise min(doubts, key=lambda raised: isinstance(raised, MissingFactError))
    return False


def combine(checks: Iterable[Check]) -> Verdict | None:
    """Run every check; a denial is sure whatever else is open, anything less needs every check answered."""
    findings, open_questions = [], 0
    for check in checks:
        try:
            findings.append(check())
        except MissingFactError:
            findings.append(deny("INPUT_MISSING"))
        except OpenQuestionError:
            open_questions += 1
    outcomes = {finding.outcome for finding in findings}
    codes = frozenset(code for finding in findings for code in finding.codes)
    if "deny" in outcomes:
        complete = not open_questions and UNNAMED_DENIAL not in findings
        return Verdict("deny", codes, complete)
    if open_questions:
        return None
    return Verdict("review" if "review" in outcomes else "permit", codes, complete=True)
