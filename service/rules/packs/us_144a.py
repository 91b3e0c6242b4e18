"""Rule 144A as a route: resale to a qualified institutional buyer.

Source: 17 CFR 230.144A(d); in force since 1990-04-30.
"""

from datetime import date

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.us_resale import Attempt, attempt_route

IN_FORCE_FROM = date(1990, 4, 30)


def try_144a(facts: Facts) -> Attempt:
    """Try Rule 144A."""
    return attempt_route("144A", facts, _meets)


def _meets(facts: Facts, _attempt: Attempt) -> bool:
    offering = facts.part("offering")
    return all_hold(
        lambda: facts.day("date") >= IN_FORCE_FROM,
        lambda: facts.part("buyer").flag("qib"),  # (d)(1)
        lambda: any_holds(  # (d)(4)
            lambda: facts.part("trade").flag("info_rights_144a"), lambda: offering.flag("reporting")
        ),
        lambda: not offering.flag("fungible_with_listed"),  # (d)(3)(i)
    )
