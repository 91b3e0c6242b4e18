"""Switzerland: offers without a prospectus, and the wealthy client who opts to be professional.

Source: Financial Services Act (FinSA, SR 950.1), articles 5(1), (2), 36(1).
"""

from datetime import date

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.open_ways import (
    build_regime,
    is_institutional,
    offered_to_fewer_than,
    pays_at_least,
    raises_at_most,
)
from service.rules.schema import read_amount, read_flag
from service.rules.worksheet import InvestorTest, Worksheet

IN_FORCE_FROM = date(2020, 1, 1)
PERSONS_BELOW, MINIMUM, TOTAL = 500, 100_000, 8_000_000
ASSETS_WITH_KNOWLEDGE, ASSETS_ALONE = 500_000, 2_000_000

REGIMES = (
    build_regime(
        "ch.finsa",
        "Swiss offer without a prospectus",
        "FinSA art 36(1)",
        is_institutional(),
        pays_at_least(MINIMUM),
        offered_to_fewer_than(PERSONS_BELOW),
        raises_at_most(TOTAL),
        code="MIN_DENOMINATION",
        source="primary",
        confidence="H",
        effective_from=IN_FORCE_FROM,
    ),
)


def _judge_high_net_worth(facts: Facts, sheet: Worksheet) -> bool:
    assets = facts.number("assets")
    return any_holds(
        lambda: sheet.compare("assets", assets, ">=", ASSETS_ALONE),
        lambda: all_hold(
            lambda: sheet.compare("assets", assets, ">=", ASSETS_WITH_KNOWLEDGE),
            lambda: sheet.state("knowledge from education, profession or experience", facts.flag("knowledge")),
        ),
    )


TESTS = (
    InvestorTest(
        id="ch.finsa.hnw",
        title="High net worth client who opts to be professional",
        citation="FinSA art 5(2)",
        source="primary",
        confidence="H",
        category="ch.finsa",
        currency="CHF",
        figures={"assets": read_amount, "knowledge": read_flag},
        judge=_judge_high_net_worth,
        evidence=("declaration of the client in writing", "statements of assets, without real estate and pensions"),
        parameters={"with_knowledge": str(ASSETS_WITH_KNOWLEDGE), "alone": str(ASSETS_ALONE)},
        effective_from=IN_FORCE_FROM,
    ),
)
