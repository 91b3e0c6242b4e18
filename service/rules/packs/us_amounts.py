"""What a limit in US dollars leaves for a sale, with the working that a reader of the decision needs."""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts, Number
from service.rules.rule import AtMost, Deny, Finding, Note


def compute_amount(facts: Facts) -> Number:
    """Return what the transfer costs."""
    return facts.number("qty") * facts.number("price")


def yield_room(facts: Facts, code: str, *, used: Number, limit: Number, remedy: Remedy) -> Iterator[Finding]:
    """Yield the working, the largest quantity that fits, and the reason ``code`` if this one doesn't.

    Args:
        facts: The transfer's facts.
        code: Reason of an amount over the limit.
        used: What counts against the limit already.
        limit: The most that may be reached.
        remedy: What would help an amount over the limit.
    """
    requested, remaining, price = compute_amount(facts), max(limit - used, 0), facts.number("price")
    working = {"used": used, "limit": limit, "requested": requested, "remaining": remaining}
    yield from (Note(name, value) for name, value in working.items())
    most = int(remaining // price) if price else None
    if requested > limit - used:
        yield Deny(code, remedy, smaller_may_pass=bool(most))
    if most is not None:
        yield AtMost(most)
