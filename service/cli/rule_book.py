"""Everything that the rules declare, by id, as JSON values: what ``rules list`` and ``rules show`` print."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from service.cli.rule_words import BY_ENGINE, ROUTES, list_codes, list_givers, list_routes
from service.rules.catalog import (
    ALWAYS_RULES,
    CATEGORIES,
    LIMITS,
    REGIMES,
    RULES_SHA256,
    TESTS,
    describe_computation,
    describe_regime,
    describe_rule,
    digest_rules,
    list_rules,
)
from service.rules.categories import CategoryFacts
from service.rules.codes import CAPS, CREDENTIAL, IDENTITY, MECHANICS, MESSAGES, OBLIGATIONS, REGIME
from service.rules.law import PENDING, RELEASES, RULES_VERSION, Law, Schedule
from service.rules.purposes import PURPOSES, describe_purpose
from service.rules.rule import ACTIONS, Regime, Rule
from service.rules.worksheet import InvestorLimit, InvestorTest
from service.schema_files import load_claims_schema, load_reason_codes

Entry = dict[str, Any]
ALL_LAW = Law(RULES_VERSION, frozenset(PENDING))
"""The newest version with all pending law: for showing what there is, each row with its days."""
_FEW = 6
_CLASSES = {
    "identity and sanctions": IDENTITY,
    "credentials": CREDENTIAL,
    "mechanics": MECHANICS,
    "caps": CAPS,
    "regime": REGIME,
}


def list_all() -> Entry:
    """Return all that the rules declare, as ``rules list --json`` prints it."""
    return {
        "version": RULES_VERSION,
        "sha256": RULES_SHA256,
        "regimes": [_describe_regime(regime) for regime in REGIMES.values()],
        "rules": [_describe_rule(rule) for rule in list_rules(ALL_LAW).values()],
        "tests": [_describe_computation("test", test) for test in TESTS.values()],
        "limits": [_describe_computation("limit", limit) for limit in LIMITS.values()],
        "categories": [_describe_category(category) for category in list_categories()],
        "codes": [_describe_code(code) for code in (*MESSAGES, *OBLIGATIONS)],
        "purposes": [describe_purpose(purpose) for purpose in PURPOSES.values()],
        "releases": [_describe_release(version) for version in RELEASES],
        "pending": [_describe_pending(law_id) for law_id in PENDING],
    }


def find_entries(entry_id: str) -> list[Entry]:
    """Return every entry of an id, upper and lower case alike; the most particular one first.

    An id may name several things: ``us.reg_cf`` is a regime and a limit, ``us.ai.income`` a test and a category. What
    is none may be the beginning of several, as ``us.12g``.
    """
    wanted = entry_id.casefold()
    found = [
        describe(name)
        for known, describe in _FINDERS
        for name in known()
        if name.casefold() == wanted  # ids are few
    ]
    return found or list(_describe_pack(wanted.rstrip(".")))


def suggest_ids(entry_id: str) -> list[str]:
    """Return ids that are like an unknown one, best first."""
    names = {name.casefold(): name for known, _ in _FINDERS for name in known()}
    wanted = entry_id.casefold()
    near = get_close_matches(wanted, names, n=5, cutoff=0.6)
    holding = sorted(name for name in names if len(wanted) > 2 and wanted in name)
    return [names[name] for name in dict.fromkeys([*near, *holding])][:8]


def list_categories() -> list[str]:
    """Return the ids of the investor categories that a credential can state."""
    return list(load_claims_schema("qualified-investor")["properties"]["category"]["enum"])


def list_rules_of(action: str, rules: tuple[Rule, ...]) -> list[str]:
    """Return the ids of those rules that apply to an action, in the order of evaluation."""
    return [rule.id for rule in rules if action in rule.actions]


def _describe_regime(regime: Regime) -> Entry:
    return {
        "kind": "regime",
        **describe_regime(regime, ALL_LAW),
        "since": regime.since,
        "pending": regime.pending,
        "asks_category": regime.asks_category,
        "asks_category_for": sorted(regime.asks_on) if regime.asks_category else [],
        "credentials": [need.credential_type for need in regime.needs],
    }


def _describe_rule(rule: Rule) -> Entry:
    return {
        "kind": "rule",
        **describe_rule(rule, ALL_LAW),
        "since": rule.since,
        "regimes": [regime.id for regime in REGIMES.values() if rule in regime.rules] or ["all"],
        "codes": list_codes(rule),
        "routes": list_routes(rule),
    }


def _describe_computation(kind: str, entry: InvestorTest | InvestorLimit) -> Entry:
    category = {"category": entry.category} if isinstance(entry, InvestorTest) else {}
    return {"kind": kind, **describe_computation(entry, ALL_LAW), "since": entry.since, **category}


def _describe_code(code: str) -> Entry:
    published = load_reason_codes()[code]
    of_engine = code in BY_ENGINE
    return {
        "kind": published["kind"],
        "id": code,
        "means": {**MESSAGES, **OBLIGATIONS}[code],
        "class": next((name for name, codes in _CLASSES.items() if code in codes), "obligation"),
        "outward": published["outward"],
        "basis": published["basis"],
        "remedy": published["remedy"],
        "rules": ["any rule"] if of_engine else [rule.id for rule in list_givers(code, ALL_LAW)],
        "projections": published["projections"],
    }


def _describe_category(category: str) -> Entry:
    facts = next((each for each in CATEGORIES if each.covers(category)), None)
    return {
        "kind": "category",
        "id": category,
        "facts": _describe_facts(category, facts) if facts else {},
        "tests": [test.id for test in TESTS.values() if test.category == category],
        "regimes": [regime.id for regime in REGIMES.values() if category.startswith(regime.asks_category or "\0")],
    }


def _describe_facts(category: str, facts: CategoryFacts) -> Entry:
    """Return what a credential of the category says in a transfer's facts."""
    given: Entry = {f"buyer.{facts.flag}": True} if facts.flag else {}
    if facts.value_fact:
        given[f"buyer.{facts.value_fact}"] = facts.name_value(category)
    for name, value in ((facts.date_fact, "day of the status"), (facts.opt_in_fact, "scope names the institution")):
        given |= {f"buyer.{name}": value} if name else {}
    return given | ({"buyer.verification": "how it was verified"} if facts.verification else {})


def _describe_action(action: str) -> Entry:
    of_regimes = {regime.id: list_rules_of(action, regime.rules) for regime in REGIMES.values()}
    return {
        "kind": "action",
        "id": action,
        "always": list_rules_of(action, ALWAYS_RULES),
        "then_by_regime": {regime_id: rules for regime_id, rules in of_regimes.items() if rules},
    }


def _describe_route(route_id: str) -> Entry:
    route, citation = ROUTES[route_id]
    rules = [rule for rule in list_rules(ALL_LAW).values() if route_id in list_routes(rule)]
    thresholds = {
        name.removeprefix(f"{route}."): value.describe(ALL_LAW) if isinstance(value, Schedule) else value
        for rule in rules
        for name, value in rule.parameters.items()
        if name.startswith(f"{route}.")
    }
    return {
        "kind": "route",
        "id": route_id,
        "citation": citation,
        "route": route,
        "rules": [rule.id for rule in rules],
        "regimes": sorted({regime.id for regime in REGIMES.values() for rule in rules if rule in regime.rules}),
        "parameters": thresholds,
    }


def _describe_release(version: str) -> Entry:
    law = Law(version)
    return {
        "kind": "version",
        "id": version,
        "adopted_on": RELEASES[version].isoformat(),
        "sha256": digest_rules(law),
        "rules": len(list_rules(law)),
        "regimes": sum(law.knows(regime.since, regime.pending) for regime in REGIMES.values()),
    }


def _describe_pending(law_id: str) -> Entry:
    return {
        "kind": "pending law",
        "id": law_id,
        "title": PENDING[law_id],
        "assume_with": f"{RULES_VERSION}+{law_id}",
        "brings": [entry.id for entry in _list_texts() if entry.pending == law_id],
        "changes": list(_list_changes(law_id)),
    }


def _list_texts() -> list[Rule | Regime | InvestorTest | InvestorLimit]:
    return [*list_rules(ALL_LAW).values(), *REGIMES.values(), *TESTS.values(), *LIMITS.values()]


def _list_changes(law_id: str) -> Iterator[Entry]:
    """Yield the rows of thresholds that the pending law brings."""
    texts: list[Rule | InvestorTest | InvestorLimit] = [
        *list_rules(ALL_LAW).values(),
        *TESTS.values(),
        *LIMITS.values(),
    ]
    for entry in texts:
        for name, value in entry.parameters.items():
            for row in value.describe(ALL_LAW) if isinstance(value, Schedule) else ():
                if row["pending"] == law_id:
                    yield {"id": entry.id, "parameter": name, **row}


def _describe_pack(prefix: str) -> Iterator[Entry]:
    """Yield what there is below a beginning of ids, such as ``us.12g``, and its rules if they are few."""
    below = {
        kind: [name for name in known if name.casefold().startswith(f"{prefix}.")]
        for kind, known in (
            ("regimes", REGIMES),
            ("rules", list_rules(ALL_LAW)),
            ("tests", TESTS),
            ("limits", LIMITS),
            ("categories", list_categories()),
        )
    }
    if any(below.values()):
        yield {"kind": "pack", "id": prefix, **below}
        if len(below["rules"]) <= _FEW:
            yield from (_describe_rule(list_rules(ALL_LAW)[name]) for name in below["rules"])


_Finder = tuple[Callable[[], Any], Callable[[str], Entry]]
_FINDERS: tuple[_Finder, ...] = (
    (lambda: REGIMES, lambda name: _describe_regime(REGIMES[name])),
    (lambda: list_rules(ALL_LAW), lambda name: _describe_rule(list_rules(ALL_LAW)[name])),
    (lambda: TESTS, lambda name: _describe_computation("test", TESTS[name])),
    (lambda: LIMITS, lambda name: _describe_computation("limit", LIMITS[name])),
    (lambda: ROUTES, _describe_route),
    (lambda: (*MESSAGES, *OBLIGATIONS), _describe_code),
    (list_categories, _describe_category),
    (lambda: ACTIONS, _describe_action),
    (lambda: PENDING, _describe_pending),
    (lambda: RELEASES, _describe_release),
)
