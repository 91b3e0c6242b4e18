"""Singapore: to whom securities may be offered without a prospectus under SFA ss274 and 275.

Source: SFA ss4A, 274, 275; SF (Classes of Investors) Regulations 2018.
"""

from datetime import date

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.law import Row, Schedule
from service.rules.packs.consideration import read_consideration

IN_FORCE_FROM = date(2005, 10, 15)
LARGE_AMOUNT = 200_000
"""S$ for each transaction, s275(1A)."""
OPT_IN_NEEDED = Schedule(
    Row(False, effective_to=date(2019, 4, 7)),
    Row(True, effective_from=date(2019, 4, 8), citation="SF (Classes of Investors) Regulations 2018, reg 3"),
)
"""Whether an accredited investor counts as one only with its consent, given to the institution that asks."""
WITHOUT_OPT_IN = frozenset({"institutional", "relevant_person"})
INPUTS = "date qty price buyer.sg_class buyer.sg_opt_in buyer.principal"


def is_eligible(facts: Facts) -> bool:
    """Tell whether the buyer is institutional or a relevant person, or buys enough as principal."""
    return any_holds(lambda: is_eligible_class(facts), lambda: is_large_principal(facts))


def is_eligible_class(facts: Facts) -> bool:
    """Tell whether the buyer is institutional or a relevant person; an accredited one has to have opted in."""
    buyer = facts.part("buyer")
    if buyer.text("sg_class") == "accredited":
        return not facts.in_force(OPT_IN_NEEDED) or buyer.flag("sg_opt_in")
    return buyer.text("sg_class") in WITHOUT_OPT_IN


def is_large_principal(facts: Facts) -> bool:
    """Tell whether s275(1A) covers this transaction."""
    return all_hold(
        lambda: read_consideration(facts) >= LARGE_AMOUNT,
        lambda: facts.part("buyer").flag("principal"),
    )
