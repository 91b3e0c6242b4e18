"""Mechanics of the register and the security's own terms.

Source: rules.yaml, actions, reason_codes.mechanics.
"""

import math
from collections.abc import Iterator

from service.rules.dates import add_days
from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.packs.lots import sum_free_quantity
from service.rules.rule import ACTIONS, RESALES, SALES, UNWILLED, AtLeast, AtMost, Deny, Finding, Rule

_WILLED = frozenset(ACTIONS) - UNWILLED
_FROM_A_SELLER = frozenset(ACTIONS) - {"primary", "distribution"}


def _check_venue(facts: Facts) -> Iterator[Finding]:
    if not facts.part("venue").flag("licensed"):
        yield Deny("VENUE_NOT_LICENSED", Remedy("none"))


def _check_halted(facts: Facts) -> Iterator[Finding]:
    if facts.part("offering").text("state") == "halted":
        yield Deny("HALTED", Remedy("none"))


def _check_closed(facts: Facts) -> Iterator[Finding]:
    if facts.part("offering").text("state") not in {"open", "halted"}:
        yield Deny("OFFERING_CLOSED", Remedy("none"))


def _check_state_age(facts: Facts) -> Iterator[Finding]:
    policy = facts.part("policy")
    if policy.is_null("max_state_age_hours"):
        return
    limit, age = policy.number("max_state_age_hours"), facts.part("state").number("age_hours")
    if not 0 <= age <= limit:
        yield Deny("STATE_STALE", Remedy("none"), {"state_age_hours": age, "limit": limit})


def _check_frozen(role: str, party: Facts, _facts: Facts) -> Iterator[Finding]:
    if party.flag("frozen"):
        yield Deny("SENDER_FROZEN" if role == "seller" else "RECIPIENT_FROZEN", Remedy("none"))


def _check_balance(facts: Facts) -> Iterator[Finding]:
    free = sum_free_quantity(facts)
    if facts.number("qty") > free:
        yield Deny("INSUFFICIENT_BALANCE", Remedy("none"), smaller_may_pass=True)
    yield AtMost(free)


def _check_lockup(facts: Facts) -> Iterator[Finding]:
    last_day = facts.part("offering").day_or_none("lockup_until")
    if last_day is None:
        return
    if facts.day("date") <= last_day:
        yield Deny("LOCKUP_CONTRACT", Remedy("wait_until", at=add_days(last_day, 1)), {"lockup_until": last_day})


def _check_jurisdiction(facts: Facts) -> Iterator[Finding]:
    if not _is_country_open(facts):
        yield Deny("JURISDICTION_BLOCKED", Remedy("none"), {"country": facts.part("buyer").text("country")})


def _is_country_open(facts: Facts) -> bool:
    """Tell whether the security's own lists let the buyer's country in; an empty list of allowed ones lets none in."""
    offering = facts.part("offering")
    blocked, allowed = offering.texts_or_none("countries_blocked"), offering.texts_or_none("countries_allowed")
    if blocked and facts.part("buyer").text("country") in blocked:
        return False
    return allowed is None or facts.part("buyer").text("country") in allowed


def _check_minimum(facts: Facts) -> Iterator[Finding]:
    minimum = facts.part("offering").number("min_quantity")
    if facts.number("qty") < minimum:
        yield Deny("MIN_DENOMINATION", Remedy("none"), {"limit": minimum, "requested": facts.number("qty")})
    yield AtLeast(math.ceil(minimum))


RULES = (
    Rule(
        id="mechanics.venue",
        citation="register: grants of the registrar",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("venue.licensed",),
        idle_if=("venue.licensed", True),
        check=_check_venue,
    ),
    Rule(
        id="mechanics.halted",
        citation="terms of the security: trading halt",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("offering.state",),
        actions=_WILLED,
        idle_if=("offering.state", "open"),
        check=_check_halted,
    ),
    Rule(
        id="mechanics.closed",
        citation="terms of the offering: closed",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("offering.state",),
        actions=frozenset({"primary"}),
        idle_if=("offering.state", "open"),
        check=_check_closed,
    ),
    Rule(
        id="mechanics.frozen",
        citation="policy: frozen investors neither send nor receive",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("*.frozen",),
        idle_if=("*.frozen", False),
        check_party=_check_frozen,
    ),
    Rule(
        id="mechanics.state_age",
        citation="policy: register compared with the official one at most policy.max_state_age_hours ago",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("policy.max_state_age_hours", "state.age_hours"),
        idle_if=("policy.max_state_age_hours", None),
        check=_check_state_age,
    ),
    Rule(
        id="mechanics.balance",
        citation="register: free lots of the seller",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("qty", "seller.lots"),
        actions=_FROM_A_SELLER,
        check=_check_balance,
    ),
    Rule(
        id="mechanics.lockup",
        citation="terms of the security: lock-up",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("date", "offering.lockup_until"),
        actions=RESALES,
        idle_if=("offering.lockup_until", None),
        check=_check_lockup,
    ),
    Rule(
        id="mechanics.jurisdiction",
        citation="terms of the security: countries",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("offering.countries_allowed", "offering.countries_blocked", "buyer.country"),
        actions=SALES,
        check=_check_jurisdiction,
    ),
    Rule(
        id="mechanics.minimum",
        citation="terms of the security: minimum quantity",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("qty", "offering.min_quantity"),
        actions=SALES,
        check=_check_minimum,
    ),
)
