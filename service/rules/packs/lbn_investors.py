"""Labuan: whether an offer needs no approval, asked once for the whole offer.

Source: LFSSA 2010 s8(5).
"""

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.lbn_offers import FIRST_INVESTMENT, IN_FORCE_FROM, PERSONS
from service.rules.schema import read_amount, read_flag, read_whole
from service.rules.worksheet import InvestorTest, Worksheet


def _judge_offer(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("addressed to an identifiable category, directly", figures.flag("identifiable_category")),
        lambda: sheet.compare("persons addressed", figures.number("persons"), "<=", PERSONS),
        lambda: all_hold(
            lambda: sheet.state("debentures", figures.flag("debentures")),
            lambda: sheet.compare(
                "smallest first investment in RM", figures.number("first_investment"), ">=", FIRST_INVESTMENT
            ),
        ),
    )


TESTS = (
    InvestorTest(
        id="lbn.offer_8_5",
        title="Offer that needs no approval",
        citation="LFSSA 2010 s8(5)",
        source="primary",
        confidence="M",
        category="lbn.offer_8_5",
        currency="MYR",
        effective_from=IN_FORCE_FROM,
        figures={
            "identifiable_category": read_flag,
            "persons": read_whole,
            "debentures": read_flag,
            "first_investment": read_amount,
        },
        evidence=("list of the persons addressed", "subscription agreements"),
        parameters={"persons": str(PERSONS), "first_investment": str(FIRST_INVESTMENT)},
        judge=_judge_offer,
    ),
)
