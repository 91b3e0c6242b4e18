"""Scenario files: load one scenario, judge what the rules answer.

The defaults of the format live here and nowhere else: an evaluation never assumes a fact.

Source: FACTS.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from service.rules.catalog import REGIMES
from service.rules.codes import MESSAGES, OBLIGATIONS
from service.rules.decision import Evaluation
from service.rules.engine import evaluate_transfer
from service.rules.facts import InvalidFactsError
from service.rules.rule import ACTIONS
from service.rules.scenario_text import ScenarioFileError, parse_scenario_text
from service.rules.schema import Shape, is_decimal, one_of, read_number, read_shape, read_string
from service.rules.transfer_schema import TRANSFER

SCHEMA_VERSION = 1
KINDS = ("transfer",)
_MEMBERS = frozenset({"id", "title", "kind", "rule", "confidence", "given", "expect", "note"})
_EXPECT: dict[str, Shape] = {
    "computed": {"*": lambda value, _path: value},
    "decision": one_of("permit", "deny", "review"),
    "obligations": (one_of(*OBLIGATIONS),),
    "reasons": (one_of(*MESSAGES),),
    "route": read_string,
}
_PARTY_DEFAULTS: Mapping[str, Any] = {
    "credential_status": "valid",
    "edd_done": False,
    "frozen": False,
    "identified": True,
    "is_fund": False,
    "institutional": False,
    "offshore": False,
    "owners": (),
    "pep": False,
    "qib": False,
    "qp": False,
    "regs_certified": False,
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "buyer": {**_PARTY_DEFAULTS, "excluded_501e": False, "existing_holder": False},
    "offering": {
        "bad_actor": False,
        "countries_allowed": None,
        "countries_blocked": None,
        "exchange_act_12g": False,
        "ica": None,
        "lockup_until": None,
        "min_quantity": 1,
        "shell": False,
        "state": "open",
        "unit_decimals": 0,
    },
    "policy": {
        "allow_exempt_flowback": False,
        "elapsed_boundary": "anniversary_permits",
        "freshness": "min_3_months_90_days",
        "max_screen_age_hours": 24,
        "safe_harbour_only": True,
    },
    "seller": {**_PARTY_DEFAULTS, "affiliate_sales": (), "exits": False},
    "trade": {"info_package": False, "info_rights_144a": False},
    "venue": {"licensed": True},
}
_OWNER_DEFAULTS: Mapping[str, Any] = {"blocked": False, "identified": True}
_LOT_DEFAULTS: Mapping[str, Any] = {"lien": False, "paid_in_full_on": None}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One loaded scenario: complete facts, and what is expected of them."""

    id: str
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
    if document.get("schema_version") != SCHEMA_VERSION:
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
        return Judgement(scenario_id, tuple(compare(scenario.expect, evaluate_transfer(scenario.facts))))
    except InvalidFactsError as error:
        return Judgement(scenario_id, (error.detail,))


def load_scenario(raw: Any) -> Scenario:
    """Load one parsed scenario and fill in the format's defaults.

    Raises:
        InvalidFactsError: An unknown field, kind, regime or action, or a value of the wrong kind, with its path.
    """
    if not isinstance(raw, dict):
        raise InvalidFactsError("a scenario is an object")
    if unknown := set(raw) - _MEMBERS:
        raise InvalidFactsError(f"{min(unknown)}: unknown field")
    if raw.get("kind") not in KINDS:
        raise InvalidFactsError("unknown kind at kind")
    facts = read_shape(_need(raw, "given"), TRANSFER, "given")
    _check_known(facts)
    return Scenario(
        id=read_string(_need(raw, "id"), "id"),
        facts=fill_defaults(facts),
        expect=read_shape(_need(raw, "expect"), _EXPECT, "expect"),
    )


def _need(raw: Mapping[str, Any], name: str) -> Any:
    if raw.get(name) is None:
        raise InvalidFactsError(f"{name}: missing")
    return raw[name]


def _check_known(facts: Mapping[str, Any]) -> None:
    if (facts.get("offering") or {}).get("regime") not in REGIMES:
        raise InvalidFactsError("unknown regime at given.offering.regime")
    if facts.get("action") not in ACTIONS:
        raise InvalidFactsError("unknown action at given.action")


def fill_defaults(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts with the format's defaults for what is absent; a party that takes no part stays absent."""
    filled = dict(facts)
    for name, defaults in _DEFAULTS.items():
        if name not in {"buyer", "seller"} or filled.get(name) is not None:
            filled[name] = {**defaults, **(filled.get(name) or {})}
    for name in ("buyer", "seller"):
        if filled.get(name) is not None:
            filled[name]["owners"] = _fill_entries(filled[name]["owners"], _OWNER_DEFAULTS)
    if filled.get("seller") is not None:
        filled["seller"]["affiliate_sales"] = list(filled["seller"]["affiliate_sales"] or ())
        if filled["seller"].get("lots") is not None:
            filled["seller"]["lots"] = _fill_entries(filled["seller"]["lots"], _LOT_DEFAULTS)
    return filled


def _fill_entries(entries: Any, defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{**defaults, **entry} for entry in entries or ()]


def compare(expect: Mapping[str, Any], given: Evaluation) -> Iterator[str]:
    """Yield every mismatch between what is expected and what the rules answered; an absent key is not judged."""
    codes = [reason.code for reason in given.reasons]
    if "decision" in expect and given.outcome != expect["decision"]:
        yield f"decision is {given.outcome} {codes}, expected {expect['decision']}"
    yield from _compare_reasons(expect.get("reasons"), codes)
    if given.outcome == "permit" and codes:
        yield f"a permit has reasons {codes}"
    obligations = sorted(obligation.code for obligation in given.obligations)
    if expect.get("obligations") is not None and obligations != sorted(set(expect["obligations"])):
        yield f"obligations are {obligations}, expected {sorted(expect['obligations'])}"
    if expect.get("route") is not None and given.route != expect["route"]:
        yield f"route is {given.route}, expected {expect['route']}"
    for name, value in (expect.get("computed") or {}).items():
        if name not in given.computed or not _is_same(given.computed[name], value):
            yield f"computed {name} is {given.computed.get(name)}, expected {value}"


def _compare_reasons(expected: list[str] | None, given: list[str]) -> Iterator[str]:
    if not expected:
        return
    if absent := [code for code in expected if code not in given]:
        yield f"reasons {absent} are not among {given}"
    elif given[0] != expected[0]:
        yield f"first reason is {given[0]}, expected {expected[0]}"


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
    return value.isoformat() if isinstance(value, date) else str(value)
