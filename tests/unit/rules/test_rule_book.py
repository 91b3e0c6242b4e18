"""``rules list`` and ``rules show``: everything is found by its id, and what a rule can answer is read off its code."""

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.rule_book import ALL_LAW, find_entries, list_all, list_categories, suggest_ids
from service.cli.rule_words import BY_ENGINE, ROUTES, list_codes, list_routes
from service.cli.rules import ListedKind, app
from service.rules.catalog import ALWAYS_RULES, LIMITS, REGIMES, TESTS, list_rules
from service.rules.codes import MESSAGES, OBLIGATIONS
from service.rules.engine import evaluate_transfer
from service.rules.law import PENDING, RELEASES
from service.rules.rule import ACTIONS
from service.rules.scenario import load_scenario
from tests.unit.rules.test_scenarios import RAW

run = CliRunner().invoke
EVERY_ID = (
    *(*REGIMES, *list_rules(ALL_LAW), *TESTS, *LIMITS, *ROUTES, *MESSAGES, *OBLIGATIONS),
    *(*list_categories(), *ACTIONS, *PENDING, *RELEASES),
)
TRANSFERS = [load_scenario(raw) for raw in RAW if raw["kind"] == "transfer"]


def test_every_id_is_found_in_any_case_and_none_is_left_empty() -> None:
    for entry_id in EVERY_ID:
        found = find_entries(entry_id.swapcase())
        assert {entry["id"] for entry in found} == {entry_id}
        assert json.dumps(found)


def test_rules_give_only_codes_that_their_own_code_names() -> None:
    """The codes are read statically; what every scenario answers proves that none is overlooked."""
    given = {(reason.code, reason.citation) for each in TRANSFERS for reason in evaluate_transfer(each.facts).reasons}
    declared = {(code, rule.citation) for rule in list_rules().values() for code in list_codes(rule)}
    assert {pair for pair in given - declared if pair[0] not in BY_ENGINE} == set()
    assert len(given) > 60


def test_routes_and_obligations_of_decisions_are_named_by_a_rule() -> None:
    answers = [evaluate_transfer(each.facts) for each in TRANSFERS]
    named = {code for rule in list_rules().values() for code in list_codes(rule)} | {"OBL_HOLD_ONLY"}
    assert {obligation.code for answer in answers for obligation in answer.obligations} <= named
    tried = {ROUTES[route][0] for rule in list_rules().values() for route in list_routes(rule)}
    assert {answer.route for answer in answers if answer.route} == tried == {route for route, _ in ROUTES.values()}


def test_every_reason_has_a_rule_that_gives_it() -> None:
    lonely = {code["id"] for code in list_all()["codes"] if not code["rules"]}
    assert lonely == {"OBL_HOLD_ONLY"}  # the engine's own: what an ineligible taker may do


def test_an_id_that_names_several_things_shows_all() -> None:
    assert [entry["kind"] for entry in find_entries("us.reg_cf")] == ["regime", "limit"]
    assert [entry["kind"] for entry in find_entries("us.ai.income")] == ["test", "category"]


@pytest.mark.parametrize(
    ("entry_id", "expected"),
    [
        ("us.506c", {"kind": "regime", "confidence": "H", "source": "secondary", "effective_from": "2013-09-23"}),
        ("us.3c1.owners", {"kind": "rule", "basis": "law", "codes": ["US_3C1_LIMIT"], "regimes": ["all"]}),
        ("us.rule144", {"kind": "route", "route": "rule144", "citation": "17 CFR 230.144"}),
        ("US_12G_2000", {"kind": "reason", "class": "caps", "rules": ["register.holder_cap", "us.12g.holders"]}),
        ("INPUT_MISSING", {"kind": "reason", "class": "mechanics", "rules": ["any rule"]}),
        ("OBL_LEGEND", {"kind": "obligation", "class": "obligation"}),
        ("us.ai.net_worth", {"kind": "test", "category": "us.ai.net_worth"}),
        ("hk.pi.individual", {"kind": "test"}),
        ("2026.11.1", {"kind": "version", "adopted_on": "2026-11-23"}),
        ("us.12g", {"kind": "pack", "rules": ["us.12g.holders", "us.12g.nonaccredited"]}),
    ],
)
def test_show_tells(entry_id: str, expected: dict[str, Any]) -> None:
    shown = json.loads(run(app, ["show", entry_id, "--json"]).stdout)
    assert {name: shown[name] for name in expected} == expected


def test_category_says_which_facts_it_gives() -> None:
    facts = find_entries("hk.pi.individual")[1]["facts"]
    assert facts["buyer.hk_pi"] is True
    assert facts["buyer.hk_pi_class"] == "individual"


def test_action_lists_its_checks_in_order() -> None:
    [action] = find_entries("pledge")
    assert action["always"] == [rule.id for rule in ALWAYS_RULES if "pledge" in rule.actions]
    assert action["then_by_regime"] == {}
    assert "us.506c.accredited" in find_entries("primary")[0]["then_by_regime"]["us.506c"]


def test_thresholds_that_change_are_shown_by_date() -> None:
    lines = run(app, ["show", "us.3c1.owners"]).stdout.splitlines()
    assert lines[lines.index("3c1_qvcf") + 1].split() == ["value", "from", "to", "citation", "pending"]
    assert lines[lines.index("3c1_qvcf") + 2].split() == ["100", "2018-05-23"]
    assert any(line.split()[0] == "500" and line.endswith("LW-US-INVEST") for line in lines if line)
    pending = find_entries("LW-US-INVEST")[0]
    assert {change["parameter"] for change in pending["changes"]} == {"3c1_qvcf", "3c1_qvcf.capital"}


def test_unknown_id_names_what_is_near() -> None:
    result = run(app, ["show", "us.506x"])
    assert result.exit_code == 1
    assert "us.506c" in result.stderr
    assert suggest_ids("us_3c1") == ["US_3C1_LIMIT"]
    assert suggest_ids("\x1b") == []


@pytest.mark.parametrize("kind", ListedKind)
def test_list_can_be_narrowed(kind: ListedKind) -> None:
    assert re.findall(r"^(\w+) \(\d+\)$", run(app, ["list", "--kind", kind]).stdout, re.MULTILINE) == [kind]
    named = "releases" if kind == ListedKind.VERSIONS else kind
    assert set(json.loads(run(app, ["list", "--kind", kind, "--json"]).stdout)) == {"version", "sha256", named}
