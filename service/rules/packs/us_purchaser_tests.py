"""Qualified purchasers and qualified institutional buyers.

Source: 15 U.S.C. 80a-2(a)(51); 17 CFR 270.2a51-1 to 2a51-3; 17 CFR 230.144A(a)(1).
"""

from datetime import date
from functools import partial

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.schema import read_amount, read_flag, read_whole
from service.rules.worksheet import InvestorTest, Worksheet

INVESTMENTS, INSTITUTIONAL_INVESTMENTS = 5_000_000, 25_000_000
RELATED_OWNERS = 2
QIB_SECURITIES, QIB_DEALER_SECURITIES, QIB_BANK_NET_WORTH = 100_000_000, 10_000_000, 25_000_000
_QP, _QIB = date(1997, 4, 9), date(1990, 4, 30)
_NET = "Investments net of the debt that acquired them"


def _judge_natural(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.compare(_NET, facts.number("value"), ">=", INVESTMENTS)


def _is_company(facts: Facts, sheet: Worksheet) -> bool:
    """Tell whether a company may count at all: one formed to buy these securities needs owners that all qualify."""
    return any_holds(
        lambda: sheet.state("Not formed to buy these securities", facts.flag("not_formed_for_purpose")),
        lambda: sheet.state("Every owner is a qualified purchaser", facts.flag("every_owner_qp")),
    )


def _judge_family_company(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.compare(_NET, facts.number("value"), ">=", INVESTMENTS),
        lambda: sheet.compare("Related owners", facts.number("related_owners"), ">=", RELATED_OWNERS),
        lambda: sheet.state("Owned by them and theirs alone", facts.flag("only_related_owners")),
        lambda: _is_company(facts, sheet),
    )


def _judge_trust(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("Not formed to buy these securities", facts.flag("not_formed_for_purpose")),
        lambda: sheet.state("Who decides is a qualified purchaser", facts.flag("trustee_qp")),
        lambda: sheet.state("Every settlor and contributor is a qualified purchaser", facts.flag("every_settlor_qp")),
    )


def _judge_institution(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.compare("Invested at discretion", facts.number("value"), ">=", INSTITUTIONAL_INVESTMENTS),
        lambda: sheet.state("For itself or for qualified purchasers", facts.flag("for_qualified_accounts")),
        lambda: _is_company(facts, sheet),
    )


def _judge_qib(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(lambda: _owns_enough(facts, sheet), lambda: not facts.flag("bank") or _is_bank_rich(facts, sheet))


def _owns_enough(facts: Facts, sheet: Worksheet) -> bool:
    value = facts.number("value")
    return any_holds(
        lambda: sheet.compare("Securities of unaffiliated issuers", value, ">=", QIB_SECURITIES),
        lambda: (
            sheet.compare("Securities of unaffiliated issuers, for a dealer", value, ">=", QIB_DEALER_SECURITIES)
            and sheet.state("Registered dealer", facts.flag("dealer"))
        ),
    )


def _is_bank_rich(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.compare("Audited net worth of the bank", facts.number("net_worth"), ">=", QIB_BANK_NET_WORTH)


_QP_TEST = partial(InvestorTest, confidence="H", currency="USD", effective_from=_QP)
_STATEMENTS = ("custodian statements, at most 90 days old",)

TESTS = (
    _QP_TEST(
        id="us.qp.natural",
        title="Qualified purchaser: natural person",
        citation="15 U.S.C. 80a-2(a)(51)(A)(i); 17 CFR 270.2a51-1",
        source="secondary",
        category="us.qp.natural",
        figures={"value": read_amount},
        judge=_judge_natural,
        evidence=_STATEMENTS,
        parameters={"investments": str(INVESTMENTS)},
    ),
    _QP_TEST(
        id="us.qp.family_company",
        title="Qualified purchaser: family company",
        citation="15 U.S.C. 80a-2(a)(51)(A)(ii); 17 CFR 270.2a51-3",
        source="primary",
        category="us.qp.family_company",
        figures={
            "every_owner_qp": read_flag,
            "not_formed_for_purpose": read_flag,
            "only_related_owners": read_flag,
            "related_owners": read_whole,
            "value": read_amount,
        },
        judge=_judge_family_company,
        evidence=(*_STATEMENTS, "list of owners and how they are related"),
        parameters={"investments": str(INVESTMENTS), "related_owners": str(RELATED_OWNERS)},
    ),
    _QP_TEST(
        id="us.qp.trust",
        title="Qualified purchaser: trust",
        citation="15 U.S.C. 80a-2(a)(51)(A)(iii)",
        source="secondary",
        category="us.qp.trust",
        figures={"every_settlor_qp": read_flag, "not_formed_for_purpose": read_flag, "trustee_qp": read_flag},
        judge=_judge_trust,
        evidence=("trust deed", "the assessments of the trustee and of every settlor"),
    ),
    _QP_TEST(
        id="us.qp.institution",
        title="Qualified purchaser: institution that invests at its discretion",
        citation="15 U.S.C. 80a-2(a)(51)(A)(iv); 17 CFR 270.2a51-3(a)",
        source="secondary",
        category="us.qp.institution",
        figures={
            "every_owner_qp": read_flag,
            "for_qualified_accounts": read_flag,
            "not_formed_for_purpose": read_flag,
            "value": read_amount,
        },
        judge=_judge_institution,
        evidence=_STATEMENTS,
        parameters={"investments": str(INSTITUTIONAL_INVESTMENTS)},
    ),
    InvestorTest(
        id="us.qib",
        title="Qualified institutional buyer",
        citation="17 CFR 230.144A(a)(1)",
        source="secondary",
        confidence="H",
        category="us.qib",
        currency="USD",
        figures={"bank": read_flag, "dealer": read_flag, "net_worth": read_amount, "value": read_amount},
        defaults={"bank": False},
        judge=_judge_qib,
        evidence=(
            "annual report or public information of the last 16 months (18 if foreign), or an officer's certificate",
        ),
        parameters={
            "securities": str(QIB_SECURITIES),
            "dealer_securities": str(QIB_DEALER_SECURITIES),
            "bank_net_worth": str(QIB_BANK_NET_WORTH),
        },
        effective_from=_QIB,
    ),
)
