"""Gibraltar: experienced investor funds, whose participants must be experienced investors, whoever they buy from.

Source: Financial Services (Experienced Investor Funds) Regulations (Gibraltar), definition of experienced investor.
"""

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.open_ways import build_regime, if_assessed, is_institutional, is_worth_more_than, pays_at_least
from service.rules.rule import SALES
from service.rules.schema import read_amount, read_flag, read_number
from service.rules.worksheet import InvestorTest, Worksheet

_CITE = "Gibraltar EIF Regulations, experienced investor"
INVESTMENT, INVESTMENT_ADVISED, NET_WORTH_ABOVE = 100_000, 50_000, 1_000_000

REGIMES = (
    build_regime(
        "gi.eif",
        "Gibraltar experienced investor fund",
        _CITE,
        is_institutional(),
        pays_at_least(INVESTMENT),
        if_assessed(pays_at_least(INVESTMENT_ADVISED)),
        is_worth_more_than(NET_WORTH_ABOVE),
        code="MIN_DENOMINATION",
        source="secondary",
        confidence="M",
        actions=SALES,
    ),
)


def _judge_experienced(facts: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("professional client, or investing is the business", facts.flag("professional")),
        lambda: sheet.compare("investment", facts.number("investment"), ">=", INVESTMENT),
        lambda: all_hold(
            lambda: sheet.compare("investment", facts.number("investment"), ">=", INVESTMENT_ADVISED),
            lambda: sheet.state("advised by a professional adviser", facts.flag("advised")),
        ),
        lambda: sheet.compare("net_worth", facts.number("net_worth"), ">", NET_WORTH_ABOVE),
    )


TESTS = (
    InvestorTest(
        id="gi.eif",
        title="Experienced investor",
        citation=_CITE,
        source="secondary",
        confidence="M",
        category="gi.eif",
        currency="EUR",
        figures={
            "professional": read_flag,
            "investment": read_amount,
            "advised": read_flag,
            "net_worth": read_number,
        },
        judge=_judge_experienced,
        evidence=("confirmation of the adviser", "statement of net worth without the principal residence"),
        parameters={
            "investment": str(INVESTMENT),
            "investment_advised": str(INVESTMENT_ADVISED),
            "net_worth_above": str(NET_WORTH_ABOVE),
        },
    ),
)
