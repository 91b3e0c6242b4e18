"""DIFC and ADGM: professional clients.

Source: DFSA Conduct of Business module, rule 2.3.7; ADGM FSRA rules are similar; secondary sources.
"""

from service.rules.facts import Facts, all_hold
from service.rules.packs.criteria import meets_enough
from service.rules.packs.open_ways import build_regime, if_assessed, is_institutional, is_worth_at_least
from service.rules.rule import SALES
from service.rules.schema import read_amount, read_flag, read_number
from service.rules.worksheet import InvestorTest, Worksheet

_CITE = "DFSA COB 2.3.7"
NET_ASSETS = 1_000_000
BALANCE_SHEET, NET_TURNOVER, OWN_FUNDS = 20_000_000, 40_000_000, 2_000_000

REGIMES = (
    build_regime(
        "ae.adgm_difc",
        "DIFC and ADGM, sale to professional clients",
        _CITE,
        is_institutional(),
        if_assessed(is_worth_at_least(NET_ASSETS)),
        code="JURISDICTION_BLOCKED",
        source="secondary",
        confidence="M",
        actions=SALES,
    ),
)


def _judge_individual(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.compare("net_assets", facts.number("net_assets"), ">=", NET_ASSETS),
        lambda: sheet.state("experience and understanding", facts.flag("experience")),
    )


def _judge_undertaking(facts: Facts, sheet: Worksheet) -> bool:
    return meets_enough(
        sheet,
        2,
        lambda: sheet.compare("balance_sheet", facts.number("balance_sheet"), ">=", BALANCE_SHEET),
        lambda: sheet.compare("net_turnover", facts.number("net_turnover"), ">=", NET_TURNOVER),
        lambda: sheet.compare("own_funds", facts.number("own_funds"), ">=", OWN_FUNDS),
    )


TESTS = (
    InvestorTest(
        id="ae.difc",
        title="Assessed professional client: individual",
        citation=_CITE,
        source="secondary",
        confidence="M",
        category="ae.adgm_difc",
        currency="USD",
        figures={"net_assets": read_number, "experience": read_flag},
        judge=_judge_individual,
        evidence=("statement of net assets without the primary residence", "record of the experience assessment"),
        parameters={"net_assets": str(NET_ASSETS)},
    ),
    InvestorTest(
        id="ae.difc.undertaking",
        title="Large undertaking: two of three",
        citation=_CITE,
        source="secondary",
        confidence="M",
        category="ae.adgm_difc",
        currency="USD",
        figures={"balance_sheet": read_amount, "net_turnover": read_amount, "own_funds": read_number},
        judge=_judge_undertaking,
        evidence=("annual accounts",),
        parameters={
            "balance_sheet": str(BALANCE_SHEET),
            "net_turnover": str(NET_TURNOVER),
            "own_funds": str(OWN_FUNDS),
        },
    ),
)
