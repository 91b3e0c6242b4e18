"""Investor tests and limits as functions: what they read, what they refuse, what they say."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from service.rules.catalog import LIMITS, TESTS, describe_computation, list_rules
from service.rules.computation import (
    ComputationFailedError,
    FigureMissingError,
    NoSuchComputationError,
    assess_investor,
    compute_limit,
)
from service.rules.facts import InvalidFactsError
from service.rules.law import CURRENT_LAW, RULES_VERSION, Law, Schedule

ON = date(2026, 11, 23)
INCOME = {
    "income_y1": 250_000,
    "income_y2": Decimal("200000.01"),
    "joint_y1": None,
    "joint_y2": None,
    "expects_same_current_year": True,
}
WORTH = {
    "total_assets": 2_120_000,
    "residence_fmv": 1_000_000,
    "residence_debt": 400_000,
    "residence_debt_60d_ago": 250_000,
    "other_liabilities": 0,
}
LAST_DAYS_BEFORE = {
    "1982-04-14": "us.ai.net_worth us.ai.insider us.ai.institution us.ai.private_bdc us.ai.entity_assets us.ai.trust "
    "us.ai.all_owners",
    "1988-04-18": "us.ai.income",
    "1990-04-29": "us.qib",
    "1990-05-01": "us.person.reg_s",
    "1997-04-08": "us.qp.natural us.qp.family_company us.qp.trust us.qp.institution",
    "2020-12-07": "us.ai.professional us.ai.knowledgeable_employee us.ai.family_client us.ai.other_entity "
    "us.ai.family_office",
}
DATED = sorted(entry.id for entry in TESTS.values() if entry.effective_from)
DATED_LIMITS = sorted(entry.id for entry in LIMITS.values() if entry.effective_from)


def test_an_assessment_says_what_it_rests_on() -> None:
    given = assess_investor("us.ai.income", INCOME, on=ON)
    assert given.qualifies
    assert (given.test_id, given.category, given.on) == ("us.ai.income", "us.ai.income", ON)
    assert (given.citation, given.confidence, given.rules_version) == ("17 CFR 230.501(a)(6)", "H", RULES_VERSION)
    assert given.explanation == (
        "The same is expected in the current year: yes",
        "Own income of y1: 250,000 > 200,000 holds",
        "Own income of y2: 200,000.01 > 200,000 holds",
    )


def test_the_working_shows_intermediate_values() -> None:
    given = assess_investor("us.ai.net_worth", WORTH, on=ON)
    assert not given.qualifies
    assert given.computed == {"net_worth": 970_000}
    assert given.explanation == (
        "Debt on the residence: 400,000, of which 250,000 is ignored",
        "Net worth: 970,000",
        "Net worth: 970,000 > 1,000,000 fails",
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("income_y1", 1.5, "figures.income_y1: an exact decimal number is needed"),
        ("income_y1", Decimal("NaN"), "figures.income_y1: an exact decimal number is needed"),
        ("income_y1", Decimal("Infinity"), "figures.income_y1: an exact decimal number is needed"),
        ("income_y1", "1e6", "figures.income_y1: an exact decimal number is needed"),
        ("income_y1", True, "figures.income_y1: an exact decimal number is needed"),
        ("income_y1", -1, "figures.income_y1: a number of at least 0 is needed"),
        ("expects_same_current_year", 1, "figures.expects_same_current_year: true or false is needed"),
        ("income", 1, "figures.income: unknown field"),
    ],
)
def test_figures_are_read_strictly(name: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidFactsError) as caught:
        assess_investor("us.ai.income", {**INCOME, name: value}, on=ON)
    assert caught.value.detail.startswith(message)


def test_the_day_is_no_figure() -> None:
    with pytest.raises(InvalidFactsError, match=r"figures\.as_of: unknown field"):
        assess_investor("us.ai.income", {**INCOME, "as_of": "2020-01-01"}, on=ON)


def test_decimal_text_is_a_number() -> None:
    assert assess_investor("us.qp.natural", {"value": "5000000.00"}, on=ON).qualifies
    assert not assess_investor("us.qp.natural", {"value": "4999999.99"}, on=ON).qualifies


@pytest.mark.parametrize(
    ("test_id", "figures", "missing"),
    [
        ("us.ai.income", {"income_y1": 1}, "expects_same_current_year"),
        ("us.ai.income", {"expects_same_current_year": True}, "income_y1"),
        ("us.ai.income", {**INCOME, "income_y2": None, "joint_y1": 400_000, "joint_y2": 400_000}, None),
        ("us.ai.income", {"expects_same_current_year": True, "income_y1": 1}, "joint_y1"),
        ("us.ai.income", {"expects_same_current_year": True, "joint_y1": None}, "income_y1"),
        ("us.ai.net_worth", {}, "total_assets"),
        ("us.ai.net_worth", {"total_assets": 1_000_001}, "residence_fmv"),
        ("us.ai.net_worth", {"total_assets": 1_000_000}, None),
        ("us.ai.net_worth", {**WORTH, "residence_debt_60d_ago": None}, "residence_debt_60d_ago"),
        ("us.ai.net_worth", {**WORTH, "total_assets": 2_000_000, "residence_debt_60d_ago": None}, None),
        ("us.ai.entity_assets", {}, "value"),
        ("us.ai.professional", {"good_standing": True}, "license"),
        ("us.ai.trust", {"value": 5_000_001, "not_formed_for_purpose": True}, "sophisticated_direction"),
        ("us.ai.trust", {"value": 5_000_001, "sophisticated_direction": True}, "not_formed_for_purpose"),
        ("us.qib", {"value": 99_999_999}, "dealer"),
        ("us.qib", {"value": 100_000_000, "bank": True}, "net_worth"),
        ("us.person.reg_s", {"person": "estate", "us_fiduciary": True}, "foreign_fiduciary_decides"),
    ],
)
def test_a_missing_figure_is_named_if_the_answer_turns_on_it(
    test_id: str, figures: dict[str, Any], missing: str | None
) -> None:
    if missing is None:
        assess_investor(test_id, figures, on=ON)
        return
    with pytest.raises(FigureMissingError) as caught:
        assess_investor(test_id, figures, on=ON)
    assert caught.value.code == "input_missing"
    assert caught.value.detail == f"INPUT_MISSING: figures.{missing} is missing and the answer turns on it"


@pytest.mark.parametrize(("day_before", "test_ids"), LAST_DAYS_BEFORE.items())
def test_no_test_reaches_further_back_than_its_law(day_before: str, test_ids: str) -> None:
    for test_id in test_ids.split():
        with pytest.raises(NoSuchComputationError, match=f"^{test_id} was not in force on {day_before}$"):
            assess_investor(test_id, {}, on=date.fromisoformat(day_before))


def list_schedules() -> list[tuple[str, Schedule[Any]]]:
    entries: list[Any] = [*TESTS.values(), *LIMITS.values(), *list_rules().values()]
    return [
        (f"{entry.id} {name}", value)
        for entry in entries
        for name, value in entry.parameters.items()
        if isinstance(value, Schedule)
    ]


def test_thresholds_change_from_one_day_to_the_next() -> None:
    schedules = list_schedules()
    assert len(schedules) > 5
    for name, schedule in schedules:
        rows = [row for row in schedule.rows if row.pending is None]
        for before, after in pairwise(rows):
            assert before.effective_to, name
            assert before.effective_to + timedelta(days=1) == after.effective_from, name


@pytest.mark.parametrize("test_id", DATED)
def test_a_test_out_of_force_has_no_answer(test_id: str) -> None:
    day = TESTS[test_id].effective_from
    assert day
    with pytest.raises(NoSuchComputationError) as caught:
        assess_investor(test_id, {}, on=day - timedelta(days=1))
    assert caught.value.detail == f"{test_id} was not in force on {day - timedelta(days=1)}"


@pytest.mark.parametrize("limit_id", DATED_LIMITS)
def test_a_limit_out_of_force_has_no_answer(limit_id: str) -> None:
    day = LIMITS[limit_id].effective_from
    assert day
    with pytest.raises(NoSuchComputationError, match="was not in force on"):
        compute_limit(limit_id, {}, on=day - timedelta(days=1))


def test_an_unknown_test_or_limit_is_named() -> None:
    with pytest.raises(NoSuchComputationError, match=r"^unknown investor test 'us\.ai\.wealth'$"):
        assess_investor("us.ai.wealth", {}, on=ON)
    with pytest.raises(NoSuchComputationError, match=r"^unknown limit 'us\.506c'$"):
        compute_limit("us.506c", {}, on=ON)


def test_an_earlier_version_of_the_rules_knows_no_later_test() -> None:
    assert CURRENT_LAW.version != "2026.1.1"
    with pytest.raises(NoSuchComputationError, match="unknown investor test"):
        assess_investor("us.ai.income", INCOME, on=ON, law=Law("2026.1.1"))


def test_what_breaks_a_test_is_told_apart_from_a_wrong_figure() -> None:
    with pytest.raises(ComputationFailedError) as caught:
        assess_investor("us.ai.net_worth", {**WORTH, "total_assets": Decimal("1E+1000001")}, on=ON)
    assert caught.value.code == "computation_failed"
    assert caught.value.detail == "us.ai.net_worth failed: Overflow"


def test_more_accredited_owners_than_owners_are_refused() -> None:
    with pytest.raises(InvalidFactsError, match=r"figures\.accredited_owners: more than there are owners"):
        assess_investor("us.ai.all_owners", {"owners": 1, "accredited_owners": 2}, on=ON)


@pytest.mark.parametrize("entry", [*TESTS.values(), *LIMITS.values()], ids=lambda entry: entry.id)
def test_every_test_and_limit_declares_its_law(entry: Any) -> None:
    described = describe_computation(entry)
    assert described["citation"]
    assert described["figures"]
    assert set(described["defaults"]) <= set(described["figures"])
