"""Section 4(a)(7) as a route: private resale to an accredited investor.

Source: Securities Act section 4(a)(7), 4(d); in force since 2015-12-04.
"""

from datetime import date

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.us_resale import Attempt, attempt_route

IN_FORCE_FROM = date(2015, 12, 4)
CLASS_DAYS = 90


def try_4a7(facts: Facts) -> Attempt:
    """Try section 4(a)(7)."""
    return attempt_route("4a7", facts, _meets)


def _meets(facts: Facts, attempt: Attempt) -> bool:
    offering = facts.part("offering")
    if offering.has("class_outstanding_since"):
        attempt.notes["class_days"] = _count_class_days(facts)
    return all_hold(
        lambda: facts.day("date") >= IN_FORCE_FROM,
        lambda: facts.part("buyer").flag("accredited"),  # (d)(1)
        lambda: not offering.flag("shell"),  # (d)(6)
        lambda: not offering.flag("bad_actor"),  # (d)(7)
        lambda: _count_class_days(facts) >= CLASS_DAYS,  # (d)(9)
        lambda: any_holds(  # (d)(3)
            lambda: facts.part("trade").flag("info_package"), lambda: offering.flag("reporting")
        ),
        lambda: not facts.part("trade").flag("general_solicitation"),  # (d)(2)
    )


def _count_class_days(facts: Facts) -> int:
    return (facts.day("date") - facts.part("offering").day("class_outstanding_since")).days
