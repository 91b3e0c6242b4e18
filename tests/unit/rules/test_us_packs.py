"""What scenarios don't judge of the US packs: remedies, largest quantities, pending law, what the limits say."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rules import evaluate_transfer
from service.rules.catalog import LIMITS, list_rules
from service.rules.computation import FigureMissingError, NoSuchComputationError, compute_limit
from service.rules.dates import add_months, first_day_outside
from service.rules.decision import Evaluation, Reason, Remedy
from service.rules.facts import InvalidFactsError
from service.rules.law import Schedule, choose_law
from tests.unit.rules.support import facts_of

days = st.dates(date(2019, 1, 1), date(2030, 12, 31))


def reason_of(evaluation: Evaluation, code: str) -> Reason:
    (reason,) = [reason for reason in evaluation.reasons if reason.code == code]
    return reason


PARAMETERS = {rule.id: rule.parameters for rule in list_rules().values()} | {
    limit.id: limit.parameters for limit in LIMITS.values()
}
SCHEDULES = {
    f"{text_id} {name}": value
    for text_id, parameters in PARAMETERS.items()
    for name, value in parameters.items()
    if text_id.startswith("us.") and isinstance(value, Schedule)
}


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_each_row_ends_the_day_before_the_next_begins(name: str) -> None:
    rows = [row for row in SCHEDULES[name].rows if row.pending is None]
    for row, following in pairwise(rows):
        assert row.effective_to is not None
        assert row.effective_to + timedelta(days=1) == following.effective_from
    assert rows[-1].effective_to is None


@pytest.mark.parametrize(
    ("rule_id", "first_day"),
    [
        ("us.3c1.owners", date(1940, 11, 1)),
        ("us.3c7.qualified_purchaser", date(1997, 4, 9)),
        ("us.12g.holders", date(1996, 5, 9)),
        ("us.12g.nonaccredited", date(2012, 4, 5)),
        ("us.506d.bad_actor", date(2013, 9, 23)),
    ],
)
def test_rules_begin_with_their_law(rule_id: str, first_day: date) -> None:
    rule = list_rules()[rule_id]
    assert rule.is_in_force(first_day)
    assert not rule.is_in_force(first_day - timedelta(days=1))


def test_an_unknown_issuance_is_named() -> None:
    facts = facts_of("S-CF-51", seller__lots=[{"qty": 100, "lien": False}])
    assert reason_of(evaluate_transfer(facts), "INPUT_MISSING").evidence["field"] == "seller.lots[0].issued_on"


@given(days, st.sampled_from([3, 12]))
def test_first_day_outside_is_the_first_whose_look_back_misses_the_day(day: date, months: int) -> None:
    first = first_day_outside(day, months)
    assert add_months(first, -months) > day
    assert add_months(first - timedelta(days=1), -months) <= day


def test_the_36th_purchaser_waits_until_enough_have_left_the_window() -> None:
    sales = [{"date": date(2026, 4, 1), "count": 2}, {"date": date(2026, 3, 20), "count": 3}]
    facts = facts_of("S-506B-05", state__nonaccredited_sales=[*sales, {"date": date(2026, 5, 1), "count": 34}])
    reason = reason_of(evaluate_transfer(facts), "US_506B_35_LIMIT")
    assert reason.remedy == Remedy("wait_until", at=date(2026, 6, 30))
    assert reason.evidence["limit"] == 35
    assert evaluate_transfer({**facts, "date": date(2026, 6, 29)}).outcome == "deny"
    assert evaluate_transfer({**facts, "date": date(2026, 6, 30)}).outcome == "permit"


def test_the_count_of_a_whole_offering_never_shrinks() -> None:
    assert reason_of(evaluate_transfer(facts_of("S-506B-19")), "US_506B_35_LIMIT").remedy == Remedy("none")


def test_reasons_about_the_buyer_say_so() -> None:
    cases = {
        "S-506B-17": "US_506B_NOT_SOPHISTICATED",
        "S-CF-02": "US_CF_INVESTOR_LIMIT",
        "S-RA-02": "US_REGA_10PCT_LIMIT",
        "S-RA-26": "US_BLUE_SKY",
    }
    for scenario_id, code in cases.items():
        assert reason_of(evaluate_transfer(facts_of(scenario_id)), code).party == "buyer"
    assert reason_of(evaluate_transfer(facts_of("S-CF-53")), "US_CF_RESALE_1Y").party == "seller"
    assert reason_of(evaluate_transfer(facts_of("S-506B-05")), "US_506B_35_LIMIT").party is None


def test_who_could_show_more_is_asked_to() -> None:
    cases = {
        "S-506B-17": ("US_506B_NOT_SOPHISTICATED", "us.506b"),
        "S-CF-02": ("US_CF_INVESTOR_LIMIT", "us.reg_cf"),
        "S-RA-02": ("US_REGA_10PCT_LIMIT", "us.reg_a_t2"),
    }
    for scenario_id, (code, purpose) in cases.items():
        assert reason_of(evaluate_transfer(facts_of(scenario_id)), code).remedy == Remedy("present", purpose=purpose)


def test_a_crowdfunding_investor_waits_until_enough_purchases_are_a_year_old() -> None:
    bought = [(date(2026, 1, 10), 4000), (date(2025, 2, 28), 2000), (date(2025, 6, 1), 1000)]
    purchases = [{"date": bought_on, "amount": amount} for bought_on, amount in bought]
    facts = facts_of("S-CF-01", date=date(2026, 2, 20), qty=2500, buyer__cf_purchases=purchases)
    evaluation = evaluate_transfer(facts)
    reason = reason_of(evaluation, "US_CF_INVESTOR_LIMIT")
    assert reason.remedy == Remedy("wait_until", at=date(2026, 3, 1))
    assert evaluation.max_quantity == 500
    more = reason_of(evaluate_transfer({**facts, "qty": 3000}), "US_CF_INVESTOR_LIMIT")
    assert more.remedy == Remedy("wait_until", at=date(2026, 6, 2))
    assert evaluate_transfer({**facts, "date": date(2026, 2, 28)}).outcome == "deny"
    assert evaluate_transfer({**facts, "date": date(2026, 3, 1)}).outcome == "permit"


@pytest.mark.parametrize(
    ("scenario_id", "changes", "most"),
    [
        ("S-CF-01", {}, 7500),
        ("S-CF-02", {}, 7500),
        ("S-CF-03", {"price": 7}, 1071),
        ("S-CF-07", {}, 0),
        ("S-CF-14", {}, 2500),
        ("S-CF-40", {}, 40000),
        ("S-CF-39", {}, 40000),
        ("S-CF-50", {}, None),
        ("S-RA-02", {}, 10000),
        ("S-RA-14", {}, 500),
        ("S-RA-15", {}, 500),
        ("S-REG-07", {}, 100),
    ],
)
def test_the_largest_quantity_is_told(scenario_id: str, changes: dict[str, Any], most: int | None) -> None:
    facts = facts_of(scenario_id, **changes)
    assert evaluate_transfer(facts).max_quantity == most
    if most:
        assert evaluate_transfer({**facts, "qty": most}).outcome == "permit"
        assert evaluate_transfer({**facts, "qty": most + 1}).outcome == "deny"


def test_the_free_part_of_mixed_lots_is_told() -> None:
    evaluation = evaluate_transfer(facts_of("S-CF-96"))
    assert evaluation.max_quantity == 60
    assert reason_of(evaluation, "US_CF_RESALE_1Y").remedy == Remedy("wait_until", at=date(2027, 2, 1))
    alone = evaluate_transfer(facts_of("S-CF-51"))
    assert alone.max_quantity == 0
    assert reason_of(alone, "US_CF_RESALE_1Y").remedy == Remedy("wait_until", at=date(2027, 2, 1))


def test_an_affiliate_waits_until_a_sale_of_the_month_end_has_left_the_window() -> None:
    sales = [{"date": date(2026, 2, 28), "qty": 1}]
    facts = facts_of("S-REG-06", date=date(2026, 5, 20), seller__affiliate_sales=sales)
    reason = reason_of(evaluate_transfer(facts), "US_144_VOLUME")
    assert reason.remedy == Remedy("wait_until", at=date(2026, 6, 1))
    assert evaluate_transfer({**facts, "date": date(2026, 5, 31)}).outcome == "deny"
    assert evaluate_transfer({**facts, "date": date(2026, 6, 1)}).outcome == "permit"


def test_the_pending_law_lets_a_venture_capital_fund_have_500_owners() -> None:
    assumed = choose_law("2026.11.1+LW-US-INVEST")
    fund = facts_of("S-HOLD-04", state__beneficial_owners=499)
    assert evaluate_transfer(fund).outcome == "deny"
    assert evaluate_transfer(fund, assumed).outcome == "permit"
    assert evaluate_transfer(facts_of("S-HOLD-04", state__beneficial_owners=500), assumed).outcome == "deny"
    assert evaluate_transfer(facts_of("S-HOLD-02"), assumed).outcome == "deny"


@pytest.mark.parametrize(
    ("day", "name", "most"),
    [
        (date(2018, 5, 24), "2026.11.1", 10_000_000),
        (date(2024, 9, 29), "2026.11.1", 10_000_000),
        (date(2024, 9, 30), "2026.11.1", 12_000_000),
        (date(2024, 9, 30), "2026.11.1+LW-US-INVEST", 50_000_000),
    ],
)
def test_what_the_statement_of_a_venture_capital_fund_means(day: date, name: str, most: int) -> None:
    assert SCHEDULES["us.3c1.owners 3c1_qvcf.capital"].on(day, choose_law(name)) == most


def test_limits_show_their_working() -> None:
    figures = {"annual_income": 150_000, "net_worth": 80_000}
    result = compute_limit("us.reg_cf", figures, on=date(2026, 6, 1))
    assert result.limit == 7500
    assert result.computed == {"base": 150_000}
    assert result.explanation == (
        "greater of annual income and net worth: 150,000",
        "the lesser figure: 80,000 < 124,000 holds",
    )
    assert compute_limit("us.reg_cf", figures, on=date(2021, 3, 14)).computed == {"base": 80_000}
    accredited = compute_limit("us.reg_cf", {"accredited": True}, on=date(2026, 6, 1))
    assert accredited.explanation == ("accredited, and so without a limit: yes",)
    entity = compute_limit("us.reg_a_t2", {**figures, "entity": True}, on=date(2026, 6, 1))
    assert entity.explanation[-1] == "10% of the greater of revenue and net assets: 15,000.0"
    person = compute_limit("us.reg_a_t2", figures, on=date(2026, 6, 1))
    assert person.explanation[-1] == "10% of the greater of annual income and net worth: 15,000.0"
    volume = compute_limit("us.rule144.volume", {"outstanding": 100, "awtv": None}, on=date(2026, 6, 1))
    assert volume.explanation == (
        "1 per cent of what is outstanding: 1.00",
        "average weekly trading volume is reported: no",
    )


@pytest.mark.parametrize(
    ("limit_id", "figures"),
    [
        ("us.reg_cf", {"annual_income": 1}),
        ("us.reg_cf", {"net_worth": 1}),
        ("us.reg_a_t2", {"annual_income": 1}),
        ("us.reg_a_t2", {"net_worth": 1}),
        ("us.rule144.volume", {"outstanding": 1}),
        ("us.rule144.volume", {"awtv": 1}),
    ],
)
def test_a_limit_without_its_figures_is_no_limit(limit_id: str, figures: dict[str, Any]) -> None:
    with pytest.raises(FigureMissingError):
        compute_limit(limit_id, figures, on=date(2026, 6, 1))


@pytest.mark.parametrize("limit_id", ["us.reg_cf", "us.reg_a_t2"])
def test_net_worth_may_be_negative_but_no_income_is(limit_id: str) -> None:
    on = date(2026, 6, 1)
    assert compute_limit(limit_id, {"annual_income": 100_000, "net_worth": -1}, on=on).limit
    compute_limit(limit_id, {"annual_income": 0, "net_worth": 0}, on=on)
    with pytest.raises(InvalidFactsError, match="annual_income: a number of at least 0"):
        compute_limit(limit_id, {"annual_income": -1, "net_worth": 100_000}, on=on)


@pytest.mark.parametrize(
    ("limit_id", "last_day_before"),
    [
        ("us.reg_cf", date(2016, 5, 15)),
        ("us.reg_a_t2", date(2015, 6, 18)),
        ("us.rule144.volume", date(2008, 2, 14)),
    ],
)
def test_limits_begin_with_their_law(limit_id: str, last_day_before: date) -> None:
    figures: dict[str, Any] = {"outstanding": 1, "awtv": 1} if "144" in limit_id else {"accredited": True}
    with pytest.raises(NoSuchComputationError):
        compute_limit(limit_id, figures, on=last_day_before)


def test_rule_144a_began_on_its_day() -> None:
    facts = facts_of("S-REG-17")
    assert evaluate_transfer({**facts, "date": date(1990, 4, 29)}).outcome == "deny"
    assert evaluate_transfer({**facts, "date": date(1990, 4, 30)}).route == "144A"
