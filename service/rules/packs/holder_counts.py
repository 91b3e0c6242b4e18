"""How one transfer changes the counts of a security's holders."""

from service.rules.facts import Facts

LOOK_THROUGH_PCT = 10
"""Per cent of the voting securities from which a fund counts as its own owners. Source: 15 U.S.C. 80a-3(c)(1)(A)."""


def count_arriving(facts: Facts) -> int:
    """Return 1 if the buyer is no holder yet."""
    return 0 if facts.part("buyer").flag("existing_holder") else 1


def count_leaving(facts: Facts) -> int:
    """Return 1 if the seller is no holder afterwards."""
    return int(facts.has("seller") and facts.part("seller").flag("exits"))


def is_known_nonaccredited(seller: Facts) -> bool:
    """Tell whether a seller is known to be one of the non-accredited holders, and so frees a place by leaving."""
    return seller.has("accredited") and not seller.flag("accredited")


def count_added_owners(buyer: Facts) -> int:
    """Return how many beneficial owners the buyer counts as, over the one that it counts as already if it holds."""
    counted = int(buyer.flag("existing_holder"))
    if buyer.flag("is_fund") and buyer.number("pct_voting_after") >= LOOK_THROUGH_PCT:
        return int(buyer.number("own_owners")) - counted
    return 1 - counted
