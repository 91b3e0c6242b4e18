"""Accredited natural persons: income, net worth, licences, and office with the issuer.

Source: 17 CFR 230.501(a)(4)-(6), (10), (11), (13).
"""

from collections.abc import Callable
from datetime import date

from service.rules.facts import Facts, MissingFactError, Number, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.schema import read_amount, read_flag, read_string
from service.rules.worksheet import InvestorTest, Worksheet

INCOME, JOINT_INCOME = 200_000, 300_000
NET_WORTH = 1_000_000
RESIDENCE_IS_OUT = Schedule(
    Row(False, effective_to=date(2010, 7, 20)),
    Row(True, effective_from=date(2010, 7, 21), citation="Pub. L. 111-203, section 413(a)"),
)
NEW_DEBT_COUNTS = Schedule(
    Row(False, effective_to=date(2012, 2, 26)),
    Row(True, effective_from=date(2012, 2, 27), citation="17 CFR 230.501(a)(5)(i)(B); 33-9287"),
)
LICENSES = ("SERIES_7", "SERIES_65", "SERIES_82")
OFFICES = ("director", "executive_officer", "general_partner")
_REGULATION_D, _AMENDED = date(1982, 4, 15), date(2020, 12, 8)


def _judge_income(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("The same is expected in the current year", facts.flag("expects_same_current_year")),
        lambda: any_holds(
            lambda: _exceeds_in_both_years(facts, sheet, "income", "Own income of {year}", INCOME),
            lambda: _exceeds_in_both_years(facts, sheet, "joint", "Joint income of {year}", JOINT_INCOME),
        ),
    )


def _exceeds_in_both_years(facts: Facts, sheet: Worksheet, name: str, wording: str, line: int) -> bool:
    def exceeds(year: str) -> bool:
        amount = facts.number_or_none(f"{name}_{year}")
        if amount is None:
            return sheet.state(wording, holds=False, year=year)
        return sheet.compare(wording, amount, ">", line, year=year)

    return all_hold(lambda: exceeds("y1"), lambda: exceeds("y2"))


def _judge_net_worth(facts: Facts, sheet: Worksheet) -> bool:
    assets = facts.number("total_assets")
    if _counts_residence(facts):
        sheet.explain("The residence and its debt count like other assets and debts")
        deductions = [lambda: facts.number("residence_debt"), lambda: facts.number("other_liabilities")]
    else:
        deductions = [
            lambda: facts.number("residence_fmv"),
            lambda: _counted_residence_debt(facts, sheet),
            lambda: facts.number("other_liabilities"),
        ]
    worth = _deduct(assets, deductions)
    sheet.note("net_worth", worth)
    sheet.explain("Net worth: {worth}", worth=worth)
    return sheet.compare("Net worth", worth, ">", NET_WORTH)


def _deduct(assets: Number, deductions: list[Callable[[], Number]]) -> Number:
    """Deduct what is known; a missing deduction matters unless the rest leaves too little already."""
    missing, worth = None, assets
    for read in deductions:
        try:
            worth -= read()
        except MissingFactError as error:
            missing = missing or error
    if missing and worth > NET_WORTH:
        raise missing
    return worth


def _counts_residence(facts: Facts) -> bool:
    return facts.flag("right_held_2010_07_20") or not facts.in_force(RESIDENCE_IS_OUT)


def _counted_residence_debt(facts: Facts, sheet: Worksheet) -> Number:
    """Return the residence's debt without the part that is ignored.

    Ignored is debt up to the residence's value, as far as it was there 60 days before or came from acquiring it.
    """
    debt = facts.number("residence_debt")
    ignored = min(debt, facts.number("residence_fmv"))
    if ignored and facts.in_force(NEW_DEBT_COUNTS) and not facts.flag("increase_from_acquisition"):
        ignored = min(ignored, facts.number("residence_debt_60d_ago"))
    sheet.explain("Debt on the residence: {debt}, of which {ignored} is ignored", debt=debt, ignored=ignored)
    return debt - ignored


def _judge_professional(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("Held in good standing", facts.flag("good_standing")),
        lambda: sheet.state(
            "One of {licenses}", facts.text_or_none("license") in LICENSES, licenses=", ".join(LICENSES)
        ),
    )


def _judge_insider(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("Office with the issuer of these securities", facts.flag("of_this_issuer")),
        lambda: sheet.state("Director, executive officer or general partner", facts.text_or_none("office") in OFFICES),
    )


def _judge_employee(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("The issuer is a private fund", facts.flag("private_fund")),
        lambda: sheet.state("Knowledgeable employee of the issuer or its manager", facts.flag("knowledgeable")),
    )


def _judge_family_client(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("Family client of the office", facts.flag("family_client")),
        lambda: sheet.state("The office is accredited under (a)(12)", facts.flag("office_accredited")),
        lambda: sheet.state("The office directs the purchase", facts.flag("directed_by_office")),
    )


TESTS = (
    InvestorTest(
        id="us.ai.income",
        title="Accredited investor: income",
        citation="17 CFR 230.501(a)(6)",
        source="secondary",
        confidence="H",
        category="us.ai.income",
        currency="USD",
        figures={
            "expects_same_current_year": read_flag,
            "income_y1": read_amount,
            "income_y2": read_amount,
            "joint_y1": read_amount,
            "joint_y2": read_amount,
        },
        judge=_judge_income,
        evidence=(
            "any IRS form that reports the income of the two most recent years",
            "written representation that the same is expected in the current year, of both spouses if joint",
        ),
        parameters={"income": str(INCOME), "joint_income": str(JOINT_INCOME)},
        effective_from=date(1988, 4, 19),
    ),
    InvestorTest(
        id="us.ai.net_worth",
        title="Accredited investor: net worth",
        citation="17 CFR 230.501(a)(5)",
        source="secondary",
        confidence="H",
        category="us.ai.net_worth",
        currency="USD",
        figures={
            "increase_from_acquisition": read_flag,
            "other_liabilities": read_amount,
            "residence_debt": read_amount,
            "residence_debt_60d_ago": read_amount,
            "residence_fmv": read_amount,
            "right_held_2010_07_20": read_flag,
            "total_assets": read_amount,
        },
        defaults={"increase_from_acquisition": False, "right_held_2010_07_20": False},
        judge=_judge_net_worth,
        evidence=(
            "statements of bank, brokerage and other holdings, tax assessments or appraisals, all of the last 3 months",
            "consumer report of a nationwide agency, of the last 3 months",
            "written representation that all liabilities are disclosed",
        ),
        parameters={
            "net_worth": str(NET_WORTH),
            "residence_is_out": RESIDENCE_IS_OUT,
            "new_debt_counts": NEW_DEBT_COUNTS,
        },
        effective_from=_REGULATION_D,
    ),
    InvestorTest(
        id="us.ai.professional",
        title="Accredited investor: professional licence",
        citation="17 CFR 230.501(a)(10); SEC order 33-10823",
        source="secondary",
        confidence="H",
        category="us.ai.professional",
        currency=None,
        figures={"good_standing": read_flag, "license": read_string},
        judge=_judge_professional,
        evidence=("BrokerCheck or IAPD entry, looked up at most 24 hours before the sale",),
        parameters={"licenses": ", ".join(LICENSES)},
        effective_from=_AMENDED,
    ),
    InvestorTest(
        id="us.ai.insider",
        title="Accredited investor: director, executive officer or general partner of the issuer",
        citation="17 CFR 230.501(a)(4)",
        source="secondary",
        confidence="H",
        category="us.ai.insider",
        currency=None,
        figures={"of_this_issuer": read_flag, "office": read_string},
        judge=_judge_insider,
        evidence=("the issuer's register of officers",),
        parameters={"offices": ", ".join(OFFICES)},
        effective_from=_REGULATION_D,
    ),
    InvestorTest(
        id="us.ai.knowledgeable_employee",
        title="Accredited investor: knowledgeable employee of a private fund",
        citation="17 CFR 230.501(a)(11); 17 CFR 270.3c-5(a)(4)",
        source="secondary",
        confidence="H",
        category="us.ai.knowledgeable_employee",
        currency=None,
        figures={"knowledgeable": read_flag, "private_fund": read_flag},
        judge=_judge_employee,
        evidence=("the fund's statement of the employee's position and duties",),
        effective_from=_AMENDED,
    ),
    InvestorTest(
        id="us.ai.family_client",
        title="Accredited investor: family client of an accredited family office",
        citation="17 CFR 230.501(a)(13)",
        source="secondary",
        confidence="H",
        category="us.ai.family_client",
        currency=None,
        figures={"directed_by_office": read_flag, "family_client": read_flag, "office_accredited": read_flag},
        judge=_judge_family_client,
        evidence=("the office's confirmation that the client is one of its family", "the office's own assessment"),
        effective_from=_AMENDED,
    ),
)
