"""What one investor may buy in twelve months of everything that is sold under Regulation Crowdfunding.

Source: 17 CFR 227.100(a)(2), as adopted (80 FR 71387) and amended (82 FR 17545, 86 FR 3496, 87 FR 57394).
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from service.rules.dates import add_months, first_day_outside
from service.rules.decision import Remedy
from service.rules.facts import Facts, MissingFactError, Number
from service.rules.law import Row, Schedule
from service.rules.packs.us_amounts import compute_amount, yield_room
from service.rules.packs.us_blue_sky import is_said
from service.rules.rule import Finding, Rule
from service.rules.schema import read_amount, read_flag, read_number
from service.rules.worksheet import InvestorLimit, Worksheet

IN_FORCE_FROM = date(2016, 5, 16)
_INDEXED_2017, _AMENDED_2021, _INDEXED_2022 = date(2017, 4, 12), date(2021, 3, 15), date(2022, 9, 20)
CITATION = "17 CFR 227.100(a)(2)"
LINE = Schedule(
    Row(100_000, IN_FORCE_FROM, date(2017, 4, 11)),
    Row(107_000, _INDEXED_2017, date(2022, 9, 19)),
    Row(124_000, _INDEXED_2022),
)
"""Both figures must reach it for ten per cent instead of five; ten per cent never gives more than it."""
FLOOR = Schedule(
    Row(2_000, IN_FORCE_FROM, date(2017, 4, 11)),
    Row(2_200, _INDEXED_2017, date(2022, 9, 19)),
    Row(2_500, _INDEXED_2022),
)
BASE = Schedule(Row("lesser", IN_FORCE_FROM, date(2021, 3, 14)), Row("greater", _AMENDED_2021))
"""Which of the two figures the share is taken of."""
ACCREDITED = Schedule(Row("limited", IN_FORCE_FROM, date(2021, 3, 14)), Row("unlimited", _AMENDED_2021))
SHARE_BELOW, SHARE_FROM = Decimal("0.05"), Decimal("0.1")
WINDOW_MONTHS = 12
PARAMETERS: dict[str, str | Schedule[int] | Schedule[str]] = {
    "line": LINE,
    "floor": FLOOR,
    "base": BASE,
    "accredited": ACCREDITED,
    "share_below_line": str(SHARE_BELOW),
    "share_from_line": str(SHARE_FROM),
    "window_months": str(WINDOW_MONTHS),
}


def _is_unlimited(facts: Facts, person: Facts) -> bool:
    return facts.in_force(ACCREDITED) == "unlimited" and is_said(person, "accredited")


def _compute(facts: Facts, person: Facts, sheet: Worksheet) -> Number:
    """Return the limit that income and net worth give on the facts' day."""
    line, floor = facts.in_force(LINE), facts.in_force(FLOOR)
    figures: list[Number] = [person.number("annual_income"), person.number("net_worth")]
    base: Number
    if facts.in_force(BASE) == "greater":
        base = max(figures)
        sheet.explain("greater of annual income and net worth: {base}", base=base)
    else:
        base = min(figures)
        sheet.explain("lesser of annual income and net worth: {base}", base=base)
    sheet.note("base", base)
    if sheet.compare("the lesser figure", min(figures), "<", line):
        five_per_cent: Number = SHARE_BELOW * base
        return max(five_per_cent, floor)
    ten_per_cent: Number = SHARE_FROM * base
    return min(ten_per_cent, line)


def _compute_limit(figures: Facts, sheet: Worksheet) -> Number | None:
    if _is_unlimited(figures, figures):
        sheet.state("accredited, and so without a limit", True)
        return None
    return _compute(figures, figures, sheet)


def _sum_purchases(facts: Facts) -> list[tuple[date, Number]]:
    """Return the purchases of the look-back, both its ends included, oldest first."""
    day = facts.day("date")
    first = add_months(day, -WINDOW_MONTHS)
    within = [each for each in facts.part("buyer").parts("cf_purchases") if first <= each.day("date") <= day]
    return sorted((each.day("date"), each.number("amount")) for each in within)


def _find_limit(facts: Facts, used: Number) -> Number:
    """Return the buyer's limit, or as much of it as is known and enough for this purchase.

    Raises:
        MissingFactError: The purchase exceeds what everybody may buy, and a figure is unknown.
    """
    buyer, floor = facts.part("buyer"), facts.in_force(FLOOR)
    if buyer.has("limit_at_least"):
        return max(buyer.number("limit_at_least"), floor)
    try:
        return _compute(facts, buyer, Worksheet())
    except MissingFactError:
        if used + compute_amount(facts) > floor:
            raise
        return floor


def _check_limit(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if _is_unlimited(facts, buyer):
        return
    try:
        purchases = _sum_purchases(facts)
        used = sum((amount for _, amount in purchases), 0)
        limit = _find_limit(facts, used)
    except MissingFactError:
        _require_accreditation(facts)
        raise
    if used + compute_amount(facts) > limit:
        _require_accreditation(facts)
    remedy = _find_remedy(facts, purchases, used, limit)
    yield from yield_room(facts, "US_CF_INVESTOR_LIMIT", used=used, limit=limit, remedy=remedy)


def _require_accreditation(facts: Facts) -> None:
    """Ask for the buyer's accreditation where it may lift the limit; known, it did not."""
    if facts.in_force(ACCREDITED) == "unlimited":
        facts.part("buyer").flag("accredited")


def _find_remedy(facts: Facts, purchases: list[tuple[date, Number]], used: Number, limit: Number) -> Remedy:
    """Return the day from which enough earlier purchases are outside the look-back, else a higher limit to present."""
    for bought_on, amount in purchases:
        used -= amount
        if used + compute_amount(facts) <= limit:
            return Remedy("wait_until", at=first_day_outside(bought_on, WINDOW_MONTHS))
    return Remedy("present", purpose="us.reg_cf")


INVESTOR_LIMIT = Rule(
    id="us.reg_cf.investor_limit",
    citation=CITATION,
    source="primary",
    confidence="H",
    basis="law",
    inputs=(
        *("date", "qty", "price", "buyer.accredited", "buyer.limit_at_least", "buyer.annual_income"),
        *("buyer.net_worth", "buyer.cf_purchases"),
    ),
    actions=frozenset({"primary"}),
    effective_from=IN_FORCE_FROM,
    parameters=PARAMETERS,
    check=_check_limit,
)
LIMITS = (
    InvestorLimit(
        id="us.reg_cf",
        title="Regulation Crowdfunding: all purchases of twelve months, this one included",
        citation=CITATION,
        source="primary",
        confidence="H",
        currency="USD",
        figures={"accredited": read_flag, "annual_income": read_amount, "joint": read_flag, "net_worth": read_number},
        defaults={"accredited": False},
        compute=_compute_limit,
        evidence=("the investor's representation of income, net worth and purchases elsewhere in the last 12 months",),
        parameters=PARAMETERS,
        effective_from=IN_FORCE_FROM,
    ),
)
