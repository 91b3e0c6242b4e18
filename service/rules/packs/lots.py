"""Reading the seller's lots: what is free, and when each one's Rule 144 holding period began."""

from datetime import date

from service.rules.facts import Facts, InvalidFactsError, once

CLOCK_AT_ACQUISITION = frozenset({"issuer", "affiliate", "pledge_nonrecourse"})
_FREE_OF_LIENS = frozenset({"secondary", "gift", "pledge", "redemption", "conversion"})
TACKING = frozenset({"nonaffiliate", "gift", "estate", "pledge_recourse"})


@once
def read_free_lots(facts: Facts) -> list[Facts]:
    """Return the seller's lots that this action may take; a lien yields only to its holder or to a document."""
    lots, action = facts.part("seller").parts("lots"), facts.text("action")
    if action == "release":
        return [lot for lot in lots if lot.flag("lien")]
    return [lot for lot in lots if not lot.flag("lien")] if action in _FREE_OF_LIENS else lots


@once
def sum_free_quantity(facts: Facts) -> int:
    """Return how many units the seller's free lots hold."""
    return sum([int(lot.number("qty")) for lot in read_free_lots(facts)])


@once
def read_clock_start(lot: Facts) -> date:
    """Return the day on which the lot's holding period began.

    A purchase from the issuer, an affiliate or under a pledge without recourse starts its own clock, once fully paid;
    anything else continues the clock of the person before.

    Raises:
        MissingFactError: ``from_``, or the date that it calls for, is not known.
        InvalidFactsError: ``from_`` is no origin of ours.

    Source: 17 CFR 230.144(d)(1), (d)(3).
    """
    origin = lot.text("from_")
    if origin in TACKING:
        return lot.day("tack_from")
    if origin not in CLOCK_AT_ACQUISITION:
        raise InvalidFactsError(f"{lot.path('from_')} is not a known origin")
    acquired_on, paid_on = lot.day("acquired_on"), lot.day_or_none("paid_in_full_on")
    return max(acquired_on, paid_on) if paid_on else acquired_on
