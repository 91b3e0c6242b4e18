"""What holds for any facts: determinism, and that knowing less never permits more."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.rules import evaluate_transfer
from service.rules.facts import InvalidFactsError
from tests.unit.rules.support import ALL, iterate_paths, shuffled, without

scenario_ids = st.sampled_from(sorted(ALL))
SAID_ONLY_TO_DENY = {
    ("state",),  # a register without these keeps no such limits
    ("state", "unissued"),
    ("caps",),
    ("caps", "holders"),
    ("caps", "nonaccredited_holders"),
    ("caps", "beneficial_owners"),
    ("pledgor",),  # the format's liquidations don't say whose lots the pledgee sells; the gate always does
    ("buyer", "limit_at_least"),  # the format puts it in the place of figures that may give more
    ("buyer", "verification", "scope"),  # no scope is every issuer; whoever presents the credential must show it
    ("buyer", "verification", "contrary_knowledge"),  # a confirmation needs no statement that nothing contrary is known
}
ONE_OF_TWO_IS_ABSENT = {  # there the other of two that would do is named
    *("S-ALW-66", "S-506C-49", "S-REGS-50", "S-RA-63", "S-RA-64", "S-RA-65"),
    *("S-REGS-28", "S-REGS-47", "S-RESALE-09", "S-RESALE-31", "S-PLG-18"),
    *("S-LBN-11", "S-SG-19", "S-SG-51", "S-HK-49"),
    *("S-HK-66", "S-HK-67", "S-HK-68", "S-HK-69"),
    *("S-EU-17", "S-EU-65", "S-UK-41"),
    *("S-506B-28", "S-HOLD-21", "S-HOLD-28", "S-HOLD-36", "S-CF-30", "S-CF-58", "S-CF-99", "S-CF-106", "S-CF-107"),
    *("S-RA-10", "S-RA-28", "S-RA-40", "S-RA-43", "S-RA-44", "S-RA-47", "S-RA-48"),
}
STRICTER_IF_ABSENT = {
    ("offering", "security"),  # of an affiliate's volume: what is not known to be debt counts as equity
    ("buyer", "family_relation"),
    ("buyer", "limit_at_least"),
    ("offering", "conditional_12g_exempt"),
    ("offering", "exchange_listed"),
}


@given(scenario_ids)
def test_evaluation_is_deterministic(scenario_id: str) -> None:
    assert evaluate_transfer(ALL[scenario_id]) == evaluate_transfer(ALL[scenario_id])


@given(scenario_ids, st.integers())
def test_order_of_members_changes_nothing(scenario_id: str, salt: int) -> None:
    facts = ALL[scenario_id]
    assert evaluate_transfer(shuffled(facts, lambda name: hash((name, salt)))) == evaluate_transfer(facts)


@given(st.sampled_from(sorted(name for name, facts in ALL.items() if facts.get("state"))), st.integers(min_value=0))
def test_unread_state_changes_nothing(scenario_id: str, count: int) -> None:
    facts = ALL[scenario_id]
    changed = {**facts, "state": {**facts["state"], "of_another_security": count}}
    assert evaluate_transfer(changed) == evaluate_transfer(facts)


def test_taking_a_fact_away_never_permits_what_was_denied() -> None:
    wrong = []
    for scenario_id, facts in ALL.items():
        if evaluate_transfer(facts).outcome == "permit":
            continue
        for path in iterate_paths(facts):
            if isinstance(path[-1], int) or path in SAID_ONLY_TO_DENY:
                continue
            if _outcome(without(facts, path)) == "permit":
                wrong.append((scenario_id, path))
    assert wrong == []


def _outcome(facts: dict[str, Any]) -> str:
    try:
        return evaluate_transfer(facts).outcome
    except InvalidFactsError:  # without regime or action nothing can be evaluated, so nothing is permitted
        return "deny"


def test_taking_a_fact_away_names_it() -> None:
    wrong = []
    for scenario_id, facts in ALL.items():
        if evaluate_transfer(facts).outcome != "permit" or scenario_id in ONE_OF_TWO_IS_ABSENT:
            continue
        for path in iterate_paths(facts):
            if isinstance(path[-1], int) or path in STRICTER_IF_ABSENT | {
                ("action",),
                ("offering",),
                ("offering", "regime"),
            }:
                continue
            evaluation = evaluate_transfer(without(facts, path))
            named = {reason.evidence["field"] for reason in evaluation.reasons if reason.code == "INPUT_MISSING"}
            own_code = {"KYC_MISSING", "FORCED_DOC_MISSING"} & {reason.code for reason in evaluation.reasons}
            if evaluation.outcome != "permit" and not own_code and _name(path) not in named:
                wrong.append((scenario_id, path, [reason.code for reason in evaluation.reasons], named))
    assert wrong == []


def _name(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
