"""Singapore: the first six months after securities were acquired under SFA s272A, s274 or s275.

A transfer for nothing is no sale: s272 exempts it, and s276 leaves s272 alone.

Source: SFA ss272, 272A(1)(b)(ii), 276(1), (2).
"""

from collections.abc import Iterator
from datetime import date
from functools import partial
from itertools import accumulate

from service.rules.dates import first_day_after_elapsed
from service.rules.decision import Remedy
from service.rules.facts import Facts, Number, any_holds, is_known
from service.rules.packs.lots import TACKING, read_free_lots, sum_free_quantity
from service.rules.packs.sg_eligible import IN_FORCE_FROM, INPUTS, LARGE_AMOUNT, is_eligible, is_eligible_class
from service.rules.rule import RESALES, AtMost, Deny, Finding, Note, Rule

RESALE_MONTHS = 6


def may_acquire(facts: Facts) -> bool:
    """Tell whether the taker could have bought the lots: by class, or because the six months are over."""
    return any_holds(lambda: is_eligible_class(facts), lambda: _are_enough_elapsed(facts))


def _check_resale(facts: Facts) -> Iterator[Finding]:
    elapsed = _sum_elapsed(facts)
    yield Note("eligible_qty", elapsed)
    if not _may_all_go(facts):
        yield AtMost(elapsed)
    if any_holds(
        lambda: _are_enough_elapsed(facts),
        lambda: is_eligible(facts),
        lambda: facts.number("price") == 0,
    ):
        return
    if facts.part("buyer").text("sg_class") == "accredited":
        purpose = facts.part("offering").text("regime")
        yield Deny("SG_AI_NOT_OPTED_IN", Remedy("represent", purpose=purpose), smaller_may_pass=True)
    yield Deny("SG_276_6M", _wait(facts), smaller_may_pass=True)


def _first_day(facts: Facts, start: date) -> date:
    boundary = facts.part("policy").text("elapsed_boundary")
    return first_day_after_elapsed(start, RESALE_MONTHS, boundary=boundary)


def _is_elapsed(facts: Facts, lot: Facts) -> bool:
    """Tell whether six months have passed since anybody first acquired the lot in the exempt offer."""
    return any_holds(
        lambda: facts.day("date") >= _first_day(facts, lot.day("acquired_on")),
        lambda: lot.text("from_") in TACKING and facts.day("date") >= _first_day(facts, lot.day("tack_from")),
    )


def _wanted(facts: Facts) -> Number:
    """Return the quantity to judge; what the seller lacks is another rule's reason."""
    return min(facts.number("qty"), sum_free_quantity(facts))


def _sum_elapsed(facts: Facts) -> int:
    """Return how much is known to be past its six months."""
    lots = read_free_lots(facts)
    return sum(int(lot.number("qty")) for lot in lots if is_known(partial(_is_elapsed, facts, lot)))


def _are_enough_elapsed(facts: Facts) -> bool:
    if _sum_elapsed(facts) >= _wanted(facts):
        return True
    for lot in read_free_lots(facts):
        _is_elapsed(facts, lot)  # raises where nobody knows how old the lot is
    return False


def _may_all_go(facts: Facts) -> bool:
    """Tell whether this buyer is known to be allowed everything that the seller has."""
    ways = (
        lambda: is_eligible_class(facts),
        lambda: facts.number("price") == 0,
        lambda: _is_all_large(facts),
    )
    return any(is_known(way) for way in ways)


def _is_all_large(facts: Facts) -> bool:
    """Tell whether s275(1A) covers a sale of everything that the seller has."""
    whole = sum_free_quantity(facts) * facts.number("price")
    return whole >= LARGE_AMOUNT and facts.part("buyer").flag("principal")


def _wait(facts: Facts) -> Remedy:
    """Return the day on which the wanted quantity will be past its six months."""
    lots = read_free_lots(facts)
    days = sorted((_find_lot_day(facts, lot), int(lot.number("qty"))) for lot in lots)
    wanted = _wanted(facts)
    held = accumulate(quantity for _, quantity in days)
    return Remedy("wait_until", at=next(day for (day, _), total in zip(days, held, strict=True) if total >= wanted))


def _find_lot_day(facts: Facts, lot: Facts) -> date:
    starts = ("acquired_on", "tack_from") if lot.text("from_") in TACKING else ("acquired_on",)
    return min(_first_day(facts, lot.day(start)) for start in starts if lot.has(start))


def build_resale_rule(regime_id: str, citation: str) -> Rule:
    """Return the rule of one regime; the text is the same for each."""
    return Rule(
        id=f"{regime_id}.resale",
        citation=citation,
        source="primary",
        confidence="H",
        basis="law",
        inputs=("seller.lots", "policy.elapsed_boundary", *INPUTS.split()),
        actions=RESALES,
        effective_from=IN_FORCE_FROM,
        parameters={"resale_months": str(RESALE_MONTHS), "large_amount": str(LARGE_AMOUNT)},
        check=_check_resale,
    )
