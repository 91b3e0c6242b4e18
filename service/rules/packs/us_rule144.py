"""Rule 144 as a route: holding period with tacking, current information, and what binds affiliates.

Source: 17 CFR 230.144(b)-(i), as in force since 2008-02-15.
"""

from datetime import date

from service.rules.dates import first_day_after_elapsed
from service.rules.facts import Facts, MissingFactError, Number, all_hold, once
from service.rules.packs.lots import TACKING, read_clock_start, read_free_lots, sum_free_quantity
from service.rules.packs.us_resale import Attempt, attempt_route
from service.rules.packs.us_rule144_volume import IN_FORCE_FROM, Volume, is_debt

HOLDING_REPORTING, HOLDING_OTHER = 6, 12
"""Months of (d)(1)(i) and (ii); after the longer one a non-affiliate is also free of current information, (b)(1)(i)."""
FORM_144_UNITS, FORM_144_AMOUNT = 5_000, 50_000


def try_rule144(facts: Facts) -> Attempt:
    """Try Rule 144 for restricted securities."""
    return attempt_route("rule144", facts, _meets_restricted)


def try_rule144_control(facts: Facts) -> Attempt:
    """Try Rule 144 for an affiliate's securities that are not restricted: everything but the holding period."""
    return attempt_route("rule144", facts, _meets_control)


def _meets_restricted(facts: Facts, attempt: Attempt) -> bool:
    _note_first_date(facts, attempt)
    return all_hold(
        lambda: facts.day("date") >= IN_FORCE_FROM,
        lambda: not facts.part("offering").flag("shell"),  # (i)(1)
        lambda: _are_enough_free(facts, attempt),
        lambda: _meets_affiliate_terms(facts, attempt),
    )


def _meets_control(facts: Facts, attempt: Attempt) -> bool:
    attempt.at_most = sum_free_quantity(facts)
    return all_hold(
        lambda: facts.day("date") >= IN_FORCE_FROM,
        lambda: not facts.part("offering").flag("shell"),
        lambda: facts.part("offering").flag("current_public_info"),
        lambda: _meets_affiliate_terms(facts, attempt),
    )


@once
def _wanted(facts: Facts) -> Number:
    """Return the quantity to find an exemption for; what the seller lacks is another rule's reason."""
    return min(facts.number("qty"), sum_free_quantity(facts))


def _boundary(facts: Facts) -> str:
    return facts.part("policy").text("elapsed_boundary")


def _has_elapsed(facts: Facts, start: date, months: int) -> bool:
    return facts.day("date") >= first_day_after_elapsed(start, months, boundary=_boundary(facts))


def _find_start(facts: Facts, lot: Facts) -> date:
    """Return the lot's clock start; an unknown earlier owner doesn't matter once the seller's own year has run."""
    tacks_from_unknown = lot.text("from_") in TACKING and not lot.has("tack_from")
    if tacks_from_unknown and lot.has("acquired_on") and _has_elapsed(facts, lot.day("acquired_on"), HOLDING_OTHER):
        return lot.day("acquired_on")
    return read_clock_start(lot)


def _is_free(facts: Facts, lot: Facts) -> bool:
    """Tell whether holding period and current information let this lot go."""
    start, offering = _find_start(facts, lot), facts.part("offering")
    if not _has_elapsed(facts, start, HOLDING_REPORTING):
        return False
    if _has_elapsed(facts, start, HOLDING_OTHER):
        return not facts.part("seller").flag("affiliate") or offering.flag("current_public_info")
    return all_hold(lambda: offering.flag("reporting"), lambda: offering.flag("current_public_info"))


def _are_enough_free(facts: Facts, attempt: Attempt) -> bool:
    wanted, free, unknown = _wanted(facts), 0, 0
    missing: MissingFactError | None = None
    for lot in read_free_lots(facts):
        try:
            free += int(lot.number("qty")) if _is_free(facts, lot) else 0
        except MissingFactError as error:
            missing = missing or error
            unknown += int(lot.number("qty"))
    attempt.at_most = free
    if not missing:
        attempt.notes["eligible_qty"] = free
    if missing and free < wanted <= free + unknown:
        raise missing
    return free >= wanted


def _note_first_date(facts: Facts, attempt: Attempt) -> None:
    """Note the day on which (d)(1) lets the wanted quantity go, and the day on which waiting alone opens the route.

    Purely informative: an absent fact leaves it out here and is reported by the condition that turns on it.
    """
    try:
        offering = facts.part("offering")
        reporting = offering.flag("reporting")
        first = _find_day_of_quantity(facts, HOLDING_REPORTING if reporting else HOLDING_OTHER)
        attempt.notes["first_144_date"] = first
        informed = reporting and offering.has("current_public_info") and offering.flag("current_public_info")
        if facts.part("seller").flag("affiliate"):
            opens_on = first if informed else None
        else:
            opens_on = first if informed else _find_day_of_quantity(facts, HOLDING_OTHER)
        if opens_on and opens_on > facts.day("date") and not offering.flag("shell"):
            attempt.opens_on = opens_on
    except MissingFactError:
        return


def _find_day_of_quantity(facts: Facts, months: int) -> date | None:
    boundary, start = _boundary(facts), _find_start_of_quantity(facts)
    return start and first_day_after_elapsed(start, months, boundary=boundary)


@once
def _find_start_of_quantity(facts: Facts) -> date | None:
    """Return the clock start of the last lot that the wanted quantity needs, the oldest being taken first."""
    wanted, held = _wanted(facts), 0
    for start, quantity in sorted((read_clock_start(lot), int(lot.number("qty"))) for lot in read_free_lots(facts)):
        held += quantity
        if held >= wanted:
            return start
    return None


def _meets_affiliate_terms(facts: Facts, attempt: Attempt) -> bool:
    if not facts.part("seller").flag("affiliate"):
        return True
    volume = Volume(facts)
    attempt.notes |= {"used": volume.used, "requested": facts.number("qty")}
    limit = volume.limit
    if limit is not None:
        attempt.notes |= {"limit": limit, "remaining": volume.remaining}
    attempt.at_most = min(int(volume.remaining), attempt.at_most or 0)
    if not volume.allows(_wanted(facts)):
        attempt.over_volume, attempt.opens_on = True, volume.find_day_for(_wanted(facts))
        return False
    attempt.obligations += _list_affiliate_obligations(facts, volume.used)
    return True


def _list_affiliate_obligations(facts: Facts, used: Number) -> list[str]:
    sold = used + facts.number("qty")
    most = FORM_144_UNITS * 10 ** int(facts.part("offering").number("unit_decimals"))  # (h)(1) counts whole units
    codes = ["OBL_FORM_144"] if sold > most or sold * facts.number("price") > FORM_144_AMOUNT else []
    return codes if is_debt(facts.part("offering")) else [*codes, "OBL_MANNER_OF_SALE"]
