"""Malaysia: tests of sophisticated investors.

Source: CMSA Sch 6, 7 until 2024-02-04; SC-GL/1-2024 ch.5 from 2024-02-05.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.rule import Confidence
from service.rules.schema import Shape, read_amount, read_flag, read_number
from service.rules.worksheet import InvestorTest, Worksheet

NET_ASSETS = 3_000_000
INCOME, JOINT_INCOME = 300_000, 400_000
PORTFOLIO = 1_000_000
ENTITY_ASSETS = 10_000_000
GUIDELINES_FROM = date(2024, 2, 5)
RESIDENCE_CAP = Schedule(
    Row(0, effective_to=date(2024, 2, 4), citation="CMSA Sch 6, 7 Part I"),
    Row(1_000_000, effective_from=GUIDELINES_FROM),
)
"""How much of the primary residence's net value counts, RM."""


def _judge_individual(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: _compare_net_assets(figures, sheet),
        lambda: sheet.compare("gross annual income in RM", figures.number("income"), ">", INCOME),
        lambda: _compare_joint_income(figures, sheet),
        lambda: sheet.compare("net investment portfolio in RM", figures.number("portfolio"), ">", PORTFOLIO),
    )


def _compare_net_assets(figures: Facts, sheet: Worksheet) -> bool:
    residence = min(figures.number("residence_fmv_net"), figures.in_force(RESIDENCE_CAP))
    counted = figures.number("net_assets") + residence
    sheet.note("counted", counted)
    return sheet.compare("net personal assets in RM", counted, ">", NET_ASSETS)


def _compare_joint_income(figures: Facts, sheet: Worksheet) -> bool:
    joint = figures.number_or_none("joint_income")
    return joint is not None and sheet.compare("joint gross annual income in RM", joint, ">", JOINT_INCOME)


def _judge_entity(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.compare("net assets in RM", figures.number("net_assets"), ">", ENTITY_ASSETS),
        lambda: sheet.compare(
            "assets under management of a trust company in RM",
            figures.number("assets_under_management"),
            ">",
            ENTITY_ASSETS,
        ),
        lambda: sheet.state("statutory body or approved pension fund", figures.flag("statutory_or_pension")),
    )


def _judge_accredited(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("fund, licensee, bank or insurer, on its register", figures.flag("on_register")),
        lambda: sheet.state("chief executive or director of a licensee", figures.flag("leads_licensee")),
    )


def _judge_knowledge(figures: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: any_holds(
            lambda: sheet.state("degree in a field that counts", figures.flag("degree")),
            lambda: sheet.state("member of a recognised association", figures.flag("membership")),
        ),
        lambda: sheet.state("experience in the sector", figures.flag("sector_experience")),
    )


def _test(name: str, title: str, figures: Mapping[str, Shape], confidence: Confidence, **more: Any) -> InvestorTest:
    return InvestorTest(
        id=f"my.si.{name}",
        title=title,
        citation="CMSA Sch 6, 7; SC-GL/1-2024 ch.5",
        source="secondary",
        confidence=confidence,
        category=f"my.si.{name}",
        figures=figures,
        **{"currency": "MYR", **more},
    )


TESTS = (
    _test(
        "hnwi",
        "High-net-worth individual",
        {
            "net_assets": read_number,
            "residence_fmv_net": read_number,
            "income": read_number,
            "joint_income": read_number,
            "portfolio": read_number,
        },
        "M",
        evidence=("statements of assets and debts", "tax assessment or payslips", "portfolio statement"),
        parameters={
            "net_assets": str(NET_ASSETS),
            "income": str(INCOME),
            "joint_income": str(JOINT_INCOME),
            "portfolio": str(PORTFOLIO),
            "residence_cap": RESIDENCE_CAP,
        },
        judge=_judge_individual,
    ),
    _test(
        "hne",
        "High-net-worth entity",
        {"net_assets": read_number, "assets_under_management": read_amount, "statutory_or_pension": read_flag},
        "H",
        evidence=("last audited accounts",),
        parameters={"assets": str(ENTITY_ASSETS)},
        judge=_judge_entity,
    ),
    _test(
        "accredited",
        "Accredited investor",
        {"on_register": read_flag, "leads_licensee": read_flag},
        "H",
        currency=None,
        evidence=("register extract",),
        judge=_judge_accredited,
    ),
    _test(
        "knowledge",
        "Individual with knowledge and experience",
        {"degree": read_flag, "membership": read_flag, "sector_experience": read_flag},
        "M",
        currency=None,
        effective_from=GUIDELINES_FROM,
        evidence=("certificate of the degree or membership", "record of employment"),
        judge=_judge_knowledge,
    ),
)
