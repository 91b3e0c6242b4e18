"""European investor tests: professional clients under MiFID II, qualified investors under the Prospectus Regulation.

The two-of-three test of an elective professional is only the part that figures can answer: the firm's own assessment,
the investor's written request and the warnings come on top, and stand in the credential that the firm issues.

Source: Directive 2014/65/EU, Annex II; Regulation (EU) 2017/1129, article 2(e).
"""

from datetime import date

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.criteria import meets_enough
from service.rules.schema import read_amount, read_flag, read_number
from service.rules.worksheet import InvestorTest, Worksheet

_MIFID = "MiFID II Annex II"
MIFID_II_FROM = date(2018, 1, 3)
PROSPECTUS_REGULATION_FROM = date(2019, 7, 21)
BALANCE_SHEET, NET_TURNOVER, OWN_FUNDS = 20_000_000, 40_000_000, 2_000_000
TRADES_PER_QUARTER, PORTFOLIO, SECTOR_YEARS = 10, 500_000, 1
_COMPANY_FIGURES = {"balance_sheet": read_amount, "net_turnover": read_amount, "own_funds": read_number}
_COMPANY_PARAMETERS = {
    "balance_sheet": str(BALANCE_SHEET),
    "net_turnover": str(NET_TURNOVER),
    "own_funds": str(OWN_FUNDS),
}
_STATUSES = ("per_se", "elective", "eligible_counterparty")


def judge_large_undertaking(facts: Facts, sheet: Worksheet) -> bool:
    """Tell whether a company meets two of the three size requirements, on a company basis."""

    def compare(name: str, minimum: int) -> bool:
        return sheet.compare(name, facts.number(name), ">=", minimum)

    return meets_enough(
        sheet,
        2,
        lambda: compare("balance_sheet", BALANCE_SHEET),
        lambda: compare("net_turnover", NET_TURNOVER),
        lambda: compare("own_funds", OWN_FUNDS),
    )


def _judge_per_se(facts: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("authorised or regulated to operate in financial markets", facts.flag("regulated")),
        lambda: sheet.state("government, central bank or supranational body", facts.flag("public_body")),
        lambda: sheet.state("main activity is investing", facts.flag("institutional_investor")),
        lambda: judge_large_undertaking(facts, sheet),
    )


def _judge_elective(facts: Facts, sheet: Worksheet) -> bool:
    def compare(name: str, minimum: int) -> bool:
        return sheet.compare(name, facts.number(name), ">=", minimum)

    return meets_enough(
        sheet,
        2,
        lambda: compare("avg_trades_per_quarter", TRADES_PER_QUARTER),
        lambda: sheet.compare("portfolio", facts.number("portfolio"), ">", PORTFOLIO),
        lambda: compare("sector_years", SECTOR_YEARS),
    )


def judge_professional_status(facts: Facts, sheet: Worksheet) -> bool:
    """Tell whether a firm classes the investor as professional or eligible counterparty, and still does."""
    return all_hold(
        lambda: not sheet.state("treated as non-professional by agreement", facts.flag("opted_down")),
        lambda: any_holds(
            lambda: sheet.state("professional per se", facts.flag("per_se")),
            lambda: sheet.state("professional on request", facts.flag("elective")),
            lambda: sheet.state("eligible counterparty", facts.flag("eligible_counterparty")),
        ),
    )


STATUS_FIGURES = {
    "per_se": read_flag,
    "elective": read_flag,
    "eligible_counterparty": read_flag,
    "opted_down": read_flag,
}
TESTS = (
    InvestorTest(
        id="eu.pro.large_undertaking",
        title="Large undertaking: two of three",
        citation=f"{_MIFID} s.I(2)",
        source="secondary",
        confidence="H",
        category="eu.pro.per_se",
        currency="EUR",
        figures=_COMPANY_FIGURES,
        judge=judge_large_undertaking,
        evidence=("annual accounts",),
        parameters=_COMPANY_PARAMETERS,
        effective_from=MIFID_II_FROM,
    ),
    InvestorTest(
        id="eu.pro.per_se",
        title="Professional client per se",
        citation=f"{_MIFID} s.I",
        source="secondary",
        confidence="H",
        category="eu.pro.per_se",
        currency="EUR",
        figures={
            "regulated": read_flag,
            "public_body": read_flag,
            "institutional_investor": read_flag,
            **_COMPANY_FIGURES,
        },
        judge=_judge_per_se,
        evidence=("extract of the supervisor's register", "annual accounts"),
        parameters=_COMPANY_PARAMETERS,
        effective_from=MIFID_II_FROM,
    ),
    InvestorTest(
        id="eu.pro.elective",
        title="Professional client on request: two of three",
        citation=f"{_MIFID} s.II(1)",
        source="secondary",
        confidence="H",
        category="eu.pro.elective",
        currency="EUR",
        figures={"avg_trades_per_quarter": read_amount, "portfolio": read_amount, "sector_years": read_amount},
        judge=_judge_elective,
        evidence=("written request and acknowledgement", "trade history of four quarters", "portfolio statement"),
        parameters={
            "trades_per_quarter": str(TRADES_PER_QUARTER),
            "portfolio_above": str(PORTFOLIO),
            "sector_years": str(SECTOR_YEARS),
        },
        effective_from=MIFID_II_FROM,
    ),
    InvestorTest(
        id="eu.qi",
        title="Qualified investor",
        citation="Reg (EU) 2017/1129 art 2(e)",
        source="secondary",
        confidence="H",
        category="eu.qi",
        currency=None,
        figures=STATUS_FIGURES,
        judge=judge_professional_status,
        evidence=("classification confirmed by the investment firm",),
        effective_from=PROSPECTUS_REGULATION_FROM,
    ),
)
