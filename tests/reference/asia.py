"""Hong Kong, Singapore, Malaysia and Labuan."""

from decimal import Decimal

from tests.reference.dates import add_months
from tests.reference.facts import Facts, as_day, member
from tests.reference.us_resale import has_enough
from tests.reference.verdict import PASS, Finding, MissingFactError, any_route, deny, leave_open

HK_LARGE = Decimal(500_000)
HK_SMALL_OFFER = Decimal(5_000_000)
SG_LARGE = Decimal(200_000)
SG_PERSONAL_OFFERS = Decimal(5_000_000)
LBN_FIRST = Decimal(250_000)


def check_hk_professional(facts: Facts) -> Finding:
    return PASS if facts.flag("buyer.hk_pi") else deny("HK_NOT_PI")


def check_hk_evidence(facts: Facts) -> Finding:
    """Ask for evidence of the last 12 months. Source: Cap. 571D.

    Open question: institutions, whose standing is a register's, and corporations' older statements.
    """
    if facts.optional("buyer.hk_pi") is False:
        return PASS
    if facts.has("buyer.hk_pi_evidence_on"):
        issued = facts.day("buyer.hk_pi_evidence_on")
        if issued > facts.today:
            leave_open("evidence dated after the trade")
        if facts.today <= add_months(issued, 12):
            return PASS
    if facts.optional("buyer.hk_pi_class") != "individual":
        leave_open("evidence of another class than an individual's")
    facts.get("buyer.hk_pi_evidence_on")
    return deny("HK_PI_EVIDENCE_STALE")


def check_hk_suitability(facts: Facts) -> Finding:
    """Ask for a suitability record of individuals. Source: SFC Code of Conduct 5.2, 15.2, 15.4.

    Open question: corporations, and trades that no intermediary solicited.
    """
    if facts.optional("buyer.hk_pi") is False or facts.optional("buyer.suitability_done") is True:
        return PASS
    if facts.get("buyer.hk_pi_class") == "institutional":
        return PASS
    if facts.get("buyer.hk_pi_class") != "individual" or facts.action != "primary":
        leave_open("suitability of a corporation's or a secondary purchase")
    return PASS if facts.flag("buyer.suitability_done") else deny("HK_SUITABILITY_MISSING")


def check_hk_minimum(facts: Facts) -> Finding:
    """Take HK$500,000 at least. Source: Cap. 32 Sch 17."""
    _leave_professionals_open(facts)
    return PASS if facts.amount >= HK_LARGE else Finding("deny")


def check_hk_small_offer(facts: Facts) -> Finding:
    """Stay within HK$5m. Source: Cap. 32 Sch 17."""
    _leave_professionals_open(facts)
    over = facts.number("state.consideration_12m") + facts.amount > HK_SMALL_OFFER
    return Finding("deny") if over else PASS


def check_hk_persons(facts: Facts) -> Finding:
    """Offer to 50 persons at most. Source: Cap. 32 Sch 17.

    Open question: a buyer who is counted already, and which of two counts it is.
    """
    _leave_professionals_open(facts)
    if facts.optional("state.offerees") != facts.optional("state.offerees_12m"):
        leave_open("which of two counts it is")
    if facts.number("state.offerees") + 1 <= 50:
        return PASS
    if facts.flag("buyer.existing_holder"):
        leave_open("whether this offeree is one more")
    return Finding("deny")


def _leave_professionals_open(facts: Facts) -> None:
    """Open question: professional investors, who need no such rule; suitability for the others."""
    if facts.optional("buyer.suitability_done") is not True:
        leave_open("suitability where the public may be offered to")
    if facts.optional("buyer.hk_pi") is not False:
        leave_open("a professional investor in an offer that is open to others")


def _is_sg_accredited(facts: Facts) -> bool:
    return str(facts.get("buyer.sg_class")) == "accredited" and facts.flag("buyer.sg_opt_in")


def _is_sg_large(facts: Facts) -> bool:
    """Source: SFA s275(1A)."""
    return facts.amount >= SG_LARGE and facts.flag("buyer.principal")


def _is_sg_institution(facts: Facts) -> bool:
    """Open question: whether the class or the flag says that a buyer is an institution."""
    by_class = str(facts.optional("buyer.sg_class")) == "institutional"
    if by_class != facts.flag("buyer.institutional"):
        leave_open("how an institution is recorded")
    return by_class


def check_sg_institutional_sale(facts: Facts) -> Finding:
    """Sell to institutions only. Source: SFA s274. Open question: relevant persons, whom s275 covers."""
    _leave_relevant_persons_open(facts)
    if facts.optional("buyer.sg_class") is None and not facts.flag("buyer.institutional"):
        raise MissingFactError("buyer.sg_class")
    return PASS if _is_sg_institution(facts) else Finding("deny")


def _leave_relevant_persons_open(facts: Facts) -> None:
    routes = (lambda: _is_sg_accredited(facts), lambda: _is_sg_large(facts))
    if facts.optional("buyer.sg_class") == "institutional":
        return
    try:
        relevant = any_route(*routes)
    except MissingFactError:
        relevant = False
    if relevant:
        leave_open("a relevant person in an offer under another section")


def check_sg_relevant_sale(facts: Facts) -> Finding:
    """Sell to relevant persons, or for S$200,000 to a principal. Source: SFA s275.

    Open question: an institution, whom s274 already covers.
    """
    if facts.optional("buyer.sg_class") == "institutional" or facts.flag("buyer.institutional"):
        leave_open("an institution in an offer under s275")
    if any_route(lambda: _is_sg_accredited(facts), lambda: _is_sg_large(facts)):
        return PASS
    return deny("SG_AI_NOT_OPTED_IN") if facts.get("buyer.sg_class") == "accredited" else Finding("deny")


def check_sg_personal_offer(facts: Facts) -> Finding:
    """Keep personal offers within S$5m over 12 months. Source: SFA s272A.

    Open question: those to whom ss274 and 275 allow any offer.
    """
    if facts.optional("buyer.sg_class") == "institutional" or facts.flag("buyer.institutional"):
        leave_open("an institution in a personal offer")
    _leave_relevant_persons_open(facts)
    over = facts.number("state.consideration_12m") + facts.amount > SG_PERSONAL_OFFERS
    return Finding("deny") if over else PASS


def check_sg_offerees(facts: Facts) -> Finding:
    """Offer to 50 persons at most in 12 months. Source: SFA s272B.

    Open question: a buyer who may be counted already, or need not be.
    """
    if facts.number("state.offerees_12m") + 1 <= 50:
        return PASS
    if facts.flag("buyer.existing_holder") or facts.optional("buyer.sg_class") != "retail":
        leave_open("whether this offeree is one more")
    return deny("SG_50_OFFEREES")


def check_sg_resale(facts: Facts) -> Finding:
    """Within six months sell only to those to whom the offer could be made. Source: SFA s276, s272A.

    A gift is outside. Open question: the day the six months end, and lots with an earlier holder.
    """
    if facts.action == "gift":
        return PASS
    routes = (lambda: _is_sg_accredited(facts), lambda: _is_sg_large(facts), lambda: _is_sg_institution(facts))
    if any_route(lambda: _six_months_have_run(facts), *routes):
        return PASS
    return deny("SG_276_6M") if facts.optional("buyer.sg_class") == "retail" else Finding("deny")


def _six_months_have_run(facts: Facts) -> bool:
    free, doubtful = Decimal(0), Decimal(0)
    for lot in facts.get("seller.lots"):
        if lot.get("from_") != "issuer":
            leave_open("a lot with an earlier holder")
        quantity = Decimal(str(member(lot, "qty")))
        if lot.get("acquired_on") is None:
            doubtful += quantity
        elif facts.today == (end := add_months(as_day(lot["acquired_on"]), 6)):
            leave_open("the day the six months end")
        elif facts.today > end:
            free += quantity
    return has_enough(facts, free, doubtful, MissingFactError("seller.lots[].acquired_on"))


def check_my_sophisticated(facts: Facts) -> Finding:
    """Sell to sophisticated investors only. Open question: how the classes are spelled, but for `retail`."""
    kind = facts.get("buyer.my_class")
    if kind not in {"retail", "sophisticated"}:
        leave_open("a class that the book does not spell out")
    return PASS if kind == "sophisticated" else deny("MY_NOT_SOPHISTICATED")


def check_lbn_debenture(facts: Facts) -> Finding:
    """Take RM250,000 on a first investment. Source: LFSSA 2010 s8(5)(b).

    Open question: the other half of the paragraph, 50 persons, and an investor's later purchases.
    """
    large = any_route(lambda: facts.amount >= LBN_FIRST, lambda: _lbn_open(facts))
    return PASS if large else deny("LBN_250K_OR_50")


def _lbn_open(facts: Facts) -> bool:
    if facts.optional("buyer.first_time") is not True:
        leave_open("later purchases of a debenture")
    if facts.number("state.offerees") + 1 <= 50:
        leave_open("a debenture offered to 50 persons at most")
    return False


def check_lbn_persons(facts: Facts) -> Finding:
    """Offer to 50 persons at most. Source: LFSSA 2010 s8(5)(a). Open question: a buyer who is counted already."""
    if facts.number("state.offerees") + 1 <= 50:
        return PASS
    if facts.flag("buyer.existing_holder"):
        leave_open("whether this offeree is one more")
    return deny("LBN_250K_OR_50")
