"""Scenario files: load one scenario of any kind, judge what the rules answer.

Source: FACTS.md.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import ServiceError
from service.rules.catalog import LIMITS, REGIMES, TESTS
from service.rules.codes import MESSAGES, OBLIGATIONS
from service.rules.computation import assess_investor, compute_limit, find_release_day
from service.rules.engine import evaluate_transfer
from service.rules.facts import InvalidFactsError
from service.rules.law import CURRENT_LAW
from service.rules.rule import ACTIONS
from service.rules.scenario_comparison import compare_assessment, compare_evaluation, compare_limit
from service.rules.scenario_defaults import fill_defaults
from service.rules.scenario_text import ScenarioFileError, parse_scenario_text
from service.rules.schema import Shape, one_of, read_day, read_flag, read_number, read_shape, read_string
from service.rules.transfer_schema import TRANSFER

SCHEMA_VERSION = 1
_MEMBERS = frozenset({"id", "title", "kind", "rule", "confidence", "given", "expect", "note"})
_COMPUTED: dict[str, Shape] = {"computed": {"*": lambda value, _path: value}}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One loaded scenario: complete facts, and what is expected of them.

    Attributes:
        kind: ``transfer``, ``qualify`` or ``limit``.
        facts: The facts of a transfer, with the format's defaults; the figures of a test or limit as they stand.
    """

    id: str
    kind: str
    facts: Mapping[str, Any]
    expect: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one scenario went; no mismatches means that it passed."""

    scenario_id: str
    mismatches: tuple[str, ...]


def judge_text(text: str) -> Iterator[Judgement]:
    """Judge every scenario of one file's text.

    A scenario that cannot be loaded is judged as failed, with the path of what is wrong; the others go on.

    Raises:
        ScenarioFileError: The file itself is unreadable or of another version.
    """
    document = parse_scenario_text(text)
    if not isinstance(document, dict) or not isinstance(document.get("scenarios"), list):
        raise ScenarioFileError("a scenario file is an object with a list of scenarios")
    if document.get("schema_version") != SCHEMA_VERSION or document["schema_version"] is True:
        raise ScenarioFileError(f"schema_version must be {SCHEMA_VERSION}")
    if unknown := set(document) - {"schema_version", "scenarios"}:
        raise ScenarioFileError(f"{min(unknown)}: unknown field")
    for index, raw in enumerate(document["scenarios"]):
        yield judge_raw(raw, f"scenarios[{index}]")


def judge_raw(raw: Any, name: str) -> Judgement:
    """Judge one parsed scenario; ``name`` stands in where it has no id."""
    scenario_id = raw["id"] if isinstance(raw, dict) and isinstance(raw.get("id"), str) else name
    try:
        scenario = load_scenario(raw)
        return Judgement(scenario_id, tuple(_KINDS[scenario.kind].judge(scenario)))
    except ServiceError as error:
        return Judgement(scenario_id, (error.detail,))


def load_scenario(raw: Any) -> Scenario:
    """Load one parsed scenario and fill in the format's defaults.

    Raises:
        InvalidFactsError: An unknown field, kind, regime, action, test or limit, or a value of the wrong kind, with
            its path.
    """
    if not isinstance(raw, dict):
        raise InvalidFactsError("a scenario is an object")
    if unknown := raw.keys() - _MEMBERS:
        raise InvalidFactsError(f"{min(unknown)}: unknown field")
    name = raw.get("kind")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise InvalidFactsError("unknown kind at kind")
    return Scenario(
        id=read_string(_need(raw, "id"), "id"),
        kind=raw["kind"],
        facts=kind.load(_need(raw, "given")),
        expect=read_shape(_need(raw, "expect"), kind.expect, "expect"),
    )


def _need(raw: Mapping[str, Any], name: str) -> Any:
    if raw.get(name) is None:
        raise InvalidFactsError(f"{name}: missing")
    return raw[name]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How scenarios of one kind are loaded and judged."""

    expect: dict[str, Shape]
    load: Callable[[Any], Mapping[str, Any]]
    judge: Callable[[Scenario], Iterator[str]]


def _load_transfer(given: Any) -> Mapping[str, Any]:
    facts = read_shape(given, TRANSFER, "given")
    if (facts.get("offering") or {}).get("regime") not in REGIMES:
        raise InvalidFactsError("unknown regime at given.offering.regime")
    if facts.get("action") not in ACTIONS:
        raise InvalidFactsError("unknown action at given.action")
    return fill_defaults(facts)


def _judge_transfer(scenario: Scenario) -> Iterator[str]:
    return compare_evaluation(scenario.expect, evaluate_transfer(scenario.facts))


def _load_figures(given: Any, name: str, known: Mapping[str, object], what: str) -> Mapping[str, Any]:
    """Check that ``given`` names a known test or limit under ``name``; its figures are read when it is worked."""
    if not isinstance(given, dict):
        raise InvalidFactsError("given: an object is needed")
    entry_id = read_string(given.get(name), f"given.{name}")
    if entry_id not in known:
        raise InvalidFactsError(f"unknown {what} {entry_id[:64]!r} at given.{name}")
    return given


def _load_test(given: Any) -> Mapping[str, Any]:
    return _load_figures(given, "test", TESTS, "investor test")


def _load_limit(given: Any) -> Mapping[str, Any]:
    return _load_figures(given, "regime", LIMITS, "limit")


def _take_day(given: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Any]:
    """Split ``given`` into the figures and the day whose law applies."""
    figures = {field: value for field, value in given.items() if field not in (name, "as_of")}
    as_of = given.get("as_of")
    return figures, find_release_day(CURRENT_LAW) if as_of is None else read_day(as_of, "given.as_of")


def _judge_test(scenario: Scenario) -> Iterator[str]:
    figures, day = _take_day(scenario.facts, "test")
    return compare_assessment(scenario.expect, assess_investor(scenario.facts["test"], figures, on=day, path="given"))


def _judge_limit(scenario: Scenario) -> Iterator[str]:
    figures, day = _take_day(scenario.facts, "regime")
    return compare_limit(scenario.expect, compute_limit(scenario.facts["regime"], figures, on=day, path="given"))


_KINDS: Mapping[str, _Kind] = {
    "limit": _Kind({**_COMPUTED, "limit": read_number}, _load_limit, _judge_limit),
    "qualify": _Kind({**_COMPUTED, "qualifies": read_flag}, _load_test, _judge_test),
    "transfer": _Kind(
        {
            **_COMPUTED,
            "decision": one_of("permit", "deny", "review"),
            "obligations": (one_of(*OBLIGATIONS),),
            "reasons": (one_of(*MESSAGES),),
            "route": read_string,
        },
        _load_transfer,
        _judge_transfer,
    ),
}
