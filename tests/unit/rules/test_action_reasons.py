"""What reasons of the actions say besides their code."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from service.rules import evaluate_transfer
from service.rules.decision import Remedy
from service.rules.rule import ACTIONS, is_unwilling
from tests.unit.rules.support import facts_of

NONE, PRESENT = Remedy("none"), Remedy("present", purpose="us.506c")


@pytest.mark.parametrize(
    ("scenario_id", "code", "party", "basis", "evidence", "remedy"),
    [
        ("S-PLG-03", "PLEDGE_NO_LIQUIDATION_ROUTE", None, "firm_policy", {}, NONE),
        ("S-PLG-08", "PLEDGE_NO_LIQUIDATION_ROUTE", None, "issuer_policy", {"lien_allowed": False}, NONE),
        ("S-PLG-16", "FORCED_DOC_MISSING", None, "firm_policy", {"approvals": 0, "threshold": 1}, NONE),
        ("S-PLG-34", "SANCTIONS_HIT", "pledgor", "law", {}, NONE),
        ("S-LIFE-21", "FORCED_DUAL_CONTROL", None, "firm_policy", {"approvals": 0, "threshold": 2}, NONE),
        ("S-LIFE-38", "RECOVERY_SUBJECT_MISMATCH", "buyer", "firm_policy", {}, PRESENT),
        ("S-LIFE-46", "RECIPIENT_FROZEN", "buyer", "firm_policy", {"hold_only": True}, PRESENT),
        ("S-CORP-15", "INSUFFICIENT_BALANCE", "buyer", "issuer_policy", {}, NONE),
        ("S-CORP-26", "OFFERING_CLOSED", None, "issuer_policy", {"convertible": False}, NONE),
        ("S-MEC-16", "STATE_STALE", None, "firm_policy", {"state_age_hours": Decimal("12.001"), "limit": 12}, NONE),
    ],
)
def test_a_reason_says_who_asks_and_what_was_found(
    scenario_id: str, code: str, party: str | None, basis: str, evidence: dict[str, Any], remedy: Remedy
) -> None:
    reason = evaluate_transfer(facts_of(scenario_id)).reasons[0]
    assert (reason.code, reason.party, reason.basis) == (code, party, basis)
    assert {name: value for name, value in reason.evidence.items() if name != "lots_preserved"} == evidence
    assert reason.remedy == remedy


@pytest.mark.parametrize(
    ("scenario_id", "most"),
    [("S-PLG-11", 40), ("S-PLG-22", 60), ("S-CORP-23", 99), ("S-CORP-22", 100), ("S-MEC-34", 100), ("S-CORP-14", None)],
)
def test_the_largest_quantity_is_what_the_action_may_take(scenario_id: str, most: int | None) -> None:
    assert evaluate_transfer(facts_of(scenario_id)).max_quantity == most


def test_only_who_did_not_act_is_spared() -> None:
    spared = {(role, action) for action in ACTIONS for role in ("seller", "buyer") if is_unwilling(role, action)}
    assert spared == {
        ("seller", "forced"),
        ("seller", "inheritance"),
        ("seller", "recovery"),
        ("seller", "distribution"),
        ("buyer", "distribution"),
    }
    assert all(is_unwilling("pledgor", action) for action in ACTIONS)


@pytest.mark.parametrize("action", ["forced", "inheritance"])
@pytest.mark.parametrize("accredited", [True, False, None])
def test_a_taker_who_could_not_buy_holds_only(action: str, accredited: bool | None) -> None:
    evaluation = evaluate_transfer(facts_of("S-LIFE-01", action=action, buyer__accredited=accredited))
    assert [each.code for each in evaluation.obligations] == ([] if accredited else ["OBL_HOLD_ONLY"])


def test_a_right_to_acquire_that_cannot_be_worked_out_denies() -> None:
    facts = facts_of("S-REGS-45")
    evaluation = evaluate_transfer({**facts, "offering": {**facts["offering"], "dcp_start": date.max}})
    assert (evaluation.outcome, [each.code for each in evaluation.reasons]) == ("deny", ["RULE_FAILED"])
