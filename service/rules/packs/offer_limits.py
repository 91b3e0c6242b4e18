"""What a cap on an offer's total, or a minimum per investor, makes of a sale and of its quantity.

Amounts are in the offering's currency; the caller of the gate converts.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy, Value
from service.rules.facts import Facts, Number
from service.rules.packs.consideration import count_units_reaching, count_units_within, read_consideration
from service.rules.rule import AtLeast, AtMost, Deny, Finding, Note


def yield_cap(facts: Facts, code: str, *, used: Number, limit: Number, inclusive: bool) -> Iterator[Finding]:
    """Yield what a cap makes of one more sale.

    Args:
        code: Reason code of a sale that goes beyond the cap.
        used: Consideration of the twelve months before this sale.
        limit: The cap.
        inclusive: Whether a total of exactly ``limit`` is within it.
    """
    requested = read_consideration(facts)
    after = used + requested
    yield Note("after", after)
    most = _fit(limit - used, facts.number("price"), inclusive=inclusive)
    if after > limit or (after == limit and not inclusive):
        evidence: dict[str, Value] = {"used": used, "limit": limit, "requested": requested}
        yield Deny(code, Remedy("none"), evidence, smaller_may_pass=bool(most))
    if most is not None:
        yield AtMost(most)


def _fit(room: Number, price: Number, *, inclusive: bool) -> int | None:
    most = count_units_within(room, price)
    return most - 1 if most and not inclusive and most * price == room else most


def yield_minimum(facts: Facts, minimum: int) -> Iterator[Finding]:
    """Yield what a minimum consideration per investor makes of a sale."""
    requested, price = read_consideration(facts), facts.number("price")
    if requested < minimum:
        yield Deny("MIN_DENOMINATION", Remedy("none"), {"limit": minimum, "requested": requested})
    if price > 0:
        yield AtLeast(count_units_reaching(minimum, price))
