"""Asia: what reasons say besides their code, and the largest quantity."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from service.rules import evaluate_transfer
from service.rules.catalog import REGIMES, TESTS, list_rules
from service.rules.computation import FigureMissingError, NoSuchComputationError, assess_investor
from service.rules.decision import Reason, Remedy
from service.rules.facts import InvalidFactsError
from service.rules.law import Schedule
from service.rules.rule import Rule
from service.rules.worksheet import InvestorTest
from tests.unit.rules.support import facts_of

TODAY = date(2026, 6, 30)


def reasons_of(facts: dict[str, Any]) -> dict[str, Reason]:
    return {reason.code: reason for reason in evaluate_transfer(facts).reasons}


def test_stale_evidence_is_law_for_a_person_and_policy_for_an_institution() -> None:
    person = reasons_of(facts_of("S-HK-02"))["HK_PI_EVIDENCE_STALE"]
    assert (person.basis, person.remedy) == ("law", Remedy("renew", purpose="hk.pi_only"))
    assert person.evidence["last_valid"] == date(2026, 7, 1)
    assert reasons_of(facts_of("S-HK-16"))["HK_PI_EVIDENCE_STALE"].basis == "firm_policy"


def test_hong_kong_remedies() -> None:
    assert reasons_of(facts_of("S-HK-07"))["HK_NOT_PI"].remedy == Remedy("present", purpose="hk.pi_only")
    suitability = reasons_of(facts_of("S-HK-11"))["HK_SUITABILITY_MISSING"]
    assert suitability.remedy == Remedy("represent", purpose="hk.pi_only")


@pytest.mark.parametrize(
    ("scenario_id", "evidence"),
    [
        ("S-HK-27", {"after": 51, "limit": 50}),
        ("S-HK-35", {"limit": 5_000_000, "requested": 101_000, "remaining": 100_000}),
        ("S-HK-40", {"threshold": 500_000, "requested": 499_000}),
    ],
)
def test_small_offers_tell_their_numbers(scenario_id: str, evidence: dict[str, object]) -> None:
    assert reasons_of(facts_of(scenario_id))["HK_NOT_PI"].evidence == evidence


@pytest.mark.parametrize(
    ("scenario_id", "field"),
    [
        ("S-HK-20", "buyer.hk_pi"),
        ("S-HK-21", "buyer.hk_pi_evidence_on"),
        ("S-HK-43", "price"),
        ("S-SG-11", "buyer.sg_opt_in"),
        ("S-SG-18", "buyer.principal"),
        ("S-SG-27", "seller.lots[0].tack_from"),
        ("S-SG-32", "buyer.sg_opt_in"),
        ("S-SG-59", "state.offerees_12m"),
        ("S-MY-13", "buyer.my_class"),
        ("S-LBN-08", "buyer.first_time"),
    ],
)
def test_missing_fields_are_named(scenario_id: str, field: str) -> None:
    (reason,) = evaluate_transfer(facts_of(scenario_id)).reasons
    assert (reason.code, reason.evidence["field"], reason.basis) == ("INPUT_MISSING", field, "firm_policy")


@pytest.mark.parametrize(
    ("scenario_id", "free_on"),
    [
        ("S-SG-01", date(2026, 7, 15)),
        ("S-SG-03", date(2026, 7, 16)),
        ("S-SG-06", date(2026, 2, 28)),
        ("S-SG-24", date(2026, 9, 2)),
        ("S-SG-26", date(2026, 7, 15)),
        ("S-SG-29", date(2026, 12, 1)),
    ],
)
def test_resale_names_the_day_on_which_waiting_helps(scenario_id: str, free_on: date) -> None:
    assert reasons_of(facts_of(scenario_id))["SG_276_6M"].remedy == Remedy("wait_until", at=free_on)


def test_resale_day_does_not_wait_for_lots_that_are_not_wanted() -> None:
    facts = facts_of("S-SG-24", date=date(2026, 7, 14), qty=60)
    assert reasons_of(facts)["SG_276_6M"].remedy == Remedy("wait_until", at=date(2026, 7, 15))


def test_who_has_not_opted_in_is_asked_to() -> None:
    assert reasons_of(facts_of("S-SG-10"))["SG_AI_NOT_OPTED_IN"].remedy == Remedy("represent", purpose="sg.s275")
    reason = reasons_of(facts_of("S-SG-34"))["SG_AI_NOT_OPTED_IN"]
    assert reason.remedy == Remedy("represent", purpose="sg.s275")
    assert reason.evidence == {"sg_class": "retail", "threshold": 200_000}
    reason = reasons_of(facts_of("S-SG-47"))["SG_AI_NOT_OPTED_IN"]
    assert reason.remedy == Remedy("represent", purpose="sg.s275")
    assert reason.evidence == {"limit": 5_000_000, "requested": 101_000, "remaining": 100_000}


@pytest.mark.parametrize(
    ("scenario_id", "changes", "most"),
    [
        ("S-SG-24", {}, 60),  # as much as is past its six months
        ("S-SG-23", {}, 60),
        ("S-SG-02", {}, 500),
        ("S-SG-01", {}, 0),
        ("S-SG-24", {"buyer__sg_class": "accredited", "buyer__sg_opt_in": False}, 60),
        ("S-SG-23", {"buyer__sg_class": "institutional"}, 100),
        ("S-SG-23", {"price": 0}, 100),
        ("S-SG-23", {"price": 2000, "buyer__principal": True}, 100),  # S$200,000 for everything
        ("S-SG-23", {"price": 1999, "buyer__principal": True}, 60),
        ("S-SG-23", {"price": 2000}, 60),
        ("S-SG-24", {"price": 2000, "qty": 99, "buyer__principal": True}, 100),  # only everything is S$200,000
        ("S-SG-01", {"price": 1000, "qty": 1, "buyer__principal": True}, 500),
        ("S-SG-01", {"price": 1000, "qty": 1, "buyer__principal": False}, 0),
        ("S-SG-46", {}, 100),  # what the small offer has left
        ("S-SG-47", {}, 100),
        ("S-SG-47", {"price": 1, "qty": 100_001}, 100_000),
        ("S-SG-48", {}, 99),
        ("S-SG-47", {"state__consideration_12m": 5_000_001}, 0),
        ("S-SG-49", {}, None),
        ("S-HK-34", {}, 100),
        ("S-HK-35", {}, 100),
        ("S-HK-36", {}, 99),
        ("S-HK-37", {}, None),
        ("S-HK-40", {}, 0),
    ],
)
def test_largest_quantity(scenario_id: str, changes: dict[str, Any], most: int | None) -> None:
    assert evaluate_transfer(facts_of(scenario_id, **changes)).max_quantity == most


@pytest.mark.parametrize(
    ("scenario_id", "changes", "fewest"),
    [
        ("S-HK-39", {"price": 999}, 501),
        ("S-SG-33", {"price": 999, "qty": 201}, 201),
        ("S-LBN-01", {"price": 999, "qty": 251}, 251),
    ],
)
def test_a_minimum_amount_is_also_the_fewest_units(scenario_id: str, changes: dict[str, Any], fewest: int) -> None:
    """Where fewer units are left to issue than the minimum takes, none can be sold."""
    wanted = {"qty": fewest, **changes}
    facts = facts_of(scenario_id, **wanted)
    unissued = {**(facts.get("state") or {}), "unissued": fewest}
    assert evaluate_transfer({**facts, "state": unissued}).max_quantity == fewest
    unissued = {**unissued, "unissued": fewest - 1}
    assert evaluate_transfer({**facts, "state": unissued}).max_quantity == 0


@pytest.mark.parametrize(
    ("rule_id", "first", "citation"),
    [
        ("hk.pi.status", date(2003, 4, 1), "Cap. 571 s103(3)(k); Cap. 32 Sch 17 para 1"),
        ("hk.pi.evidence", date(2003, 4, 1), "Cap. 571D ss4-8"),
        ("hk.pi.suitability", date(2016, 3, 25), "SFC Code of Conduct 5.2, 15.3A, 15.4"),
        ("hk.50_persons.limit", date(2004, 12, 3), "Cap. 32 Sch 17 para 2"),
        ("hk.small_offer.limit", date(2004, 12, 3), "Cap. 32 Sch 17 para 3"),
        ("hk.min_500k.limit", date(2004, 12, 3), "Cap. 32 Sch 17 para 4"),
    ],
)
def test_a_rule_of_hong_kong_says_where_it_stands_and_since_when(rule_id: str, first: date, citation: str) -> None:
    rule = list_rules()[rule_id]
    assert (rule.effective_from, rule.citation) == (first, citation)


def test_a_regime_of_schedule_17_cites_its_own_paragraph() -> None:
    cited = {name: REGIMES[f"hk.{name}"].citation for name in ("50_persons", "small_offer", "min_500k")}
    assert cited == {
        "50_persons": "Cap. 32 Sch 17 para 2",
        "small_offer": "Cap. 32 Sch 17 para 3",
        "min_500k": "Cap. 32 Sch 17 para 4",
    }


def test_a_lot_of_unknown_age_is_not_counted() -> None:
    found = evaluate_transfer(facts_of("S-SG-64"))
    assert (found.computed["eligible_qty"], found.max_quantity) == (60, 60)


@pytest.mark.parametrize("scenario_id", ["S-SG-47", "S-HK-35"])
def test_a_small_offer_that_is_overdrawn_still_lets_go_of_what_is_free(scenario_id: str) -> None:
    found = evaluate_transfer(facts_of(scenario_id, price=0, state__consideration_12m=5_000_001))
    assert (found.outcome, found.max_quantity, found.computed["remaining"]) == ("permit", None, 0)


def test_periods_of_a_schedule_meet() -> None:
    described: list[InvestorTest | Rule] = [
        *TESTS.values(),
        *(rule for regime in REGIMES.values() for rule in regime.rules),
    ]
    asian = [each for each in described if each.id.startswith(("hk.", "sg.", "my.", "lbn."))]
    schedules = [value for each in asian for value in each.parameters.values() if isinstance(value, Schedule)]
    assert len(schedules) >= 7
    for schedule in schedules:
        for earlier, later in pairwise(schedule.rows):
            assert earlier.effective_to is not None
            assert later.effective_from == earlier.effective_to + timedelta(days=1)


def test_labuan_reason_tells_both_conditions() -> None:
    reason = reasons_of(facts_of("S-LBN-02"))["LBN_250K_OR_50"]
    assert reason.evidence == {"after": 51, "limit": 50, "requested": 249_000, "threshold": 250_000}


@pytest.mark.parametrize("prefix", ["hk.", "sg.", "my.", "lbn."])
def test_regimes_and_tests_carry_their_law(prefix: str) -> None:
    assert [regime for regime in REGIMES if regime.startswith(prefix)]
    for test in (test for name, test in TESTS.items() if name.startswith(prefix)):
        assert test.citation
        assert str(test.category).startswith(prefix)
        assert test.evidence


@pytest.mark.parametrize(
    ("test_id", "figures", "field"),
    [
        ("hk.pi.individual", {"sole": 1}, "joint_with_associate"),
        (
            "hk.pi.individual",
            {"sole": 1, "joint_with_associate": 0, "joint_other": 1, "joint_other_share": None},
            "joint_other_holders",
        ),
        ("hk.pi.corporate", {"portfolio": 1}, "total_assets"),
        ("sg.ai.net_personal_assets", {"residence_fmv": 0, "residence_loan": 0, "other_net_assets": 1}, "dpt"),
        ("my.si.hnwi", {"net_assets": 0, "residence_fmv_net": 0, "income": 0, "portfolio": 0}, "joint_income"),
        ("sg.ai.income", {}, "value"),
    ],
)
def test_absent_figures_are_named(test_id: str, figures: dict[str, Any], field: str) -> None:
    with pytest.raises(FigureMissingError, match=field):
        assess_investor(test_id, figures, on=TODAY)


def test_a_share_is_at_most_the_whole() -> None:
    figures = {"sole": 0, "joint_with_associate": 0, "joint_other": 1, "joint_other_share": 2}
    with pytest.raises(InvalidFactsError, match="joint_other_share"):
        assess_investor("hk.pi.individual", figures, on=TODAY)


def test_an_account_with_something_in_it_has_holders() -> None:
    figures = {"sole": 0, "joint_with_associate": 0, "joint_other": 8_000_000, "joint_other_share": None}
    assert assess_investor("hk.pi.individual", {**figures, "joint_other_holders": 1}, on=TODAY).qualifies
    with pytest.raises(InvalidFactsError, match="joint_other_holders: an account has holders"):
        assess_investor("hk.pi.individual", {**figures, "joint_other_holders": 0}, on=TODAY)


@pytest.mark.parametrize(
    ("test_id", "figures", "first"),
    [
        ("hk.pi.individual", {"sole": 8_000_000}, date(2003, 4, 1)),
        ("hk.pi.holding", {"owns_professional": True}, date(2018, 7, 13)),
        ("hk.va_knowledge", {"pi_class": "individual", "passed": True}, date(2023, 12, 22)),
        ("sg.ai.financial_assets", {"value": 2_000_000}, date(2018, 10, 8)),
        ("my.si.knowledge", {"degree": True, "sector_experience": True}, date(2024, 2, 5)),
        ("lbn.offer_8_5", {"identifiable_category": True}, date(2010, 2, 11)),
    ],
)
def test_tests_begin_with_their_law(test_id: str, figures: dict[str, Any], first: date) -> None:
    assert assess_investor(test_id, figures, on=first).qualifies
    with pytest.raises(NoSuchComputationError):
        assess_investor(test_id, figures, on=date.fromordinal(first.toordinal() - 1))
