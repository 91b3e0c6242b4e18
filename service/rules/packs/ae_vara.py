"""Dubai, VARA: qualified and institutional investors. What a provider may serve at all follows the class of investor.

Source: VARA Market Conduct Rulebook 2.0, Part IV; secondary sources.
"""

from datetime import date

from service.rules.facts import Facts, all_hold
from service.rules.packs.open_ways import build_regime, if_assessed, is_institutional, is_worth_at_least
from service.rules.rule import SALES
from service.rules.schema import read_flag, read_number
from service.rules.worksheet import InvestorTest, Worksheet

_CITE = "VARA Market Conduct Rulebook Part IV"
RULEBOOK_2_FROM = date(2025, 6, 19)
"""Before it the test was of cash, AED 500,000: a fact that nobody states here."""
NET_ASSETS = 3_500_000

REGIMES = (
    build_regime(
        "ae.vara",
        "Dubai, sale to qualified investors",
        _CITE,
        is_institutional(),
        if_assessed(is_worth_at_least(NET_ASSETS)),
        code="JURISDICTION_BLOCKED",
        source="secondary",
        confidence="M",
        actions=SALES,
        effective_from=RULEBOOK_2_FROM,
    ),
)


def _judge_qualified(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.compare("net_assets", facts.number("net_assets"), ">=", NET_ASSETS),
        lambda: sheet.state("knowledge of virtual assets or complex products", facts.flag("knowledge")),
    )


TESTS = (
    InvestorTest(
        id="ae.vara",
        title="Qualified investor",
        citation=_CITE,
        source="secondary",
        confidence="M",
        category="ae.vara",
        currency="AED",
        figures={"net_assets": read_number, "knowledge": read_flag},
        judge=_judge_qualified,
        evidence=("statement of net assets without the primary residence", "record of the knowledge assessment"),
        parameters={"net_assets": str(NET_ASSETS)},
        effective_from=RULEBOOK_2_FROM,
    ),
)
