"""Which checks run, and when: what the plan leaves out would have found nothing."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rules import engine, evaluate_transfer, plan
from service.rules.catalog import ALWAYS_RULES, REGIMES, list_rules
from service.rules.law import CURRENT_LAW
from service.rules.plan import Plan, plan_checks
from service.rules.rule import Regime, Rule
from tests.unit.rules.support import ALL, facts_of

BOTH = ("seller", "buyer")
TEXTS: list[Rule | Regime] = [
    *ALWAYS_RULES,
    *REGIMES.values(),
    *(rule for regime in REGIMES.values() for rule in regime.rules),
]
EDGES = sorted({day for text in TEXTS for day in (text.effective_from, text.effective_to) if day})
days = (
    st.builds(lambda day, shift: day + timedelta(days=shift), st.sampled_from(EDGES), st.integers(-1, 1)) | st.dates()
)


@given(st.sampled_from(sorted(REGIMES)), st.sampled_from(["primary", "secondary", "forced"]), days)
def test_plan_holds_the_rules_of_its_day(regime_id: str, action: str, day: date) -> None:
    regime = REGIMES[regime_id]
    planned = plan_checks(regime, action, BOTH, CURRENT_LAW, day)
    expected = [rule.id for rule in (*ALWAYS_RULES, *regime.rules) if action in rule.actions and rule.is_in_force(day)]
    assert list(dict.fromkeys(rule.id for (rule, *_), _idle in planned.checks)) == expected
    assert planned.in_force == regime.is_in_force(day)


def test_party_that_did_not_act_is_bound_by_sanctions_only() -> None:
    planned = plan_checks(REGIMES["us.506c"], "forced", BOTH, CURRENT_LAW, date(2026, 11, 23))
    of_seller = {rule.id for (rule, role, _), _idle in planned.checks if role == "seller"}
    assert of_seller == {"always.sanctions", "always.sanctions_owners", "always.screening_age"}


def test_idle_checks_would_find_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {scenario_id: evaluate_transfer(facts) for scenario_id, facts in ALL.items()}

    def plan_everything(*arguments: Any) -> Plan:
        planned = plan_checks(*arguments)
        return replace(planned, usual=(), never_idle=tuple(check for check, _ in planned.checks))

    monkeypatch.setattr(engine, "plan_checks", plan_everything)
    assert {scenario_id: evaluate_transfer(facts) for scenario_id, facts in ALL.items()} == answers


@pytest.mark.parametrize("rule", [rule for rule in list_rules().values() if rule.idle_if], ids=lambda rule: rule.id)
def test_idle_rule_reads_what_makes_it_idle(rule: Rule) -> None:
    assert rule.idle_if
    assert rule.idle_if[0] in rule.inputs


@pytest.mark.parametrize("value", [0, "", "false", [], None])
def test_value_of_another_type_leaves_no_check_idle(value: Any) -> None:
    codes = [reason.code for reason in evaluate_transfer(facts_of("S-506C-01", buyer__frozen=value)).reasons]
    assert codes == ["INPUT_MISSING" if value is None else "RULE_FAILED"]


def test_rules_are_idle_with_one_value_of_a_fact() -> None:
    with pytest.raises(ValueError, match=r"offering\.state"):
        plan._merge_idle([("offering", "state", "open"), ("buyer", "state", "NY"), ("offering", "state", "closed")])
