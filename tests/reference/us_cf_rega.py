"""Regulation Crowdfunding (17 CFR 227) and Regulation A (17 CFR 230.251-263)."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.reference.dates import add_months, has_elapsed
from tests.reference.facts import Facts, as_day, member
from tests.reference.us_resale import has_enough
from tests.reference.verdict import PASS, Finding, MissingFactError, any_route, deny, leave_open

CF_CAP = Decimal(5_000_000)
REGA_CAPS = {"us.reg_a_t1": Decimal(20_000_000), "us.reg_a_t2": Decimal(75_000_000)}
CAPS_OF_2021 = date(2021, 3, 15)
CF_LINE_OF_2022 = date(2022, 9, 20)
# 227.501(c), as far as one word can say it.
FAMILY = {
    "child", "stepchild", "grandchild", "parent", "stepparent", "grandparent", "spouse", "spousal_equivalent",
    "sibling",
    "mother_in_law", "father_in_law", "son_in_law", "daughter_in_law", "brother_in_law", "sister_in_law",
}  # fmt: skip
NOT_FAMILY = {"cousin", "friend", "none"}


def check_cf_cap(facts: Facts) -> Finding:
    """Keep the issuer's 12 months within 5m. Open question: the lower caps of earlier law."""
    if facts.today < CAPS_OF_2021:
        leave_open("the cap before March 2021")
    over = facts.number("state.issuer_cf_sold_12m") + facts.amount > CF_CAP
    return deny("US_CF_OFFERING_CAP") if over else PASS


def compute_cf_limit(today: date, income: Decimal, net_worth: Decimal) -> Decimal:
    """Return an investor's limit over 12 months. Source: 227.100(a)(2) and its versions."""
    line, floor = (Decimal(124_000), Decimal(2_500)) if today >= CF_LINE_OF_2022 else (Decimal(107_000), Decimal(2_200))
    base = max(income, net_worth) if today >= CAPS_OF_2021 else min(income, net_worth)
    if min(income, net_worth) < line:
        return max(floor, base * 5 / 100)
    return min(base * 10 / 100, line)


def check_cf_limit(facts: Facts) -> Finding:
    """Keep a non-accredited investor within the limit, all issuers together. Source: 227.100(a)(2).

    Open question: law before 2021 limited accredited investors too, by the same figures.
    """
    if facts.optional("buyer.accredited") is True and facts.today >= CAPS_OF_2021:
        return PASS
    within = _fits(facts, lambda: _cf_used(facts) + facts.amount, lambda i, n: compute_cf_limit(facts.today, i, n))
    if within is False and facts.today >= CAPS_OF_2021 and facts.flag("buyer.accredited"):
        return PASS
    if within is None:
        raise MissingFactError("buyer.annual_income")
    return PASS if within else deny("US_CF_INVESTOR_LIMIT")


def _cf_used(facts: Facts) -> Decimal:
    first = add_months(facts.today, -12)
    purchases = facts.get("buyer.cf_purchases")
    if any(purchase.get("amount") is None for purchase in purchases):
        leave_open("a purchase without an amount, which may be too old to matter")
    amounts = (member(p, "amount") for p in purchases if first <= as_day(member(p, "date")) <= facts.today)
    return sum((Decimal(str(amount)) for amount in amounts), Decimal(0))


def _fits(facts: Facts, compute_sum: Any, compute_limit: Any) -> bool | None:
    """Compare a sum with a limit; None where it depends on a figure that was not supplied."""
    total = compute_sum()
    if facts.has("buyer.limit_at_least"):
        return bool(total <= facts.number("buyer.limit_at_least"))
    known = [facts.optional("buyer.annual_income"), facts.optional("buyer.net_worth")]
    huge = Decimal(10) ** 15
    least = compute_limit(*(Decimal(0) if value is None else Decimal(str(value)) for value in known))
    most = compute_limit(*(huge if value is None else Decimal(str(value)) for value in known))
    if total <= least:
        return True
    return False if total > most else None


def check_cf_resale(facts: Facts) -> Finding:
    """Hold a year from issuance, unless the taker is accredited or family. Source: 227.501.

    Open question: an affiliate's shares, and a lot that has only the seller's own date.
    """
    if facts.optional("seller.affiliate") is True:
        leave_open("control securities that were sold under Regulation Crowdfunding")
    free = any_route(
        lambda: facts.flag("buyer.accredited"),
        lambda: _is_family(facts),
        lambda: _year_has_run(facts),
    )
    return PASS if free else deny("US_CF_RESALE_1Y")


def _is_family(facts: Facts) -> bool:
    relation = facts.optional("buyer.family_relation")
    if relation is None or relation in NOT_FAMILY:
        return False
    if relation not in FAMILY:
        leave_open("a relation that the rule does not spell so")
    return True


def _year_has_run(facts: Facts) -> bool:
    free = Decimal(0)
    undated = Decimal(0)
    for lot in facts.get("seller.lots"):
        quantity = Decimal(str(member(lot, "qty")))
        if lot.get("issued_on") is None:
            if lot.get("acquired_on") is not None:
                leave_open("a lot that has only the seller's own date")
            undated += quantity
        elif has_elapsed(as_day(lot["issued_on"]), 12, facts.today, facts.boundary):
            free += quantity
    return has_enough(facts, free, undated, MissingFactError("seller.lots[].issued_on"))


def check_rega_cap(facts: Facts) -> Finding:
    """Keep the issuer's 12 months within the tier's cap. Open question: Tier 2 before March 2021."""
    if facts.today < CAPS_OF_2021:
        leave_open("the cap before March 2021")
    over = facts.number("state.issuer_rega_sold_12m") + facts.amount > REGA_CAPS[facts.regime]
    return deny("US_REGA_OFFERING_CAP") if over else PASS


def check_rega_limit(facts: Facts) -> Finding:
    """Keep a non-accredited Tier 2 purchase within a tenth of income or net worth. Source: 230.251(d)(2)(i)(C).

    Open question: whether a figure may be asked for that could not change the answer.
    """
    if facts.optional("buyer.accredited") is True:
        return PASS
    within = _fits(facts, lambda: facts.amount, lambda income, net_worth: max(income, net_worth) / 10)
    if within is True:
        _leave_unneeded_figures_open(facts)
        return PASS
    if within is False and facts.flag("buyer.accredited"):
        return PASS
    if within is None:
        raise MissingFactError("buyer.annual_income")
    return deny("US_REGA_10PCT_LIMIT")


def _leave_unneeded_figures_open(facts: Facts) -> None:
    needed = ["buyer.accredited", "buyer.annual_income", "buyer.net_worth"]
    if not facts.has("buyer.limit_at_least") and not all(facts.has(path) for path in needed):
        leave_open("a figure that could not change the answer")


def check_blue_sky(facts: Facts) -> Finding:
    """Ask that the buyer's state lets the security in, where federal law does not take that question away.

    Open question: a buyer who lives abroad or is no US person.
    """
    if facts.optional("buyer.us_person") is False or facts.optional("buyer.country") not in {None, "US"}:
        leave_open("state law for a buyer abroad")
    return PASS if facts.get("buyer.state") in facts.get("offering.blue_sky_ok_states") else deny("US_BLUE_SKY")


def check_rega_resale(facts: Facts) -> Finding:
    if facts.optional("seller.affiliate") is True:
        leave_open("control securities that were sold under Regulation A")
    return PASS
