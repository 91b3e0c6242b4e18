"""Singapore: tests of accredited, expert and institutional investors, and of relevant persons.

Source: SFA ss4A, 275(2); SF (Classes of Investors) Regulations 2018; MAS FAQs on accredited investors of 2024-10-08.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from service.rules.dates import add_months
from service.rules.facts import Facts, Number, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.packs.sg_eligible import OPT_IN_NEEDED
from service.rules.rule import Confidence
from service.rules.schema import read_amount, read_day, read_flag, read_number
from service.rules.worksheet import InvestorTest, Worksheet

NET_PERSONAL_ASSETS = 2_000_000
FINANCIAL_ASSETS = 1_000_000
INCOME = 300_000
CORPORATE_NET_ASSETS = 10_000_000
CERTIFIED_MONTHS = 12
AMENDED_ON = date(2018, 10, 8)
RESIDENCE_CAP: Schedule[int | None] = Schedule(
    Row(None, effective_to=date(2018, 10, 7)),
    Row(1_000_000, effective_from=AMENDED_ON, citation="SF (Classes of Investors) Regulations 2018"),
)
"""How much of the primary residence's net value counts; None for all of it."""
_FAQ = "MAS FAQs on the Definition of Accredited Investor, rev. 2024-10-08"
TOKEN_SHARE: Schedule[Number] = Schedule(
    Row(1, effective_to=date(2024, 10, 3)),
    Row(Decimal("0.5"), effective_from=date(2024, 10, 4), citation=_FAQ),
)
TOKEN_CAP: Schedule[int | None] = Schedule(
    Row(None, effective_to=date(2024, 10, 3)),
    Row(200_000, effective_from=date(2024, 10, 4), citation=_FAQ),
)
"""How much of digital payment tokens' market value counts: a share, and at most so much; None for no bound."""


def _cap(value: Number, cap: int | None) -> Number:
    return value if cap is None else min(value, cap)


def _judge_net_personal_assets(figures: Facts, sheet: Worksheet) -> bool:
    residence = figures.number("residence_fmv") - figures.number("residence_loan")
    without_tokens = figures.number("other_net_assets") + _cap(residence, figures.in_force(RESIDENCE_CAP))
    return any_holds(
        lambda: _compare_whole(figures, sheet, without_tokens),
        lambda: sheet.compare("net personal assets but tokens in S$", without_tokens, ">", NET_PERSONAL_ASSETS),
    )


def _compare_whole(figures: Facts, sheet: Worksheet, without_tokens: Number) -> bool:
    tokens = figures.number("dpt_market_value") * figures.in_force(TOKEN_SHARE)
    counted = without_tokens + _cap(tokens, figures.in_force(TOKEN_CAP))
    sheet.note("counted", counted)
    return sheet.compare("net personal assets in S$", counted, ">", NET_PERSONAL_ASSETS)


def _judge_financial_assets(figures: Facts, sheet: Worksheet) -> bool:
    return sheet.compare("financial assets less liabilities in S$", figures.number("value"), ">", FINANCIAL_ASSETS)


def _judge_income(figures: Facts, sheet: Worksheet) -> bool:
    return sheet.compare("income of the preceding 12 months in S$", figures.number("value"), ">=", INCOME)


def _judge_corporate(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("every owner is an accredited investor", figures.flag("owned_by_accredited")),
        lambda: all_hold(
            lambda: sheet.compare("net assets in S$", figures.number("net_assets"), ">", CORPORATE_NET_ASSETS),
            lambda: _is_balance_sheet_good(figures, sheet),
        ),
    )


def _is_balance_sheet_good(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("most recent audited balance sheet", figures.flag("audited")),
        lambda: sheet.state("certified balance sheet of the last 12 months", _is_recent(figures)),
    )


def _is_recent(figures: Facts) -> bool:
    dated_on = figures.day("balance_sheet_on")
    return dated_on <= figures.day("as_of") <= add_months(dated_on, CERTIFIED_MONTHS)


def _judge_expert(figures: Facts, sheet: Worksheet) -> bool:
    return sheet.state("business deals in, or holds, capital markets products", figures.flag("deals_in_products"))


def _judge_institutional(figures: Facts, sheet: Worksheet) -> bool:
    return sheet.state("of a kind that s4A(1)(c) names, on its register", figures.flag("on_register"))


def _judge_relevant_person(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: _is_consenting(figures, sheet),
        lambda: sheet.state(
            "corporation that only holds investments, owned by accredited individuals alone",
            figures.flag("holding_corporation_of_accredited"),
        ),
        lambda: sheet.state(
            "trustee of a trust that only holds investments, each beneficiary accredited",
            figures.flag("trust_for_accredited"),
        ),
        lambda: sheet.state("officer of the offeror, or close family of one", figures.flag("officer_or_family")),
    )


def _is_consenting(figures: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("accredited investor", figures.flag("accredited")),
        lambda: (
            not figures.in_force(OPT_IN_NEEDED) or sheet.state("opted in at this institution", figures.flag("opted_in"))
        ),
    )


def _test(name: str, title: str, citation: str, confidence: Confidence, **more: Any) -> InvestorTest:
    return InvestorTest(
        id=f"sg.{name}",
        title=title,
        citation=citation,
        confidence=confidence,
        **{"source": "primary", "currency": "SGD", "category": f"sg.{name}", **more},
    )


_INDIVIDUAL = {"category": "sg.ai.individual"}
TESTS = (
    _test(
        "ai.net_personal_assets",
        "Individual with net personal assets over S$2 million",
        "SFA s4A(1)(a)(i)(A); SF (Classes of Investors) Regulations 2018",
        "H",
        figures={
            "residence_fmv": read_amount,
            "residence_loan": read_amount,
            "other_net_assets": read_number,
            "dpt_market_value": read_amount,
        },
        evidence=("statements of the last 3 months", "valuation of the residence and of its loan"),
        parameters={
            "net_personal_assets": str(NET_PERSONAL_ASSETS),
            "residence_cap": RESIDENCE_CAP,
            "token_share": TOKEN_SHARE,
            "token_cap": TOKEN_CAP,
        },
        judge=_judge_net_personal_assets,
        **_INDIVIDUAL,
    ),
    _test(
        "ai.financial_assets",
        "Individual with financial assets, less related liabilities, over S$1 million",
        "SFA s4A(1)(a)(i)(B)",
        "H",
        effective_from=AMENDED_ON,
        figures={"value": read_number},
        evidence=("statements of the last 3 months",),
        parameters={"financial_assets": str(FINANCIAL_ASSETS)},
        judge=_judge_financial_assets,
        **_INDIVIDUAL,
    ),
    _test(
        "ai.income",
        "Individual with an income of S$300,000 in the preceding 12 months",
        "SFA s4A(1)(a)(i)(C)",
        "H",
        figures={"value": read_number},
        evidence=("notice of assessment, or payslips and CPF contributions",),
        parameters={"income": str(INCOME)},
        judge=_judge_income,
        **_INDIVIDUAL,
    ),
    _test(
        "ai.corporate",
        "Corporation with net assets over S$10 million, or owned by accredited investors alone",
        "SFA s4A(1)(a)(ii); SF (Classes of Investors) Regulations 2018 reg 2(2)",
        "H",
        figures={
            "net_assets": read_number,
            "audited": read_flag,
            "balance_sheet_on": read_day,
            "owned_by_accredited": read_flag,
        },
        evidence=("audited balance sheet, or one that the corporation certifies",),
        parameters={"net_assets": str(CORPORATE_NET_ASSETS), "certified_months": str(CERTIFIED_MONTHS)},
        judge=_judge_corporate,
    ),
    _test(
        "expert",
        "Expert investor",
        "SFA s4A(1)(b)",
        "H",
        currency=None,
        figures={"deals_in_products": read_flag},
        evidence=("licence, or accounts that show the business",),
        judge=_judge_expert,
    ),
    _test(
        "institutional",
        "Institutional investor: government, bank, insurer, licensee, fund and the like",
        "SFA s4A(1)(c)",
        "H",
        source="secondary",
        currency=None,
        figures={"on_register": read_flag},
        evidence=("register extract",),
        judge=_judge_institutional,
    ),
    _test(
        "relevant_person",
        "Relevant person of an offer",
        "SFA s275(2)",
        "H",
        source="secondary",
        currency=None,
        figures={
            "accredited": read_flag,
            "opted_in": read_flag,
            "holding_corporation_of_accredited": read_flag,
            "trust_for_accredited": read_flag,
            "officer_or_family": read_flag,
        },
        evidence=("the assessments behind it", "list of the offeror's officers"),
        parameters={"opt_in_needed": OPT_IN_NEEDED},
        judge=_judge_relevant_person,
    ),
)
