"""Accredited entities: regulated institutions, assets, trusts, owners, family offices.

Source: 17 CFR 230.501(a)(1)-(3), (7)-(9), (12).
"""

from datetime import date
from functools import partial

from service.rules.facts import Facts, InvalidFactsError, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.schema import read_amount, read_flag, read_string, read_whole
from service.rules.worksheet import InvestorTest, Worksheet

TOTAL_ASSETS = 5_000_000
_BY_REGISTER = (
    *("bank", "savings_and_loan", "broker_dealer", "insurance_company", "investment_company"),
    *("business_development_company", "small_business_investment_company"),
)
_SINCE_2020 = ("rural_business_investment_company", "investment_adviser", "exempt_reporting_adviser")
INSTITUTIONS: Schedule[tuple[str, ...]] = Schedule(
    Row(_BY_REGISTER, effective_to=date(2020, 12, 7)),
    Row((*_BY_REGISTER, *_SINCE_2020), effective_from=date(2020, 12, 8), citation="33-10824"),
)
_REGULATION_D, _AMENDED = date(1982, 4, 15), date(2020, 12, 8)


def _has_assets(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.compare("Total assets", facts.number("value"), ">", TOTAL_ASSETS)


def _is_not_formed(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state("Not formed to buy these securities", facts.flag("not_formed_for_purpose"))


def _is_directed(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state("A sophisticated person directs the purchase", facts.flag("sophisticated_direction"))


def _judge_institution(facts: Facts, sheet: Worksheet) -> bool:
    kind = facts.text_or_none("institution")
    if kind == "public_plan":
        return _has_assets(facts, sheet)
    if kind == "erisa_plan":
        return _judge_erisa_plan(facts, sheet)
    return all_hold(
        lambda: sheet.state("One of the regulated institutions", kind in facts.in_force(INSTITUTIONS)),
        lambda: sheet.state("Its registration is current", facts.flag("registered")),
    )


def _judge_erisa_plan(facts: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("A bank, insurer or registered adviser decides", facts.flag("institutional_fiduciary")),
        lambda: sheet.state(
            "Self-directed, and only accredited investors decide", facts.flag("self_directed_by_accredited")
        ),
        lambda: _has_assets(facts, sheet),
    )


def _judge_private_bdc(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state("Private business development company", facts.flag("private_bdc"))


def _judge_assets(facts: Facts, sheet: Worksheet) -> bool:
    """Judge the assets; the purpose that it was formed for is asked at each offering unless it is said here."""
    return all_hold(
        lambda: _has_assets(facts, sheet),
        lambda: not facts.has("not_formed_for_purpose") or _is_not_formed(facts, sheet),
    )


def _judge_trust(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: _has_assets(facts, sheet),
        lambda: _is_not_formed(facts, sheet),
        lambda: _is_directed(facts, sheet),
    )


def _judge_owners(facts: Facts, sheet: Worksheet) -> bool:
    owners, accredited = facts.number("owners"), facts.number("accredited_owners")
    if accredited > owners:
        raise InvalidFactsError(f"{facts.path('accredited_owners')}: more than there are owners")
    return all_hold(
        lambda: sheet.compare("Equity owners, looked through", owners, ">=", 1),
        lambda: sheet.compare("Accredited among them", accredited, ">=", owners),
    )


def _judge_other(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.compare("Investments", facts.number("value"), ">", TOTAL_ASSETS),
        lambda: _is_not_formed(facts, sheet),
    )


def _judge_family_office(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("Family office of the Advisers Act", facts.flag("family_office")),
        lambda: sheet.compare("Assets under management", facts.number("value"), ">", TOTAL_ASSETS),
        lambda: _is_not_formed(facts, sheet),
        lambda: _is_directed(facts, sheet),
    )


_ASSETS = {"total_assets": str(TOTAL_ASSETS)}
_STATUS = partial(InvestorTest, confidence="H", currency=None, effective_from=_REGULATION_D)
_MONEY = partial(InvestorTest, confidence="H", currency="USD", effective_from=_REGULATION_D, parameters=_ASSETS)

TESTS = (
    InvestorTest(
        id="us.ai.institution",
        title="Accredited investor: regulated institution or plan",
        citation="17 CFR 230.501(a)(1)",
        source="secondary",
        confidence="H",
        category="us.ai.institution",
        currency="USD",
        figures={
            "institution": read_string,
            "institutional_fiduciary": read_flag,
            "registered": read_flag,
            "self_directed_by_accredited": read_flag,
            "value": read_amount,
        },
        judge=_judge_institution,
        evidence=("extract of the regulator's register, at most 90 days old", "for a plan: its plan document"),
        parameters={"institutions": INSTITUTIONS, **_ASSETS},
        effective_from=_REGULATION_D,
    ),
    _STATUS(
        id="us.ai.private_bdc",
        title="Accredited investor: private business development company",
        citation="17 CFR 230.501(a)(2)",
        source="recall",
        category="us.ai.private_bdc",
        figures={"private_bdc": read_flag},
        judge=_judge_private_bdc,
        evidence=("extract of the register, at most 90 days old",),
    ),
    _MONEY(
        id="us.ai.entity_assets",
        title="Accredited investor: entity with total assets",
        citation="17 CFR 230.501(a)(3)",
        source="secondary",
        category="us.ai.entity_assets",
        figures={"not_formed_for_purpose": read_flag, "value": read_amount},
        judge=_judge_assets,
        evidence=("audited or reviewed balance sheet, at most 12 months old",),
    ),
    _MONEY(
        id="us.ai.trust",
        title="Accredited investor: trust",
        citation="17 CFR 230.501(a)(7)",
        source="recall",
        category="us.ai.trust",
        figures={"not_formed_for_purpose": read_flag, "sophisticated_direction": read_flag, "value": read_amount},
        judge=_judge_trust,
        evidence=("trust deed", "statement of assets"),
    ),
    _STATUS(
        id="us.ai.all_owners",
        title="Accredited investor: entity whose equity owners all are",
        citation="17 CFR 230.501(a)(8)",
        source="recall",
        category="us.ai.all_owners",
        figures={"accredited_owners": read_whole, "owners": read_whole},
        judge=_judge_owners,
        evidence=("list of owners through all tiers", "an accredited-investor credential of each owner"),
    ),
    _MONEY(
        id="us.ai.other_entity",
        title="Accredited investor: any other entity with investments",
        citation="17 CFR 230.501(a)(9)",
        source="secondary",
        category="us.ai.other_entity",
        figures={"not_formed_for_purpose": read_flag, "value": read_amount},
        judge=_judge_other,
        evidence=("custodian statements",),
        effective_from=_AMENDED,
    ),
    _MONEY(
        id="us.ai.family_office",
        title="Accredited investor: family office",
        citation="17 CFR 230.501(a)(12)",
        source="secondary",
        category="us.ai.family_office",
        figures={
            "family_office": read_flag,
            "not_formed_for_purpose": read_flag,
            "sophisticated_direction": read_flag,
            "value": read_amount,
        },
        judge=_judge_family_office,
        evidence=("statement of assets under management", "the office's governing document"),
        effective_from=_AMENDED,
    ),
)
