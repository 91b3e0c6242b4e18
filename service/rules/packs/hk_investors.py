"""Hong Kong: tests of a professional investor, and the knowledge that virtual assets ask for.

Source: Cap. 571 Schedule 1 Part 1; Cap. 571D as amended on 2018-07-13; SFC-HKMA circular of 2023-12-22.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from service.rules.dates import add_months
from service.rules.facts import Facts, InvalidFactsError, Number, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.packs.hk_professional import EVIDENCE_MONTHS, NO_SUITABILITY
from service.rules.rule import Confidence
from service.rules.schema import read_amount, read_day, read_flag, read_string, read_whole
from service.rules.worksheet import InvestorTest, Worksheet

PORTFOLIO = 8_000_000
TOTAL_ASSETS = 40_000_000
SHARED_FROM = date(2018, 7, 13)
SHARED_COUNTS = Schedule(
    Row(False, effective_to=date(2018, 7, 12)),
    Row(True, effective_from=SHARED_FROM, citation="Cap. 571D s5 (2018 am.)"),
)
"""Whether a share of an account with others than spouse and children counts, and the investor's own corporation."""
_CUSTODIAN = "custodian statement, or certificate of an auditor or certified public accountant, of the last 12 months"
_AUDITED = "audited financial statements of the last 16 months"


def _read_share(value: Any, path: str) -> Number:
    share = read_amount(value, path)
    if share > 1:
        raise InvalidFactsError(f"{path}: a share from 0 to 1 is needed")
    return share


def _judge_individual(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: _compare_whole(figures, sheet),
        lambda: sheet.compare("own portfolio alone in HK$", figures.number("sole"), ">=", PORTFOLIO),
    )


def _compare_whole(figures: Facts, sheet: Worksheet) -> bool:
    counted = figures.number("sole") + figures.number("joint_with_associate")
    if figures.in_force(SHARED_COUNTS):
        counted += _find_part(figures) + figures.number("own_corporation")
    sheet.note("counted", counted)
    return sheet.compare("portfolio in HK$", counted, ">=", PORTFOLIO)


def _find_part(figures: Facts) -> Number:
    """Return the investor's part of an account with others: as agreed in writing, else in equal shares."""
    held = figures.number("joint_other")
    if held == 0:
        return 0
    share = figures.number_or_none("joint_other_share")
    if share is not None:
        return held * share
    holders = Decimal(figures.number("joint_other_holders"))
    if holders == 0:
        raise InvalidFactsError(f"{figures.path('joint_other_holders')}: an account has holders")
    return held / holders


def _judge_corporate(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.compare("portfolio in HK$", figures.number("portfolio"), ">=", PORTFOLIO),
        lambda: sheet.compare("total assets in HK$", figures.number("total_assets"), ">=", TOTAL_ASSETS),
    )


def _judge_trust(figures: Facts, sheet: Worksheet) -> bool:
    return sheet.compare("assets entrusted in HK$", figures.number("total_assets"), ">=", TOTAL_ASSETS)


def _judge_institutional(figures: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("of a kind that Schedule 1 names, on its register", figures.flag("on_register")),
        lambda: sheet.state("register looked up in the last 12 months", _is_recent(figures)),
    )


def _is_recent(figures: Facts) -> bool:
    checked_on = figures.day("checked_on")
    return checked_on <= figures.day("as_of") <= add_months(checked_on, EVIDENCE_MONTHS)


def _judge_holding(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: all_hold(
            lambda: sheet.state("holding investments is the principal business", figures.flag("holds_investments")),
            lambda: sheet.state("wholly owned by professional investors", figures.flag("owned_by_professionals")),
        ),
        lambda: sheet.state("wholly owns a corporation that qualifies", figures.flag("owns_professional")),
    )


def _judge_knowledge(figures: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("of a class that is not tested", figures.text("pi_class") in NO_SUITABILITY),
        lambda: sheet.state("passed a test of knowledge of virtual assets", figures.flag("passed")),
    )


def _test(name: str, title: str, citation: str, confidence: Confidence, **more: Any) -> InvestorTest:
    return InvestorTest(
        id=f"hk.{name}",
        title=title,
        citation=citation,
        confidence=confidence,
        category=f"hk.{name}",
        **{"source": "secondary", "currency": "HKD", "effective_from": date(2003, 4, 1), **more},
    )


TESTS = (
    _test(
        "pi.individual",
        "Individual with a portfolio of HK$8 million",
        "Cap. 571D s5",
        "M",
        figures={
            "sole": read_amount,
            "joint_with_associate": read_amount,
            "joint_other": read_amount,
            "joint_other_share": _read_share,
            "joint_other_holders": read_whole,
            "own_corporation": read_amount,
        },
        defaults={"own_corporation": 0},
        evidence=(_CUSTODIAN, "written agreement on the shares in a joint account"),
        parameters={"portfolio": str(PORTFOLIO), "shared_counts": SHARED_COUNTS},
        judge=_judge_individual,
    ),
    _test(
        "pi.corporate",
        "Corporation or partnership with a portfolio of HK$8 million or total assets of HK$40 million",
        "Cap. 571D s6",
        "M",
        figures={"portfolio": read_amount, "total_assets": read_amount},
        evidence=(_CUSTODIAN, _AUDITED),
        parameters={"portfolio": str(PORTFOLIO), "total_assets": str(TOTAL_ASSETS)},
        judge=_judge_corporate,
    ),
    _test(
        "pi.trust",
        "Trust corporation entrusted with HK$40 million",
        "Cap. 571D s4",
        "H",
        figures={"total_assets": read_amount},
        evidence=(_CUSTODIAN, _AUDITED),
        parameters={"total_assets": str(TOTAL_ASSETS)},
        judge=_judge_trust,
    ),
    _test(
        "pi.institutional",
        "Institution that Schedule 1 names: exchange, bank, insurer, fund, government and the like",
        "Cap. 571 Sch 1 Part 1 s1, professional investor (a)-(i)",
        "H",
        currency=None,
        figures={"on_register": read_flag, "checked_on": read_day},
        evidence=("register extract",),
        parameters={"checked_months": str(EVIDENCE_MONTHS)},
        judge=_judge_institutional,
    ),
    _test(
        "pi.holding",
        "Corporation that holds investments for professional investors, or wholly owns one that qualifies",
        "Cap. 571D s7",
        "M",
        currency=None,
        effective_from=SHARED_FROM,
        figures={"holds_investments": read_flag, "owned_by_professionals": read_flag, "owns_professional": read_flag},
        evidence=("register of members", "the owners' or the subsidiary's own evidence"),
        judge=_judge_holding,
    ),
    _test(
        "va_knowledge",
        "Knowledge of virtual assets, tested unless the investor is an institution or an assessed corporate one",
        "SFC-HKMA joint circular of 2023-12-22; SFC circular 23EC52",
        "H",
        source="primary",
        currency=None,
        effective_from=date(2023, 12, 22),
        figures={"pi_class": read_string, "passed": read_flag},
        evidence=("record of the test, or of training and work with virtual assets",),
        parameters={"not_tested": " ".join(sorted(NO_SUITABILITY))},
        judge=_judge_knowledge,
    ),
)
