"""How many may hold: Investment Company Act 3(c)(1) and 3(c)(7), Exchange Act 12(g)."""

from decimal import Decimal

from tests.reference.facts import Facts
from tests.reference.verdict import PASS, Finding, MissingFactError, deny, leave_open

OWNERS_AT_MOST = {"3c1": 100, "3c1_qvcf": 250}
HOLDERS_AT_MOST = 1_999
NON_ACCREDITED_AT_MOST = 499
INVOLUNTARY = {"inheritance", "forced"}
GIVEN_OR_INVOLUNTARY = INVOLUNTARY | {"gift"}  # the taker counts as the one they have it from


def check_fund_owners(facts: Facts) -> Finding:
    """Count beneficial owners after the trade. Source: 15 U.S.C. 80a-3(c)(1); 17 CFR 270.3c-6.

    Open question: a fund over its line without this buyer, an owner whom look-through reaches only now, a buyer who is
    no US person (of an offshore fund only US owners count).
    """
    kind = facts.optional("offering.ica")
    if kind not in OWNERS_AT_MOST:
        return PASS
    added = 0 if facts.action in GIVEN_OR_INVOLUNTARY else _added_owners(facts) - _freed(facts)
    if not facts.has("state.beneficial_owners") and added <= 0:
        leave_open("an unknown count to which nobody is added")
    if facts.number("state.beneficial_owners") + added <= OWNERS_AT_MOST[str(kind)]:
        return PASS
    if added <= 0 or facts.optional("buyer.us_person") is False:
        leave_open("a line already crossed, or an owner who may not count")
    return deny("US_3C1_LIMIT")


def _added_owners(facts: Facts) -> int:
    existing = facts.flag("buyer.existing_holder")
    if not facts.flag("buyer.is_fund"):
        return 0 if existing else 1
    looked_through = facts.number("buyer.pct_voting_after") >= Decimal(10)
    if existing and looked_through:
        leave_open("a holder whom look-through may have reached before")
    if looked_through:
        return int(facts.get("buyer.own_owners"))
    return 0 if existing else 1


def _freed(facts: Facts) -> int:
    return 1 if facts.action != "primary" and facts.optional("seller.exits") else 0


def check_qualified_purchaser(facts: Facts) -> Finding:
    """Ask that every holder is a qualified purchaser. Source: 15 U.S.C. 80a-3(c)(7); 17 CFR 270.3c-6."""
    if facts.optional("offering.ica") != "3c7" or facts.action in GIVEN_OR_INVOLUNTARY or facts.flag("buyer.qp"):
        return PASS
    if facts.optional("buyer.us_person") is False:
        leave_open("an offshore fund's foreign holder")
    return deny("US_3C7_NOT_QP")


def check_holders_of_record(facts: Facts) -> Finding:
    """Keep a class below the lines of registration, as issuer policy. Source: 15 U.S.C. 78l(g)(1)(A).

    Open question: transfers that nobody chose, and counts over the line without this buyer.
    """
    return _check_12g(facts, "state.holders_of_record", HOLDERS_AT_MOST, "US_12G_2000", _added_holders)


def check_non_accredited_holders(facts: Facts) -> Finding:
    """Keep the non-accredited holders below their own line. Source: 15 U.S.C. 78l(g)(1)(A)(ii)."""
    path = "state.nonaccredited_holders"
    return _check_12g(facts, path, NON_ACCREDITED_AT_MOST, "US_12G_500_NONACC", _added_non_accredited)


def _check_12g(facts: Facts, path: str, most: int, code: str, count_added: object) -> Finding:
    assert callable(count_added)
    if not facts.flag("offering.exchange_act_12g") or facts.optional("offering.conditional_12g_exempt") is True:
        return PASS
    if facts.has("offering.total_assets") and facts.number("offering.total_assets") <= 10_000_000:
        return PASS
    least, highest = count_added(facts)
    count = facts.optional(path)
    if count is None and highest <= 0:
        leave_open("an unknown count to which nobody is added")
    if count is not None and Decimal(str(count)) + highest <= most:
        return PASS
    if least <= 0 < highest and (count is None or Decimal(str(count)) + least <= most):
        raise MissingFactError("whether accredited")
    if highest <= 0 or facts.action in INVOLUNTARY:
        leave_open("a line already crossed, or a transfer that nobody chose")
    for needed in ("offering.total_assets", "offering.conditional_12g_exempt", path):
        facts.get(needed)
    return deny(code)


def _added_holders(facts: Facts) -> tuple[int, int]:
    added = (0 if facts.flag("buyer.existing_holder") else 1) - _freed(facts)
    return added, added


def _added_non_accredited(facts: Facts) -> tuple[int, int]:
    """Return how many are added at the least and at the most, where it is not said who is accredited."""
    accredited = facts.optional("buyer.accredited")
    new = not facts.flag("buyer.existing_holder")
    most = 1 if new and accredited is not True else 0
    least = 1 if new and accredited is False else 0
    if _freed(facts):
        most -= 1 if facts.optional("seller.accredited") is False else 0
        least -= 1 if facts.optional("seller.accredited") is not True else 0
    return least, most
