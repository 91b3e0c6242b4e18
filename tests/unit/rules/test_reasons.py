"""What a reason says besides its code: basis, citation, evidence, remedy, order; and the largest quantity."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from service.rules import evaluate_transfer
from service.rules.codes import MESSAGES, RANKS
from service.rules.decision import Reason, Remedy
from service.rules.facts import InvalidFactsError
from tests.unit.rules.support import ALL, facts_of


def only_reason(facts: dict[str, Any]) -> Reason:
    (reason,) = evaluate_transfer(facts).reasons
    return reason


def test_day_91_inside_three_months_is_firm_policy() -> None:
    reason = only_reason(facts_of("S-506C-03", date=date(2026, 8, 30)))
    assert (reason.code, reason.basis, reason.party) == ("US_506C_VERIFICATION_STALE", "firm_policy", "buyer")
    assert reason.citation == "17 CFR 230.506(c)(2)(ii)(C)"
    assert reason.evidence["last_valid"] == date(2026, 8, 29)
    assert reason.remedy == Remedy("renew", purpose="us.506c")


def test_beyond_three_months_is_law() -> None:
    assert only_reason(facts_of("S-506C-03", date=date(2026, 9, 1))).basis == "law"


@pytest.mark.parametrize(("attester", "basis"), [("kyc_provider", "firm_policy"), ("investor_self", "law")])
def test_attester_outside_the_safe_harbour_is_policy_but_self_attestation_is_not(attester: str, basis: str) -> None:
    reason = only_reason(facts_of("S-506C-01", buyer__verification__attester=attester))
    assert (reason.code, reason.basis) == ("US_506C_ATTESTER_NOT_QUALIFIED", basis)


@pytest.mark.parametrize(
    ("scenario_id", "basis"),
    [("S-ALW-42", "issuer_policy"), ("S-ALW-08", "firm_policy"), ("S-ALW-54", "issuer_policy"), ("S-ALW-51", "law")],
)
def test_basis_tells_policy_from_law(scenario_id: str, basis: str) -> None:
    assert only_reason(facts_of(scenario_id)).basis == basis


def test_flowback_that_only_policy_refuses_says_so() -> None:
    refused = only_reason(facts_of("S-REGS-21", policy__allow_exempt_flowback=False))
    assert (refused.code, refused.basis) == ("US_REGS_DCP", "firm_policy")
    assert only_reason(facts_of("S-REGS-11")).basis == "law"


@pytest.mark.parametrize(
    ("scenario_id", "free_on"),
    [
        ("S-RESALE-01", date(2027, 1, 10)),
        ("S-RESALE-03", date(2027, 1, 11)),
        ("S-RESALE-19", date(2027, 5, 1)),
        ("S-RESALE-21", date(2026, 12, 16)),
        ("S-REGS-09", date(2027, 2, 3)),
        ("S-ALW-36", date(2027, 6, 2)),
    ],
)
def test_waiting_helps_from_the_day_that_the_remedy_names(scenario_id: str, free_on: date) -> None:
    reason = only_reason(facts_of(scenario_id))
    assert reason.remedy == Remedy("wait_until", at=free_on)
    assert evaluate_transfer(facts_of(scenario_id, date=free_on)).outcome == "permit"


@pytest.mark.parametrize("scenario_id", ["S-ALW-10", "S-ALW-13", "S-ALW-14", "S-ALW-15"])
def test_sanctions_reasons_name_no_remedy(scenario_id: str) -> None:
    assert only_reason(facts_of(scenario_id)).remedy == Remedy("none")


def test_missing_representation_is_asked_of_the_person() -> None:
    assert only_reason(facts_of("S-REGS-03")).remedy == Remedy("represent", purpose="us.reg_s")
    assert only_reason(facts_of("S-506C-34")).remedy == Remedy("represent", purpose="us.506c")


@pytest.mark.parametrize(
    ("scenario_id", "fact", "remedy"),
    [
        ("S-HK-01", "suitability_done", "represent"),
        ("S-SG-09", "sg_opt_in", "represent"),
        ("S-HK-01", "hk_pi_evidence_on", "present"),
        ("S-HK-01", "hk_pi", "present"),
    ],
)
def test_what_only_the_caller_can_say_is_not_asked_of_a_wallet(scenario_id: str, fact: str, remedy: str) -> None:
    facts = facts_of(scenario_id)
    del facts["buyer"][fact]
    (reason,) = (each for each in evaluate_transfer(facts).reasons if each.evidence.get("field") == f"buyer.{fact}")
    assert reason.remedy.kind == remedy


def test_missing_fact_is_named_with_the_rule_that_needs_it() -> None:
    reason = only_reason(facts_of("S-506C-17"))
    assert reason.evidence == {"field": "buyer.verification.steps_completed_on"}
    assert reason.citation == "17 CFR 230.506(c)(2)(ii)(C)"
    assert only_reason(facts_of("S-RESALE-08")).evidence["field"] == "seller.lots[0].tack_from"


def test_a_missing_fact_is_reported_once() -> None:
    evaluation = evaluate_transfer(facts_of("S-506C-20"))
    assert [reason.evidence["field"] for reason in evaluation.reasons] == ["buyer.accredited"]


def test_reasons_come_by_class_then_code_order() -> None:
    ranks = [RANKS[reason.code] for reason in evaluate_transfer(facts_of("S-ALW-32")).reasons]
    assert ranks == sorted(ranks)
    assert len(ranks) == 4
    assert len(RANKS) == len(MESSAGES)


def test_both_parties_give_their_own_reason() -> None:
    evaluation = evaluate_transfer(facts_of("S-ALW-06", buyer__identified=False))
    assert [reason.party for reason in evaluation.reasons] == ["buyer", "seller"]


@pytest.mark.parametrize(
    ("scenario_id", "changes", "most"),
    [
        ("S-506C-01", {}, None),
        ("S-506C-02", {}, 0),
        ("S-RESALE-02", {"qty": 40}, 100),
        ("S-RESALE-19", {}, 600),
        ("S-RESALE-01", {}, 0),
        ("S-RESALE-21", {}, 50_000),
        ("S-RESALE-20", {}, 50_000),
        ("S-ALW-44", {}, 100),
        ("S-ALW-10", {}, 0),
        ("S-RESALE-19", {"offering__min_quantity": 601}, 0),
    ],
)
def test_max_quantity(scenario_id: str, changes: dict[str, Any], most: int | None) -> None:
    assert evaluate_transfer(facts_of(scenario_id, **changes)).max_quantity == most


@pytest.mark.parametrize("scenario_id", ["S-RESALE-19", "S-RESALE-21", "S-ALW-44"])
def test_max_quantity_is_permitted_and_one_more_is_not(scenario_id: str) -> None:
    most = evaluate_transfer(facts_of(scenario_id)).max_quantity
    assert most
    assert evaluate_transfer(facts_of(scenario_id, qty=most)).outcome == "permit"
    assert evaluate_transfer(facts_of(scenario_id, qty=most + 1)).outcome == "deny"


@pytest.mark.parametrize("value", [1.5, True, "2"])
def test_a_rule_that_fails_denies_and_the_others_still_run(value: Any) -> None:
    evaluation = evaluate_transfer(facts_of("S-506C-45", price=value))
    assert evaluation.outcome == "deny"
    assert [reason.code for reason in evaluation.reasons] == ["RULE_FAILED", "US_506C_REP_MISSING"]
    assert evaluation.reasons[0].evidence == {"rule": "us.506c.minimum.amount", "error": "InvalidFactsError"}


def test_amounts_are_exact_at_the_largest_quantity() -> None:
    facts = facts_of("S-506C-38", qty=10**30, price=Decimal("0.00000000000000000000000020000001"))
    assert evaluate_transfer(facts).outcome == "permit"
    facts["price"] = Decimal("0.00000000000000000000000019999999")
    assert evaluate_transfer(facts).outcome == "deny"


def test_a_date_before_the_law_is_never_permitted() -> None:
    evaluation = evaluate_transfer(facts_of("S-506C-01", date=date(2013, 9, 22)))
    assert "RULE_FAILED" in {reason.code for reason in evaluation.reasons}


@pytest.mark.parametrize("changes", [{"offering__regime": "us.none"}, {"action": "steal"}, {"action": None}])
def test_unknown_regime_or_action_cannot_be_evaluated(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidFactsError):
        evaluate_transfer(facts_of("S-506C-01", **changes))


@pytest.mark.parametrize(
    ("regime", "said"),
    [
        ("eu.pr_qi", "no others"),
        ("uk.poatr_qi", "no others"),
        ("hk.50_persons", "50 persons"),
        ("hk.small_offer", "total"),
        ("hk.min_500k", "below the minimum"),
        ("sg.s272a", "total"),
        ("jp.private", "None of the ways"),
    ],
)
def test_a_code_that_stands_for_several_failures_says_which_it_was(regime: str, said: str) -> None:
    answers = [evaluate_transfer(facts) for facts in ALL.values() if facts["offering"]["regime"] == regime]
    codes = {"EU_150_PERSONS", "UK_150_PERSONS", "HK_NOT_PI", "SG_AI_NOT_OPTED_IN", "JURISDICTION_BLOCKED"}
    reasons = [
        reason for answer in answers for reason in answer.reasons if reason.code in codes and reason.basis == "law"
    ]
    assert any(said in reason.message for reason in reasons)
    assert all(reason.message != MESSAGES[reason.code] for reason in reasons if regime != "sg.s272a")
