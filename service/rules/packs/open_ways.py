"""Regimes that are a short list of ways in, of which one is enough.

A way is a condition on the facts; a pack names its ways, its thresholds and where they stand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts, all_hold, any_holds
from service.rules.needs import AML, KYC, QUALIFIED, ask_if_held
from service.rules.packs.consideration import read_consideration
from service.rules.rule import COUNTS_ALONE, Confidence, Counting, Deny, Finding, Regime, Rule, Source

PRIMARY = frozenset({"primary"})


@dataclass(frozen=True, slots=True)
class Way:
    """One way in.

    Attributes:
        is_open: Tells whether the facts of a transfer are within it.
        reads: Paths that it may read.
        parameter: Its threshold, as (name, value); None if it has none.
    """

    is_open: Callable[[Facts], bool]
    reads: tuple[str, ...]
    parameter: tuple[str, int] | None = None


def is_institutional() -> Way:
    """Return the way of professional and institutional buyers."""
    return Way(lambda facts: facts.part("buyer").flag("institutional"), ("buyer.institutional",))


def pays_at_least(minimum: int) -> Way:
    """Return the way of buyers who pay a minimum."""
    return Way(lambda facts: read_consideration(facts) >= minimum, ("qty", "price"), ("pays_at_least", minimum))


def offered_to_fewer_than(persons: int) -> Way:
    """Return the way of offers to few persons, this buyer included."""

    def is_open(facts: Facts) -> bool:
        return facts.part("state").number("offerees") + 1 < persons

    return Way(is_open, ("state.offerees",), ("persons_below", persons))


def raises_at_most(total: int) -> Way:
    """Return the way of small offers, counted over twelve months with this sale."""

    def is_open(facts: Facts) -> bool:
        return facts.part("state").number("consideration_12m") + read_consideration(facts) <= total

    return Way(is_open, ("qty", "price", "state.consideration_12m"), ("total_12m", total))


def is_worth_at_least(amount: int) -> Way:
    """Return the way of buyers with a minimum of net worth."""

    def is_open(facts: Facts) -> bool:
        return facts.part("buyer").number("net_worth") >= amount

    return Way(is_open, ("buyer.net_worth",), ("net_worth_at_least", amount))


def is_worth_more_than(amount: int) -> Way:
    """Return the way of buyers with more than an amount of net worth."""

    def is_open(facts: Facts) -> bool:
        return facts.part("buyer").number("net_worth") > amount

    return Way(is_open, ("buyer.net_worth",), ("net_worth_above", amount))


def if_assessed(way: Way) -> Way:
    """Return a way for buyers whose knowledge, or the advice that they took, was assessed as well."""

    def is_open(facts: Facts) -> bool:
        return all_hold(lambda: way.is_open(facts), lambda: facts.part("buyer").flag("suitability_done"))

    return Way(is_open, (*way.reads, "buyer.suitability_done"), _name_condition(way, "if_assessed"))


def _name_condition(way: Way, condition: str) -> tuple[str, int] | None:
    return way.parameter and (f"{way.parameter[0]}_{condition}", way.parameter[1])


def is_sophisticated(way: Way) -> Way:
    """Return a way for sophisticated buyers only."""

    def is_open(facts: Facts) -> bool:
        return all_hold(lambda: way.is_open(facts), lambda: facts.part("buyer").flag("sophisticated"))

    return Way(is_open, (*way.reads, "buyer.sophisticated"), _name_condition(way, "if_sophisticated"))


_NO_WAY = "None of the ways in which this offer may be made is open to the buyer."


def build_regime(
    regime_id: str,
    title: str,
    citation: str,
    *ways: Way,
    code: str,
    source: Source,
    confidence: Confidence,
    actions: frozenset[str] = PRIMARY,
    effective_from: date | None = None,
    counting: Counting = COUNTS_ALONE,
) -> Regime:
    """Build a regime whose one rule asks that one of ``ways`` is open; ``code`` is the reason if none is."""

    def has_way(facts: Facts) -> bool:
        return any_holds(*((lambda way=way: way.is_open(facts)) for way in ways))

    def check(facts: Facts) -> Iterator[Finding]:
        if not has_way(facts):
            yield Deny(code, Remedy("present", purpose=regime_id), message=_NO_WAY)

    return Regime(
        id=regime_id,
        title=title,
        citation=citation,
        source=source,
        confidence=confidence,
        rules=(
            Rule(
                id=f"{regime_id}.ways",
                citation=citation,
                source=source,
                confidence=confidence,
                basis="law",
                inputs=tuple(dict.fromkeys(path for way in ways for path in way.reads)),
                actions=actions,
                effective_from=effective_from,
                parameters={way.parameter[0]: str(way.parameter[1]) for way in ways if way.parameter},
                check=check,
            ),
        ),
        may_acquire=has_way,
        needs=(KYC, AML, ask_if_held(QUALIFIED)),
        counting=counting,
        effective_from=effective_from,
    )
