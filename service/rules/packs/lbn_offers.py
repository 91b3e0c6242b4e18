"""Labuan: offers that need no approval (LFSSA 2010 s8(5)): few persons, or debentures in large first investments.

Both bind the offer to the initial holders; what these sell on is not part of it.
"""

from collections.abc import Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts, Number, any_holds, is_known
from service.rules.needs import AML, KYC
from service.rules.packs.consideration import count_units_reaching, read_consideration
from service.rules.rule import AtLeast, Deny, Finding, Note, Regime, Rule, TransferCheck

IN_FORCE_FROM = date(2010, 2, 11)
PERSONS = 50
FIRST_INVESTMENT = 250_000
"""RM, or the equivalent."""


def _count_after(facts: Facts) -> Number:
    return facts.part("state").number("offerees") + 1


def _note_after(facts: Facts) -> Iterator[Finding]:
    if facts.has("state") and facts.part("state").has("offerees"):
        yield Note("after", _count_after(facts))


def _check_persons(facts: Facts) -> Iterator[Finding]:
    yield from _note_after(facts)
    if _count_after(facts) > PERSONS:
        yield Deny("LBN_250K_OR_50", Remedy("none"), {"limit": PERSONS})


def _check_debenture(facts: Facts) -> Iterator[Finding]:
    yield from _note_after(facts)
    if not any_holds(lambda: read_consideration(facts) >= FIRST_INVESTMENT, lambda: _is_outside_minimum(facts)):
        evidence = {"requested": read_consideration(facts), "threshold": FIRST_INVESTMENT, "limit": PERSONS}
        yield Deny("LBN_250K_OR_50", Remedy("none"), evidence)
    elif not is_known(lambda: _is_outside_minimum(facts)):
        yield AtLeast(count_units_reaching(FIRST_INVESTMENT, facts.number("price")))


def _is_outside_minimum(facts: Facts) -> bool:
    """Tell whether the buyer may invest any amount: among the first 50 persons, or not for the first time."""
    return any_holds(
        lambda: _count_after(facts) <= PERSONS,
        lambda: not facts.part("buyer").flag("first_time"),
    )


def _regime(name: str, title: str, paragraph: str, inputs: str, check: TransferCheck, **parameters: str) -> Regime:
    rule = Rule(
        id=f"lbn.{name}.offer",
        citation=f"LFSSA 2010 s8(5){paragraph}",
        source="primary",
        confidence="M",
        basis="law",
        inputs=tuple(inputs.split()),
        actions=frozenset({"primary"}),
        effective_from=IN_FORCE_FROM,
        parameters={"persons": str(PERSONS), **parameters},
        check=check,
    )
    return Regime(
        id=f"lbn.{name}",
        title=f"Labuan, {title}",
        citation=f"LFSSA 2010 s8(5){paragraph}",
        source="primary",
        confidence="M",
        needs=(KYC, AML),
        effective_from=IN_FORCE_FROM,
        rules=(rule,),
        may_acquire=lambda _facts: True,
    )


_DEBENTURE_INPUTS = "qty price buyer.first_time state.offerees"
REGIMES = (
    _regime(
        "debenture_250k",
        "debentures from RM250,000 or to 50 persons",
        "(b)",
        _DEBENTURE_INPUTS,
        _check_debenture,
        first_investment=str(FIRST_INVESTMENT),
    ),
    _regime("private_50", "offer to at most 50 persons", "(a)", "state.offerees", _check_persons),
)
