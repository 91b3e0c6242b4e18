"""What a scenario expects against what the rules answered; an absent key is not judged.

Source: FACTS.md, "How `rules test` judges".
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from service.rules.computation import Assessment, LimitResult
from service.rules.decision import Evaluation, Reason, Value
from service.rules.schema import is_decimal, read_number


def compare_evaluation(expect: Mapping[str, Any], given: Evaluation) -> Iterator[str]:
    """Yield every mismatch of a transfer's answer."""
    codes = [reason.code for reason in given.reasons]
    told = [_tell(reason) for reason in given.reasons]
    if "decision" in expect and given.outcome != expect["decision"]:
        yield f"decision is {given.outcome} {told}, expected {expect['decision']}"
    yield from _compare_reasons(expect.get("reasons"), codes, told)
    if given.outcome == "permit" and codes:
        yield f"a permit has reasons {codes}"
    obligations = sorted(obligation.code for obligation in given.obligations)
    if expect.get("obligations") is not None and obligations != sorted(set(expect["obligations"])):
        yield f"obligations are {obligations}, expected {sorted(expect['obligations'])}"
    if expect.get("route") is not None and given.route != expect["route"]:
        yield f"route is {given.route}, expected {expect['route']}"
    yield from _compare_computed(expect, given.computed)


def compare_assessment(expect: Mapping[str, Any], given: Assessment) -> Iterator[str]:
    """Yield every mismatch of an investor test's answer."""
    if "qualifies" in expect and given.qualifies is not expect["qualifies"]:
        yield f"qualifies is {_as_text(given.qualifies)}, expected {_as_text(expect['qualifies'])}"
    yield from _compare_computed(expect, given.computed)


def compare_limit(expect: Mapping[str, Any], given: LimitResult) -> Iterator[str]:
    """Yield every mismatch of a limit; an expected null says that there is none."""
    if "limit" in expect and given.limit != expect["limit"]:
        yield f"limit is {_as_text(given.limit)}, expected {_as_text(expect['limit'])}"
    yield from _compare_computed(expect, given.computed)


def _tell(reason: Reason) -> str:
    """Return the code of a reason, with the fact that it misses."""
    return f"{reason.code} {reason.evidence['field']}" if reason.code == "INPUT_MISSING" else reason.code


def _compare_reasons(expected: list[str] | None, given: list[str], told: list[str]) -> Iterator[str]:
    if not expected:
        return
    if absent := [code for code in expected if code not in given]:
        yield f"reasons {absent} are not among {told}"
    elif given[0] != expected[0]:
        yield f"first reason is {given[0]}, expected {expected[0]}"


def _compare_computed(expect: Mapping[str, Any], given: Mapping[str, Value]) -> Iterator[str]:
    for name, value in (expect.get("computed") or {}).items():
        if name not in given or not _is_same(given[name], value):
            yield f"computed {name} is {given.get(name)}, expected {value}"


def _is_same(given: Any, expected: Any) -> bool:
    """Compare as numbers where both are, else as strings."""
    given_number, expected_number = _as_number(given), _as_number(expected)
    if given_number is not None and expected_number is not None:
        return given_number == expected_number
    return _as_text(given) == _as_text(expected)


def _as_number(value: Any) -> Decimal | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        return value
    return read_number(value, "") if isinstance(value, str) and is_decimal(value) else None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    return value.isoformat() if isinstance(value, date) else str(value)
