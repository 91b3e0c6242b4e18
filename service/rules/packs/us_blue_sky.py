"""State securities law, where federal law does not pre-empt it: the sale must be cleared in the buyer's state.

Source: Securities Act section 18(b)(1), (b)(4)(A), (b)(4)(G); rules.yaml regimes us.reg_a_t1, us.reg_a_t2.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts, MissingFactError, any_holds
from service.rules.packs.us_4a7 import try_4a7
from service.rules.packs.us_resale import is_gift_for_nothing, yield_group
from service.rules.rule import RESALES, Deny, Finding, Rule

_INPUTS = ("buyer.country", "buyer.state", "offering.blue_sky_ok_states", "offering.exchange_listed")


def _is_abroad(facts: Facts) -> bool:
    buyer = facts.part("buyer")
    return buyer.has("country") and buyer.text("country") != "US"


def _is_cleared(facts: Facts) -> bool:
    return facts.part("buyer").text("state") in facts.part("offering").texts("blue_sky_ok_states")


def is_said(offering: Facts, name: str) -> bool:
    """Tell whether a fact that pre-empts state law is known; unknown, the state must clear the sale."""
    return offering.has(name) and offering.flag(name)


def _refuse(facts: Facts) -> Deny:
    return Deny("US_BLUE_SKY", Remedy("none"), {"state": facts.part("buyer").text("state")})


def _check_sale(facts: Facts) -> Iterator[Finding]:
    offering = facts.part("offering")
    if _is_abroad(facts) or any_holds(lambda: _is_cleared(facts), lambda: is_said(offering, "exchange_listed")):
        return
    yield _refuse(facts)


def _check_resale(facts: Facts) -> Iterator[Finding]:
    if is_gift_for_nothing(facts) or _is_abroad(facts):
        return
    private = try_4a7(facts)
    try:
        if _is_free_by_itself(facts):
            return
    except MissingFactError:
        if not private.is_open:
            raise
    if private.is_open:
        yield from yield_group([private])
    else:
        yield _refuse(facts)


def _is_free_by_itself(facts: Facts) -> bool:
    offering = facts.part("offering")
    return any_holds(
        lambda: _is_cleared(facts),
        lambda: is_said(offering, "exchange_listed"),  # 18(b)(1)
        lambda: is_said(offering, "reporting"),  # 18(b)(4)(A)
    )


SALE_CLEARED = Rule(
    id="us.blue_sky.sale",
    citation="Securities Act s18(b); law of the buyer's state",
    source="secondary",
    confidence="H",
    basis="law",
    inputs=_INPUTS,
    actions=frozenset({"primary"}),
    check=_check_sale,
)
RESALE_CLEARED = Rule(
    id="us.blue_sky.resale",
    citation="Securities Act s18(b)(1), (b)(4)(A), (b)(4)(G); law of the buyer's state",
    source="secondary",
    confidence="M",
    basis="law",
    inputs=(
        *("action", "price", *_INPUTS, "offering.reporting", "buyer.accredited", "offering.class_outstanding_since"),
        *("date", "offering.shell", "offering.bad_actor", "trade.info_package", "trade.general_solicitation"),
    ),
    actions=RESALES,
    check=_check_resale,
)
