"""Cayman Islands: sophisticated and high net worth persons. The lines are from recall, so nothing here permits alone.

Source: Securities Investment Business Act (SIBA), Schedule 4.
"""

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.open_ways import (
    build_regime,
    is_institutional,
    is_sophisticated,
    is_worth_at_least,
    pays_at_least,
)
from service.rules.schema import read_amount, read_flag, read_number
from service.rules.worksheet import InvestorTest, Worksheet

_CITE = "SIBA Sch 4"
TRANSACTION, NET_WORTH, TOTAL_ASSETS = 100_000, 800_000, 4_000_000

REGIMES = (
    build_regime(
        "ky.siba",
        "Cayman Islands, sale to sophisticated and high net worth persons",
        _CITE,
        is_institutional(),
        is_sophisticated(pays_at_least(TRANSACTION)),
        is_worth_at_least(NET_WORTH),
        code="JURISDICTION_BLOCKED",
        source="recall",
        confidence="L",
    ),
)


def _judge_sophisticated(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.compare("transaction", facts.number("transaction"), ">=", TRANSACTION),
        lambda: sheet.state("knowledge and experience", facts.flag("knowledge")),
    )


def _judge_high_net_worth(facts: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.compare("net_worth", facts.number("net_worth"), ">=", NET_WORTH),
        lambda: sheet.compare("total_assets", facts.number("total_assets"), ">=", TOTAL_ASSETS),
    )


TESTS = (
    InvestorTest(
        id="ky.sophisticated",
        title="Sophisticated person",
        citation=_CITE,
        source="recall",
        confidence="L",
        category="ky",
        currency="USD",
        figures={"transaction": read_amount, "knowledge": read_flag},
        judge=_judge_sophisticated,
        evidence=("record of the knowledge assessment",),
        parameters={"transaction": str(TRANSACTION)},
    ),
    InvestorTest(
        id="ky.hnw",
        title="High net worth person",
        citation=_CITE,
        source="recall",
        confidence="L",
        category="ky",
        currency="KYD",
        figures={"net_worth": read_number, "total_assets": read_amount},
        judge=_judge_high_net_worth,
        evidence=("statement of net worth, or balance sheet",),
        parameters={"net_worth": str(NET_WORTH), "total_assets": str(TOTAL_ASSETS)},
    ),
)
