"""Europe and the one-line jurisdictions: what reasons say besides their code, the largest quantity, what is asked."""

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from service.rules import evaluate_transfer
from service.rules.catalog import REGIMES, TESTS, list_rules
from service.rules.computation import FigureMissingError, NoSuchComputationError, assess_investor, compute_limit
from service.rules.dates import add_days
from service.rules.decision import Reason, Remedy
from service.rules.law import Schedule
from service.rules.packs.eu_prospectus import EEA
from tests.unit.rules.support import facts_of

TODAY = date(2026, 6, 10)
OURS = {"ae", "ch", "de", "eu", "gi", "jp", "ky", "sc", "uk"}
REGIMES_OF_OURS = [regime for regime in REGIMES.values() if regime.id.partition(".")[0] in OURS]
TESTS_OF_OURS = [test for test in TESTS.values() if test.id.partition(".")[0] in OURS]


def only_reason(scenario_id: str, **changes: Any) -> Reason:
    (reason,) = evaluate_transfer(facts_of(scenario_id, **changes)).reasons
    return reason


@pytest.mark.parametrize(
    ("scenario_id", "code", "remedy", "evidence"),
    [
        ("S-EU-02", "EU_150_PERSONS", Remedy("present", purpose="eu.pr_qi"), {"limit": 0}),
        (
            "S-EU-12",
            "EU_150_PERSONS",
            Remedy("present", purpose="eu.pr_150"),
            {"after": 150, "limit": 149, "country": "DE"},
        ),
        (
            "S-EU-29",
            "EU_SMALL_OFFER_CAP",
            Remedy("none"),
            {"after": 12_000_000, "used": 11_999_999, "limit": 12_000_000, "requested": 1},
        ),
        ("S-EU-46", "MIN_DENOMINATION", Remedy("none"), {"limit": 100_000, "requested": 99_999}),
        (
            "S-EU-54",
            "EU_ECSPR_CONSENT_MISSING",
            Remedy("represent", purpose="eu.ecspr"),
            {"threshold": 1000, "requested": 1001},
        ),
        (
            "S-EU-74",
            "EU_ECSPR_TEST_STALE",
            Remedy("renew", purpose="eu.ecspr"),
            {"last_valid": date(2026, 6, 9), "since": date(2024, 6, 9)},
        ),
        (
            "S-EU-83",
            "EU_ECSPR_SOPH_EXPIRED",
            Remedy("renew", purpose="eu.ecspr"),
            {"last_valid": date(2026, 6, 9), "since": date(2024, 6, 9)},
        ),
        (
            "S-UK-02",
            "UK_STATEMENT_EXPIRED",
            Remedy("renew", purpose="uk.fpo48"),
            {"last_valid": date(2026, 5, 9), "uk_statement": "hnw", "needed": "hnw"},
        ),
        (
            "S-UK-24",
            "UK_STATEMENT_EXPIRED",
            Remedy("renew", purpose="uk.fpo50a"),
            {"uk_statement": "hnw", "needed": "sophisticated"},
        ),
        ("S-UK-28", "UK_150_PERSONS", Remedy("present", purpose="uk.poatr_qi"), {"limit": 0}),
        ("S-UK-37", "UK_150_PERSONS", Remedy("present", purpose="uk.poatr_150"), {"after": 150, "limit": 149}),
        ("S-UK-54", "MIN_DENOMINATION", Remedy("none"), {"limit": 50_000, "requested": 49_999}),
        ("S-OTH-04", "MIN_DENOMINATION", Remedy("present", purpose="ch.finsa"), {}),
        ("S-OTH-44", "EU_SMALL_OFFER_CAP", Remedy("none"), {"aggregate": 500_000_000, "limit": 500_000_000}),
        ("S-OTH-51", "RULE_UNCONFIRMED", Remedy("present", purpose="eu.dlt_pilot"), {}),
        ("S-OTH-61", "JURISDICTION_BLOCKED", Remedy("present", purpose="jp.private"), {}),
    ],
)
def test_reasons_say_what_decided_and_what_would_help(
    scenario_id: str, code: str, remedy: Remedy, evidence: dict[str, object]
) -> None:
    reason = only_reason(scenario_id)
    assert (reason.code, reason.remedy, reason.evidence, reason.basis) == (code, remedy, evidence, "law")


@pytest.mark.parametrize(
    ("scenario_id", "field"),
    [
        ("S-EU-03", "buyer.eu_qi"),
        ("S-EU-18", "buyer.eu_qi"),
        ("S-EU-19", "buyer.country"),
        ("S-EU-20", "state.offerees_by_ms.AT"),
        ("S-EU-43", "offering.ms_threshold"),
        ("S-EU-44", "state"),
        ("S-EU-51", "price"),
        ("S-EU-68", "buyer.net_worth"),
        ("S-EU-69", "buyer.above_threshold_consent"),
        ("S-EU-80", "buyer.knowledge_test_on"),
        ("S-EU-88", "buyer.sophisticated_approved_on"),
        ("S-EU-89", "buyer.sophisticated"),
        ("S-EU-93", "state.consideration_12m"),
        ("S-UK-12", "buyer.uk_statement"),
        ("S-UK-13", "buyer.uk_statement_signed_on"),
        ("S-UK-29", "buyer.uk_qi"),
        ("S-UK-42", "buyer.uk_qi"),
        ("S-UK-43", "state.offerees_uk"),
        ("S-OTH-10", "state.offerees"),
        ("S-OTH-25", "buyer.net_worth"),
        ("S-OTH-52", "buyer.suitability_done"),
        ("S-OTH-78", "buyer.suitability_done"),
        ("S-OTH-102", "buyer.net_worth"),
    ],
)
def test_what_is_missing_is_named_once(scenario_id: str, field: str) -> None:
    reason = only_reason(scenario_id)
    assert (reason.code, reason.evidence["field"]) == ("INPUT_MISSING", field)


@pytest.mark.parametrize("state", [None, {"offerees": 3}])
def test_whether_a_buyer_is_qualified_is_asked_before_the_count_of_others(state: dict[str, int] | None) -> None:
    assert only_reason("S-UK-42", state=state).evidence["field"] == "buyer.uk_qi"


@pytest.mark.parametrize("scenario_id", ["S-EU-54", "S-EU-74", "S-EU-83", "S-UK-02", "S-OTH-61", "S-EU-69"])
def test_reasons_about_the_buyer_name_the_buyer(scenario_id: str) -> None:
    assert only_reason(scenario_id).party == "buyer"


def test_missing_consent_is_asked_of_the_person() -> None:
    assert only_reason("S-EU-69").remedy == Remedy("represent", purpose="eu.ecspr")


@pytest.mark.parametrize(
    ("scenario_id", "changes", "most"),
    [
        ("S-EU-28", {}, 1),
        ("S-EU-29", {}, 0),
        ("S-EU-31", {}, 99_999),
        ("S-EU-32", {}, 99_999),
        ("S-EU-32", {"price": Decimal("0.3")}, 333_333),
        ("S-EU-41", {}, 99),
        ("S-EU-31", {"state__consideration_12m": 6_000_000}, 0),
        ("S-EU-31", {"price": 0}, None),
        ("S-EU-46", {}, 0),
        ("S-EU-47", {}, None),
        ("S-EU-53", {}, 1000),
        ("S-EU-54", {}, 1000),
        ("S-EU-54", {"price": Decimal("1.5")}, 666),
        ("S-EU-54", {"price": 1001}, 0),
        ("S-EU-53", {"price": 0}, None),
        ("S-EU-58", {}, 1001),
        ("S-EU-66", {}, 1000),
        ("S-EU-67", {}, 5_000_000),
        ("S-EU-90", {"buyer__above_threshold_consent": True}, 1000),
        ("S-EU-90", {"buyer__above_threshold_consent": True, "qty": 1001}, 1000),
        ("S-UK-46", {}, 2),
        ("S-UK-48", {}, 0),
        ("S-UK-49", {}, 100_000),
        ("S-UK-51", {}, 100),
    ],
)
def test_largest_quantity(scenario_id: str, changes: dict[str, Any], most: int | None) -> None:
    assert evaluate_transfer(facts_of(scenario_id, **changes)).max_quantity == most


@pytest.mark.parametrize("scenario_id", ["S-EU-32", "S-EU-41", "S-EU-54", "S-UK-49", "S-UK-51"])
def test_largest_quantity_is_permitted_and_one_more_is_not(scenario_id: str) -> None:
    most = evaluate_transfer(facts_of(scenario_id)).max_quantity
    assert most
    assert evaluate_transfer(facts_of(scenario_id, qty=most)).outcome == "permit"
    assert evaluate_transfer(facts_of(scenario_id, qty=most + 1)).outcome == "deny"


def test_a_minimum_says_which_quantity_is_the_least() -> None:
    price = Decimal("0.3")
    assert evaluate_transfer(facts_of("S-EU-47", price=price, qty=333_333)).outcome == "deny"
    assert evaluate_transfer(facts_of("S-EU-47", price=price, qty=333_334)).outcome == "permit"
    held = facts_of("S-EU-47", price=price, qty=333_334, state={"unissued": 333_334})
    assert evaluate_transfer(held).max_quantity == 333_334
    assert evaluate_transfer({**held, "state": {"unissued": 333_333}}).max_quantity == 0


def test_the_regulation_reaches_thirty_states() -> None:
    assert len(EEA) == 30
    assert not {"GB", "CH", "US"} & EEA


@pytest.mark.parametrize("country", sorted(EEA))
def test_every_state_of_the_area_has_its_count(country: str) -> None:
    facts = facts_of("S-EU-12", buyer__country=country, state={"offerees_by_ms": {country: 149}})
    assert [reason.code for reason in evaluate_transfer(facts).reasons] == ["EU_150_PERSONS"]


def test_the_time_of_reflection_is_listed() -> None:
    assert list_rules()["eu.ecspr.reflection"].parameters == {"calendar_days": "4"}


def test_the_german_register_cites_its_own_law() -> None:
    citations = {reason.citation for reason in evaluate_transfer(facts_of("S-OTH-33")).reasons}
    assert "eWpG s 17(2)" in citations


@pytest.mark.parametrize("regime", REGIMES_OF_OURS, ids=lambda regime: regime.id)
def test_regimes_ask_for_a_status_only_where_nobody_buys_without_one(regime: Any) -> None:
    asked = {
        "eu.pr_qi": "eu.qi",
        "uk.poatr_qi": "uk.qi",
        "uk.fpo48": "uk.fpo48.hnw",
        "uk.fpo50a": "uk.fpo50a.soph",
    }.get(regime.id)
    assert regime.asks_category == asked
    required = ["kyc", "aml-screening", *(["qualified-investor"] if regime.id.endswith("_qi") else [])]
    assert [need.credential_type for need in regime.needs if need.required] == required


def test_confidence_is_that_of_the_source() -> None:
    unconfirmed = {regime.id for regime in REGIMES_OF_OURS if regime.confidence == "L"}
    assert unconfirmed == {"jp.private", "ky.siba", "sc.merj"}
    assert {test.id for test in TESTS_OF_OURS if test.confidence == "L"} == {"ky.sophisticated", "ky.hnw"}


def test_tests_say_what_is_asked_as_evidence() -> None:
    assert len(TESTS_OF_OURS) == 19
    assert all(test.evidence and test.citation for test in TESTS_OF_OURS)


@pytest.mark.parametrize(
    ("test_id", "figures", "field"),
    [
        ("eu.pro.large_undertaking", {"balance_sheet": 20_000_000}, "net_turnover"),
        ("eu.pro.elective", {"portfolio": 600_000, "sector_years": 0}, "avg_trades_per_quarter"),
        ("eu.ecspr.natural", {"sector_years": 1, "avg_trades_per_quarter": 0}, "income"),
        ("eu.ecspr.legal", {"own_funds": 0}, "net_turnover"),
        ("uk.fpo.hnw", {"income": 1}, "net_assets"),
        ("uk.fpo49", {"kind": "company", "share_capital": 600_000, "net_assets": 0}, "members"),
        ("ch.finsa.hnw", {"assets": 600_000}, "knowledge"),
    ],
)
def test_a_missing_figure_on_which_the_answer_turns_is_named(test_id: str, figures: dict[str, Any], field: str) -> None:
    with pytest.raises(FigureMissingError, match=field):
        assess_investor(test_id, figures, on=TODAY)


@pytest.mark.parametrize(
    ("test_id", "before"),
    [
        ("eu.pro.large_undertaking", date(2018, 1, 2)),
        ("eu.pro.per_se", date(2018, 1, 2)),
        ("eu.pro.elective", date(2018, 1, 2)),
        ("eu.ecspr.natural", date(2021, 11, 9)),
        ("uk.fpo.soph", date(2005, 6, 30)),
        ("uk.fpo50.cert", date(2005, 6, 30)),
        ("uk.fpo49", date(2005, 6, 30)),
        ("eu.qi", date(2019, 7, 20)),
        ("eu.ecspr.legal", date(2021, 11, 9)),
        ("uk.fpo.hnw", date(2005, 6, 30)),
        ("uk.qi", date(2026, 1, 18)),
        ("uk.restricted", date(2023, 1, 31)),
        ("ch.finsa.hnw", date(2019, 12, 31)),
        ("ae.vara", date(2025, 6, 18)),
    ],
)
def test_a_test_answers_from_the_first_day_of_its_law(test_id: str, before: date) -> None:
    with pytest.raises(NoSuchComputationError):
        assess_investor(test_id, {}, on=before)
    with pytest.raises(FigureMissingError):
        assess_investor(test_id, {}, on=add_days(before, 1))


def test_the_working_is_shown() -> None:
    figures = {"avg_trades_per_quarter": 10, "portfolio": 500_000, "sector_years": 1}
    answer = assess_investor("eu.pro.elective", figures, on=TODAY)
    assert answer.category == "eu.pro.elective"
    assert answer.explanation == (
        "avg_trades_per_quarter: 10 >= 10 holds",
        "portfolio: 500,000 > 500,000 fails",
        "sector_years: 1 >= 1 holds",
        "2 of 3 criteria are met; 2 are needed",
    )


def test_the_warning_threshold_says_that_it_is_no_cap() -> None:
    result = compute_limit("eu.ecspr", {"net_worth": 50_000}, on=TODAY)
    assert (result.limit, result.currency, result.computed) == (2_500, "EUR", {"threshold": 2_500})
    assert "it is no cap" in result.explanation[0]
    with pytest.raises(FigureMissingError):
        compute_limit("eu.ecspr", {}, on=TODAY)


def test_rows_of_a_schedule_follow_each_other_without_gap_or_overlap() -> None:
    declared = [rule.parameters for regime in REGIMES_OF_OURS for rule in regime.rules]
    declared += [test.parameters for test in TESTS_OF_OURS]
    schedules = [value for each in declared for value in each.values() if isinstance(value, Schedule)]
    assert len(schedules) == 5
    for schedule in schedules:
        for earlier, later in pairwise(schedule.rows):
            assert earlier.effective_to is not None
            assert add_days(earlier.effective_to, 1) == later.effective_from
        assert schedule.rows[-1].effective_to is None


@pytest.mark.parametrize(
    ("regime_id", "parameters"),
    [
        ("ch.finsa", {"pays_at_least": "100000", "persons_below": "500", "total_12m": "8000000"}),
        (
            "gi.eif",
            {"pays_at_least": "100000", "pays_at_least_if_assessed": "50000", "net_worth_above": "1000000"},
        ),
        ("ae.vara", {"net_worth_at_least_if_assessed": "3500000"}),
        ("ky.siba", {"pays_at_least_if_sophisticated": "100000", "net_worth_at_least": "800000"}),
    ],
)
def test_ways_in_are_listed_with_their_lines(regime_id: str, parameters: dict[str, str]) -> None:
    (rule,) = REGIMES[regime_id].rules
    assert rule.parameters == parameters
    assert len(set(rule.inputs)) == len(rule.inputs)
