"""Resale of restricted and control securities: Rule 144, section 4(a)(7), Rule 144A."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.reference.dates import add_months, has_elapsed
from tests.reference.facts import Facts, as_day, member
from tests.reference.verdict import (
    PASS,
    Finding,
    MissingFactError,
    OpenQuestionError,
    any_route,
    deny,
    leave_open,
)

OWN_CLOCK = {"issuer", "affiliate", "pledge_nonrecourse"}
TACKING = {"nonaffiliate", "gift", "estate", "pledge_recourse"}


def check_restricted_resale(facts: Facts) -> Finding:
    """Ask for one exemption under which the holder may sell on.

    A denial is not named for an affiliate: it may be the volume that stops them.

    Open question: Rule 904 for lots of Regulation D, where the buyer is abroad.
    """
    free = any_route(lambda: rule_144(facts), lambda: section_4a7(facts), lambda: rule_144a(facts))
    if not free and facts.flag("buyer.offshore"):
        leave_open("Rule 904 for lots of Regulation D")
    if not free and facts.optional("seller.affiliate") is not False:
        return Finding("deny")
    return PASS if free else deny("US_RESALE_NO_EXEMPTION")


def check_registered_resale(facts: Facts) -> Finding:
    """Let anybody but an affiliate sell freely; an affiliate under Rule 144 without the holding period.

    Open question: whether an affiliate may leave Rule 144 for another exemption; debt's higher volume.
    """
    if facts.optional("seller.affiliate") is False:
        return PASS
    if not facts.has("seller.affiliate"):
        if _is_free_as_affiliate(facts):
            leave_open("a seller who may be an affiliate, and could sell either way")
        raise MissingFactError("seller.affiliate")
    if facts.flag("offering.shell") or not facts.flag("offering.current_public_info"):
        return _control_denial(facts, "US_RESALE_NO_EXEMPTION")
    return PASS if _within_volume(facts) else _control_denial(facts, "US_144_VOLUME")


def _is_free_as_affiliate(facts: Facts) -> bool:
    return not facts.flag("offering.shell") and facts.flag("offering.current_public_info") and _within_volume(facts)


def _control_denial(facts: Facts, code: str) -> Finding:
    if any_route(lambda: section_4a7(facts), lambda: rule_144a(facts)):
        leave_open("another exemption for control securities")
    return deny(code)


def rule_144(facts: Facts) -> bool:
    """Tell whether Rule 144 frees enough of the seller's lots.

    Open question: a seller of whom it is not said whether they are an affiliate, where either could sell.
    """
    if facts.flag("offering.shell"):
        return False
    if facts.has("seller.affiliate"):
        return _rule_144_as(facts, affiliate=facts.flag("seller.affiliate"))
    if _rule_144_as(facts, affiliate=False) and _rule_144_as(facts, affiliate=True):
        leave_open("a seller who may be an affiliate, and could sell either way")
    if not _rule_144_as(facts, affiliate=False):
        return False
    raise MissingFactError("seller.affiliate")


def _rule_144_as(facts: Facts, *, affiliate: bool) -> bool:
    if not _enough_is_held_long_enough(facts, affiliate=affiliate):
        return False
    if affiliate:
        return facts.flag("offering.current_public_info") and _within_volume(facts)
    return True


def _enough_is_held_long_enough(facts: Facts, *, affiliate: bool) -> bool:
    """Add up the lots whose period has run; a lot that cannot be dated counts as doubtful."""
    free, doubtful, doubts = Decimal(0), Decimal(0), []
    for lot in facts.get("seller.lots"):
        quantity = Decimal(str(member(lot, "qty")))
        try:
            free += quantity if _lot_is_free(facts, lot, affiliate=affiliate) else 0
        except (MissingFactError, OpenQuestionError) as doubt:
            doubtful += quantity
            doubts.append(doubt)
    return has_enough(facts, free, doubtful, doubts[0] if doubts else None)


def quantity_to_judge(facts: Facts) -> Decimal:
    """Return what is asked; of a seller who holds less, all they hold, for the rest is refused for that reason."""
    held = sum((Decimal(str(member(lot, "qty"))) for lot in facts.get("seller.lots")), Decimal(0))
    return min(facts.number("qty"), held)


def has_enough(facts: Facts, free: Decimal, doubtful: Decimal, doubt: Exception | None) -> bool:
    """Compare free lots with what is asked.

    Raises:
        MissingFactError, OpenQuestionError: It is ``doubt`` that decides.
    """
    wanted = quantity_to_judge(facts)
    if doubt is not None and free < wanted <= free + doubtful:
        raise doubt
    return free >= wanted


def _lot_is_free(facts: Facts, lot: dict[str, Any], *, affiliate: bool) -> bool:
    """Tell whether one lot has been held long enough. Source: 230.144(b)(1), (d)(1).

    Six months of a reporting issuer (with current public information until the year is over), one year of others.
    """
    start = _start_of_holding(facts, lot)
    if has_elapsed(start, 12, facts.today, facts.boundary):
        return True
    if not has_elapsed(start, 6, facts.today, facts.boundary):
        return False
    if not facts.flag("offering.reporting"):
        return False
    return affiliate or facts.flag("offering.current_public_info")


def _start_of_holding(facts: Facts, lot: dict[str, Any]) -> date:
    """Return the day the clock started.

    Open question: a tacked lot of which the earlier holder's date is unknown or later than its own; a lot from nowhere;
    payment that came after a tacked start.
    """
    origin = lot.get("from_")
    acquired = as_day(member(lot, "acquired_on")) if origin not in TACKING or lot.get("acquired_on") else None
    paid = as_day(lot["paid_in_full_on"]) if lot.get("paid_in_full_on") else None
    if origin in OWN_CLOCK and acquired is not None:
        return max(acquired, paid) if paid else acquired
    tacked = as_day(lot["tack_from"]) if lot.get("tack_from") else None
    if origin not in TACKING or tacked is None:
        if acquired is not None and has_elapsed(acquired, 6, facts.today, facts.boundary):
            leave_open("a lot of unknown origin that its own date might free")
        raise MissingFactError("seller.lots[].tack_from")
    if paid is not None or (acquired is not None and tacked > acquired):
        leave_open("a tacked lot with inconsistent dates")
    return tacked


def _within_volume(facts: Facts) -> bool:
    """Keep an affiliate's three months within 1 % of the class or the average weekly volume. Source: 230.144(e).

    Open question: the day three months ago itself; debt, which may also sell a tenth of its tranche.
    """
    asked = quantity_to_judge(facts)
    sales = facts.get("seller.affiliate_sales")
    since = add_months(facts.today, -3)
    days = [(as_day(member(sale, "date")), Decimal(str(member(sale, "qty")))) for sale in sales]
    surely = asked + sum((quantity for day, quantity in days if since < day <= facts.today), Decimal(0))
    perhaps = surely + sum((quantity for day, quantity in days if day == since or day > facts.today), Decimal(0))
    if any_route(lambda: perhaps * 100 <= facts.number("offering.outstanding"), lambda: _fits_weekly(facts, perhaps)):
        return True
    if facts.optional("offering.security") == "debt":
        leave_open("a tenth of the tranche")
    if any_route(lambda: surely * 100 <= facts.number("offering.outstanding"), lambda: _fits_weekly(facts, surely)):
        leave_open("sales exactly three months ago")
    return False


def _fits_weekly(facts: Facts, quantity: Decimal) -> bool:
    """Compare with the average weekly volume, which a security without a market does not have.

    Open question: the book writes `null` for no market, and the reference cannot tell that from an absent figure.
    """
    if not facts.has("offering.awtv"):
        leave_open("an average weekly volume that is null or absent")
    return quantity <= facts.number("offering.awtv")


def section_4a7(facts: Facts) -> bool:
    """Tell whether section 4(a)(7) frees the sale. Source: Securities Act 4(a)(7), 4(d).

    Open question: a bad actor, whom the law seeks on the seller's side and the book records at the offering.
    """
    if not facts.flag("buyer.accredited") or facts.flag("trade.general_solicitation") or facts.flag("offering.shell"):
        return False
    if (facts.today - facts.day("offering.class_outstanding_since")).days < 90:
        return False
    if not any_route(lambda: facts.flag("trade.info_package"), lambda: facts.flag("offering.reporting")):
        return False
    if facts.flag("offering.bad_actor"):
        leave_open("a bad actor of the offering")
    return True


def rule_144a(facts: Facts) -> bool:
    """Tell whether Rule 144A frees the sale. Source: 230.144A(d)."""
    if not facts.flag("buyer.qib") or facts.flag("offering.fungible_with_listed"):
        return False
    return any_route(lambda: facts.flag("trade.info_rights_144a"), lambda: facts.flag("offering.reporting"))
