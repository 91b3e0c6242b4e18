"""From which day each US text is law, stated a second time: a changed date must be changed here too, on purpose.

Scenarios try most of these days as well, but not those before which nothing else would permit anyway.
"""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from service.rules.catalog import ALWAYS_RULES, LIMITS, REGIMES, TESTS, list_rules
from service.rules.law import Schedule
from service.rules.packs import us_4a7, us_144a, us_506c_verification
from service.rules.rule import Regime, Rule
from service.rules.worksheet import InvestorLimit, InvestorTest

FIRST_DAYS = {
    "us.3c1.owners": date(1940, 11, 1),
    "us.ai": date(1982, 4, 15),
    "us.506b": date(1982, 4, 15),
    "us.506b.purchasers": date(2021, 3, 15),
    "us.ai.income": date(1988, 4, 19),
    "us.qib": date(1990, 4, 30),
    "us.reg_s": date(1990, 5, 2),
    "us.person.reg_s": date(1990, 5, 2),
    "us.12g.holders": date(1996, 5, 9),
    "us.3c7.qualified_purchaser": date(1997, 4, 9),
    "us.qp": date(1997, 4, 9),
    "always.sanctions_owners": date(2008, 2, 14),
    "us.rule144.volume": date(2008, 2, 15),
    "us.12g.nonaccredited": date(2012, 4, 5),
    "us.506c": date(2013, 9, 23),
    "us.506d": date(2013, 9, 23),
    "us.reg_a": date(2015, 6, 19),
    "us.reg_a_t1": date(2015, 6, 19),
    "us.reg_a_t2": date(2015, 6, 19),
    "us.reg_cf": date(2016, 5, 16),
    "us.ai.family_client": date(2020, 12, 8),
    "us.ai.family_office": date(2020, 12, 8),
    "us.ai.knowledgeable_employee": date(2020, 12, 8),
    "us.ai.other_entity": date(2020, 12, 8),
    "us.ai.professional": date(2020, 12, 8),
}
"""By id, or by the beginning of the ids; the longest counts."""
RULES = {**{rule.id: rule for rule in ALWAYS_RULES}, **{k: v for k, v in list_rules().items() if k.startswith("us.")}}
TEXTS: list[Rule | Regime] = [*RULES.values(), *(each for each in REGIMES.values() if each.id.startswith("us."))]
COMPUTATIONS: list[InvestorTest | InvestorLimit] = [*TESTS.values(), *LIMITS.values()]
_PARAMETERS = {entry.id: entry.parameters for entry in COMPUTATIONS} | {
    rule.id: rule.parameters for rule in list_rules().values()
}
SCHEDULES = {
    f"{entry_id} {name}": value
    for entry_id, parameters in _PARAMETERS.items()
    for name, value in parameters.items()
    if isinstance(value, Schedule)
}


def find_first_day(text_id: str) -> date | None:
    beginnings = [known for known in FIRST_DAYS if f"{text_id}.".startswith(f"{known}.")]
    return FIRST_DAYS[max(beginnings, key=len)] if beginnings else None


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.id)
def test_texts_begin_with_their_law(text: Rule | Regime) -> None:
    first_day = find_first_day(text.id)
    assert text.effective_from == first_day
    if first_day:
        assert text.is_in_force(first_day)
        assert not text.is_in_force(first_day - timedelta(days=1))


def test_computations_begin_with_their_law() -> None:
    of_us = {each.id: each.effective_from for each in COMPUTATIONS if each.id.startswith("us.")}
    assert of_us == {name: find_first_day(name) for name in of_us}


def test_the_count_of_a_whole_offering_ends_when_the_window_begins() -> None:
    assert RULES["us.506b.purchasers_of_offering"].effective_to == date(2021, 3, 14)


def test_routes_and_methods_begin_with_their_law() -> None:
    assert (date(1990, 4, 30), date(2015, 12, 4)) == (us_144a.IN_FORCE_FROM, us_4a7.IN_FORCE_FROM)
    assert {
        **dict.fromkeys(("third_party", "income_review", "net_worth_review"), date(2013, 9, 23)),
        "prior_verified": date(2021, 3, 15),
        "min_investment": date(2025, 3, 12),
    } == us_506c_verification.METHODS_FROM


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_each_row_ends_the_day_before_the_next_begins(name: str) -> None:
    rows = [row for row in SCHEDULES[name].rows if row.pending is None]
    for row, following in pairwise(rows):
        assert row.effective_to is not None
        assert row.effective_to + timedelta(days=1) == following.effective_from
