"""The register's and the offering's own conditions: open, unlocked, allowed here, enough to sell."""

from decimal import Decimal

from tests.reference.facts import Facts, member
from tests.reference.verdict import PASS, Finding, deny, leave_open

TRADES = {"primary", "secondary", "liquidation", "gift"}


def check_offering_state(facts: Facts) -> Finding:
    """Ask that the security is not halted and, for a sale by the issuer, that the offering is open.

    Open question: whether a halt stops life events, redemptions and pledges, and whether a security whose offering is
    closed can be traded (the book asks for an open offering in primary sales only).
    """
    state = facts.get("offering.state")
    if state == "halted":
        if facts.action not in TRADES:
            leave_open("a halted security in something other than a trade")
        return deny("HALTED")
    if state == "closed" and facts.action == "primary":
        return deny("OFFERING_CLOSED")
    if state == "closed":
        leave_open("a closed offering in something other than a primary sale")
    return PASS


def check_frozen(facts: Facts, party: str, code: str) -> Finding:
    """Stop trades of a frozen party. Open question: whatever is no trade."""
    if not facts.optional(f"{party}.frozen"):
        return PASS
    if facts.action not in TRADES:
        leave_open("a frozen party to something other than a trade")
    return deny(code)


def check_venue(facts: Facts) -> Finding:
    return deny("VENUE_NOT_LICENSED") if facts.optional("venue.licensed") is False else PASS


def check_lockup(facts: Facts) -> Finding:
    """Ask that the contractual lock-up is over.

    Open question: the last day itself ("until"), and everything but sales on to others.
    """
    if not facts.has("offering.lockup_until"):
        return PASS
    if facts.action == "primary" or facts.today > facts.day("offering.lockup_until"):
        return PASS
    if facts.action not in TRADES or facts.today == facts.day("offering.lockup_until"):
        leave_open("how far a lock-up reaches")
    return deny("LOCKUP_CONTRACT")


def check_jurisdiction(facts: Facts) -> Finding:
    """Ask that the buyer's country is allowed.

    Open question: whether that stops a pledge, an inheritance or a court's order.
    """
    allowed, blocked = facts.optional("offering.countries_allowed"), facts.optional("offering.countries_blocked")
    if allowed is None and not blocked:
        return PASS
    if facts.action not in TRADES:
        leave_open("a country's exclusion in something other than a trade")
    country = facts.get("buyer.country")
    outside = allowed is not None and country not in allowed
    return deny("JURISDICTION_BLOCKED") if outside or country in (blocked or []) else PASS


def check_minimum_quantity(facts: Facts) -> Finding:
    """Ask for the minimum investment in a primary sale.

    Open question: whether it binds later trades.
    """
    if facts.number("qty") >= facts.number("offering.min_quantity"):
        return PASS
    if facts.action != "primary":
        leave_open("a minimum quantity outside primary sales")
    return deny("MIN_DENOMINATION")


def check_balance(facts: Facts) -> Finding:
    """Ask that the seller's lots hold what is to move.

    Open question: lots that carry a lien.
    """
    lots = facts.get("seller.lots")
    if any(lot.get("lien") for lot in lots):
        leave_open("what a lien leaves free")
    held = sum((Decimal(str(member(lot, "qty"))) for lot in lots), Decimal(0))
    return deny("INSUFFICIENT_BALANCE") if held < facts.number("qty") else PASS


def check_document(facts: Facts) -> Finding:
    """Ask for the document behind a forced transfer or an inheritance, with its hash.

    Open question: which document suits which action, and whether a recovery needs one.
    """
    document = facts.optional("doc") or {}
    if document.get("type") is None or document.get("sha256") is None:
        if facts.action == "recovery":
            leave_open("a recovery without a document")
        return deny("FORCED_DOC_MISSING")
    usual = {"forced": "court_order", "inheritance": "probate", "recovery": "recovery_affidavit"}[facts.action]
    if document["type"] != usual:
        leave_open("another kind of document")
    return PASS


def check_dual_control(facts: Facts) -> Finding:
    return PASS if facts.number("approvals") >= 2 else deny("FORCED_DUAL_CONTROL")


def check_same_subject(facts: Facts) -> Finding:
    same = facts.get("seller.id") == facts.get("buyer.id")
    return PASS if same else deny("RECOVERY_SUBJECT_MISMATCH")


def check_pledge(facts: Facts) -> Finding:
    """Ask for a control agreement and a lawful way to liquidate, proven up front."""
    if not facts.has("trade.liquidation_route"):
        return deny("PLEDGE_NO_LIQUIDATION_ROUTE")
    if not facts.flag("trade.control_agreement"):
        leave_open("no reason code is named for a pledge without a control agreement")
    return PASS
