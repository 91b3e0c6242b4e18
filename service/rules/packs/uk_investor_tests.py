"""United Kingdom: investor tests of the Financial Promotion Order, the public offers Regulations and the FCA's rules.

Net assets leave out the primary residence and its loan, qualifying insurance and pension rights, as the prescribed
statements say; whoever enters them leaves these out.

Source: FPO 2005 (SI 2005/1529), articles 48-50A, Schedule 5, as amended by SI 2023/1411 and SI 2024/301; SI 2024/105;
FCA COBS 4.12A.
"""

from datetime import date
from decimal import Decimal

from service.rules.dates import add_months
from service.rules.facts import Facts, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.packs.eu_professional import STATUS_FIGURES, judge_professional_status
from service.rules.packs.uk_promotions import ORDER_FROM, STATEMENT_MONTHS, is_current
from service.rules.packs.uk_public_offers import IN_FORCE_FROM
from service.rules.schema import one_of, read_amount, read_day, read_flag, read_number, read_whole
from service.rules.worksheet import InvestorTest, Worksheet

_RAISED, _RAISED_UNTIL, _RESTORED = date(2024, 1, 31), date(2024, 3, 26), date(2024, 3, 27)


def _raise_for_a_while(usual: int, raised: int) -> Schedule[int]:
    return Schedule(
        Row(usual, None, date(2024, 1, 30)),
        Row(raised, _RAISED, _RAISED_UNTIL, "SI 2023/1411"),
        Row(usual, _RESTORED, None, "SI 2024/301"),
    )


INCOME = _raise_for_a_while(100_000, 170_000)
NET_ASSETS = _raise_for_a_while(250_000, 430_000)
DIRECTOR_TURNOVER = _raise_for_a_while(1_000_000, 1_600_000)
UNLISTED_INVESTMENTS_COUNT = Schedule(
    Row(True, None, date(2024, 1, 30)),
    Row(False, _RAISED, _RAISED_UNTIL, "SI 2023/1411"),
    Row(True, _RESTORED, None, "SI 2024/301"),
)
"""Whether investments in unlisted companies make an investor sophisticated."""
ANGEL_MONTHS, UNLISTED_INVESTMENTS_ABOVE = 6, 1
CERTIFICATE_MONTHS = 36
COMPANY_CAPITAL, COMPANY_CAPITAL_MANY_MEMBERS, MANY_MEMBERS_ABOVE = 5_000_000, 500_000, 20
ASSOCIATION_ASSETS, TRUST_ASSETS = 5_000_000, 10_000_000
RESTRICTED_SHARE = Decimal("0.1")


def _judge_high_net_worth(facts: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.compare("income", facts.number("income"), ">=", facts.in_force(INCOME)),
        lambda: sheet.compare("net_assets", facts.number("net_assets"), ">=", facts.in_force(NET_ASSETS)),
    )


def _judge_sophisticated(facts: Facts, sheet: Worksheet) -> bool:
    unlisted = "unlisted_investments"
    return any_holds(
        lambda: sheet.compare("angel_network_months", facts.number("angel_network_months"), ">=", ANGEL_MONTHS),
        lambda: (
            facts.in_force(UNLISTED_INVESTMENTS_COUNT)
            and sheet.compare(unlisted, facts.number(unlisted), ">", UNLISTED_INVESTMENTS_ABOVE)
        ),
        lambda: sheet.state("private equity or SME finance professional", facts.flag("private_equity_professional")),
        lambda: sheet.compare(
            "director_turnover", facts.number("director_turnover"), ">=", facts.in_force(DIRECTOR_TURNOVER)
        ),
    )


def _judge_certified(facts: Facts, sheet: Worksheet) -> bool:
    day = facts.day("as_of")
    return all_hold(
        lambda: sheet.state(
            "certificate of an authorised person at most {months} months old",
            facts.day("certificate_signed_on")
            <= day
            <= add_months(facts.day("certificate_signed_on"), CERTIFICATE_MONTHS),
            months=CERTIFICATE_MONTHS,
        ),
        lambda: _judge_statement(facts, sheet),
    )


def _judge_statement(facts: Facts, sheet: Worksheet) -> bool:
    holds = is_current(facts.day("statement_signed_on"), facts.day("as_of"))
    return sheet.state("own statement signed within the {months} months that end today", holds, months=STATEMENT_MONTHS)


def _judge_entity(facts: Facts, sheet: Worksheet) -> bool:
    kind = facts.text("kind")
    if kind == "trust":
        return sheet.compare("trust_assets", facts.number("trust_assets"), ">=", TRUST_ASSETS)
    if kind == "unincorporated":
        return sheet.compare("net_assets", facts.number("net_assets"), ">=", ASSOCIATION_ASSETS)
    return any_holds(
        *(lambda name=name: _has_capital(facts, sheet, name) for name in ("share_capital", "net_assets")),
    )


def _has_capital(facts: Facts, sheet: Worksheet, name: str) -> bool:
    """Compare with the lower line only where the higher fails: the number of members matters only between them."""
    value = facts.number(name)
    return all_hold(
        lambda: sheet.compare(name, value, ">=", COMPANY_CAPITAL_MANY_MEMBERS),
        lambda: any_holds(
            lambda: sheet.compare(name, value, ">=", COMPANY_CAPITAL),
            lambda: sheet.compare("members", facts.number("members"), ">", MANY_MEMBERS_ABOVE),
        ),
    )


def _judge_restricted(facts: Facts, sheet: Worksheet) -> bool:
    line = RESTRICTED_SHARE * facts.number("net_assets")
    return all_hold(
        lambda: _judge_statement(facts, sheet),
        lambda: sheet.compare("invested_12m", facts.number("invested_12m"), "<=", line),
        lambda: sheet.compare("planned_12m", facts.number("planned_12m"), "<=", line),
    )


TESTS = (
    InvestorTest(
        id="uk.fpo.hnw",
        title="Certified high net worth individual",
        citation="FPO 2005 art 48, Sch 5 Pt I",
        source="secondary",
        confidence="H",
        category="uk.fpo48.hnw",
        currency="GBP",
        figures={"income": read_amount, "net_assets": read_number},
        judge=_judge_high_net_worth,
        evidence=("statement in the prescribed form, signed by the investor",),
        parameters={"income": INCOME, "net_assets": NET_ASSETS},
        effective_from=ORDER_FROM,
    ),
    InvestorTest(
        id="uk.fpo.soph",
        title="Self-certified sophisticated investor",
        citation="FPO 2005 art 50A, Sch 5 Pt II",
        source="secondary",
        confidence="H",
        category="uk.fpo50a.soph",
        currency="GBP",
        figures={
            "angel_network_months": read_amount,
            "unlisted_investments": read_whole,
            "private_equity_professional": read_flag,
            "director_turnover": read_amount,
        },
        judge=_judge_sophisticated,
        evidence=("statement in the prescribed form, signed by the investor",),
        parameters={
            "angel_months": str(ANGEL_MONTHS),
            "unlisted_investments_above": str(UNLISTED_INVESTMENTS_ABOVE),
            "unlisted_investments_count": UNLISTED_INVESTMENTS_COUNT,
            "director_turnover": DIRECTOR_TURNOVER,
        },
        effective_from=ORDER_FROM,
    ),
    InvestorTest(
        id="uk.fpo50.cert",
        title="Certified sophisticated investor",
        citation="FPO 2005 art 50",
        source="recall",
        confidence="M",
        category="uk.fpo50.cert",
        currency=None,
        figures={"certificate_signed_on": read_day, "statement_signed_on": read_day},
        judge=_judge_certified,
        evidence=("certificate of an authorised person", "statement signed by the investor"),
        parameters={"certificate_months": str(CERTIFICATE_MONTHS), "statement_months": str(STATEMENT_MONTHS)},
        effective_from=ORDER_FROM,
    ),
    InvestorTest(
        id="uk.fpo49",
        title="High net worth company, association or trust",
        citation="FPO 2005 art 49(2), (6)",
        source="recall",
        confidence="H",
        category="uk.fpo49",
        currency="GBP",
        figures={
            "kind": one_of("company", "unincorporated", "trust"),
            "share_capital": read_amount,
            "net_assets": read_number,
            "members": read_whole,
            "trust_assets": read_amount,
        },
        judge=_judge_entity,
        evidence=("annual accounts", "register of members", "trust accounts"),
        parameters={
            "company": str(COMPANY_CAPITAL),
            "company_of_many_members": str(COMPANY_CAPITAL_MANY_MEMBERS),
            "many_members_above": str(MANY_MEMBERS_ABOVE),
            "unincorporated": str(ASSOCIATION_ASSETS),
            "trust": str(TRUST_ASSETS),
        },
        effective_from=ORDER_FROM,
    ),
    InvestorTest(
        id="uk.qi",
        title="Qualified investor",
        citation="SI 2024/105 Sch 1 para 15",
        source="primary",
        confidence="M",
        category="uk.qi",
        currency=None,
        figures=STATUS_FIGURES,
        judge=judge_professional_status,
        evidence=("classification confirmed by the firm",),
        effective_from=IN_FORCE_FROM,
    ),
    InvestorTest(
        id="uk.restricted",
        title="Restricted investor",
        citation="FCA COBS 4.12A",
        source="recall",
        confidence="M",
        category="uk.restricted",
        currency="GBP",
        figures={
            "net_assets": read_number,
            "invested_12m": read_amount,
            "planned_12m": read_amount,
            "statement_signed_on": read_day,
        },
        judge=_judge_restricted,
        evidence=("statement in the prescribed form, signed by the investor",),
        parameters={"share_of_net_assets": str(RESTRICTED_SHARE), "statement_months": str(STATEMENT_MONTHS)},
        effective_from=date(2023, 2, 1),
    ),
)
