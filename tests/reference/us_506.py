"""Sales by the issuer under Regulation D: 17 CFR 230.506(b) and (c)."""

from datetime import date
from decimal import Decimal

from tests.reference.dates import add_days, add_months
from tests.reference.facts import Facts, as_day, member
from tests.reference.verdict import PASS, Finding, MissingFactError, any_route, deny, leave_open

SAFE_HARBOUR_ATTESTERS = {"broker_dealer", "ria_sec", "attorney", "cpa"}
OTHER_ATTESTERS = {"ria_state", "kyc_provider", "exchange"}
STAFF_LETTER = date(2025, 3, 12)
AMENDMENTS_OF_2020 = date(2021, 3, 15)  # in force: the 90-day window, and reliance on earlier verification
MINIMUM_NATURAL = Decimal(200_000)
MINIMUM_ENTITY = Decimal(1_000_000)
V = "buyer.verification"


def check_bad_actor(facts: Facts) -> Finding:
    """Refuse a sale by the issuer while a disqualifying event stands.

    Open question: regimes other than Rule 506, whose own disqualifications the book does not list.
    """
    if not facts.flag("offering.bad_actor"):
        return PASS
    if facts.regime not in {"us.506b", "us.506c"}:
        leave_open("a disqualifying event outside Rule 506")
    return deny("US_506D_BAD_ACTOR")


def check_506b_solicitation(facts: Facts) -> Finding:
    return deny("US_506B_GENERAL_SOLICITATION") if facts.flag("offering.general_solicitation") else PASS


def check_506b_sophistication(facts: Facts) -> Finding:
    """Ask knowledge and experience of a purchaser who is not accredited. Source: 230.506(b)(2)(ii)."""
    if facts.optional("buyer.accredited") is True or facts.optional("buyer.sophisticated") is True:
        return PASS
    if facts.flag("buyer.accredited") or facts.flag("buyer.sophisticated"):
        return PASS
    return deny("US_506B_NOT_SOPHISTICATED")


def check_506b_count(facts: Facts) -> Finding:
    """Count non-accredited purchasers over 90 days, this one included. Source: 230.506(b)(2)(i), 501(e).

    Open question: a count that is over the line without this purchaser, a purchaser who may be among those counted,
    and the law before the 90-day window.
    """
    if facts.optional("buyer.accredited") is True:
        return PASS
    if facts.today < AMENDMENTS_OF_2020:
        leave_open("the count before the 90-day window")
    if facts.optional("buyer.excluded_501e") is True:
        return _leave_open_if_already_over(facts)
    sales = facts.optional("state.nonaccredited_sales")
    if sales is not None and _count_in_window(facts) + 1 <= 35:
        return PASS
    if facts.flag("buyer.accredited"):
        return PASS
    if facts.flag("buyer.existing_holder"):
        leave_open("whether this purchaser is a further one")
    facts.get("state.nonaccredited_sales")
    return deny("US_506B_35_LIMIT")


def _leave_open_if_already_over(facts: Facts) -> Finding:
    if not facts.has("state.nonaccredited_sales") or not any_route(lambda: _count_in_window(facts) <= 35):
        leave_open("an offering that is, or may be, already over the line")
    return PASS


def _count_in_window(facts: Facts) -> int:
    first = add_days(facts.today, -89)
    sales = facts.get("state.nonaccredited_sales")
    return sum(int(sale.get("count", 1)) for sale in sales if first <= as_day(member(sale, "date")) <= facts.today)


def check_506c_accredited(facts: Facts) -> Finding:
    return PASS if facts.flag("buyer.accredited") else deny("US_NOT_ACCREDITED")


def check_506c_verification(facts: Facts) -> Finding:
    """Ask for one of the ways to have verified. Never read of a purchaser who is not accredited.

    Open question: contrary knowledge that nobody spoke of under the issuer's own reviews.
    """
    if facts.optional("buyer.accredited") is False:
        return PASS
    method = facts.get(f"{V}.method")
    if facts.optional(f"{V}.contrary_knowledge") is True:
        return deny("US_506C_CONTRARY_KNOWLEDGE")
    return METHODS[method](facts)


def _third_party(facts: Facts) -> Finding:
    """Judge another professional's confirmation. Source: 230.506(c)(2)(ii)(C).

    Open question: how fresh steps outside the safe harbour must be, where the issuer's policy accepts them; and
    attesters of whom the book does not say that they may be accepted.
    """
    attester = facts.get(f"{V}.attester")
    inside = attester in SAFE_HARBOUR_ATTESTERS
    if not inside and facts.flag("policy.safe_harbour_only"):
        return deny("US_506C_ATTESTER_NOT_QUALIFIED")
    if not inside and attester not in OTHER_ATTESTERS:
        leave_open("another attester outside the safe harbour")
    steps = facts.day(f"{V}.steps_completed_on")
    if steps > facts.today:
        leave_open("steps dated after the sale")
    if facts.today <= _last_valid(facts, steps):
        return PASS
    if not inside:
        leave_open("stale steps outside the safe harbour")
    return deny("US_506C_VERIFICATION_STALE")


def _last_valid(facts: Facts, start: date) -> date:
    three_months = add_months(start, 3)
    if facts.get("policy.freshness") == "rule_text_months":
        return three_months
    return min(three_months, add_days(start, 90))


def _income_review(facts: Facts) -> Finding:
    """Judge the issuer's review of tax forms. Source: 230.506(c)(2)(ii)(A).

    Open question: more years than the two asked for; prior years where policy looks beyond the safe harbour.
    """
    _require_issuer_review(facts)
    years = {int(year) for year in facts.get(f"{V}.tax_years")}
    wanted = {facts.today.year - 1, facts.today.year - 2}
    if years > wanted or (years != wanted and not facts.flag("policy.safe_harbour_only")):
        leave_open("tax years other than the two most recent")
    if years != wanted:
        return Finding("deny")
    return PASS if facts.flag(f"{V}.current_year_representation") else Finding("deny")


def _net_worth_review(facts: Facts) -> Finding:
    """Judge the issuer's review of assets and liabilities. Source: 230.506(c)(2)(ii)(B).

    Open question: whether the 90-day policy, made for third parties, also shortens the three months here.
    """
    _require_issuer_review(facts)
    if not facts.flag(f"{V}.consumer_report"):
        return deny("US_506C_EVIDENCE_INCOMPLETE")
    if not facts.flag(f"{V}.liabilities_representation"):
        return Finding("deny")
    oldest = facts.day(f"{V}.oldest_document_on")
    if oldest > facts.today:
        leave_open("documents dated after the sale")
    if facts.today > add_months(oldest, 3):
        return deny("US_506C_VERIFICATION_STALE")
    if facts.today > _last_valid(facts, oldest):
        leave_open("the 90-day policy for the issuer's own review")
    return PASS


def _require_issuer_review(facts: Facts) -> None:
    if facts.get(f"{V}.reviewed_by") != "issuer":
        leave_open("a review by somebody other than the issuer")


def _prior_verified(facts: Facts) -> Finding:
    """Judge reliance on the same issuer's earlier verification. Source: 230.506(c)(2)(ii)(E).

    Open question: the fifth anniversary itself.
    """
    if facts.today < AMENDMENTS_OF_2020:
        return Finding("deny")
    if facts.get(f"{V}.verified_by_issuer") != facts.get("offering.issuer"):
        return deny("US_506C_ISSUER_SCOPE")
    verified = facts.day(f"{V}.verified_on")
    if verified > facts.today or facts.today == add_months(verified, 60):
        leave_open("a verification after the sale, or five years ago to the day")
    if facts.today > add_months(verified, 60):
        return deny("US_506C_VERIFICATION_STALE")
    if facts.day(f"{V}.representation_on") != facts.today:
        return deny("US_506C_REP_MISSING")
    facts.get(f"{V}.contrary_knowledge")
    return PASS


def _min_investment(facts: Facts) -> Finding:
    """Judge a high minimum investment with representations. Source: SEC staff letter of 12 March 2025.

    Open question: whether the owners must be counted where the amount is enough for any number of them.
    """
    if facts.today < STAFF_LETTER:
        leave_open("sales before the staff's letter")
    if not facts.flag(f"{V}.represented_accredited"):
        return Finding("deny")
    if facts.flag(f"{V}.third_party_financed"):
        return deny("US_506C_THIRD_PARTY_FINANCED")
    facts.get(f"{V}.contrary_knowledge")
    return PASS if _reaches_minimum(facts) else deny("US_506C_MIN_INVESTMENT")


def _reaches_minimum(facts: Facts) -> bool:
    person = facts.get(f"{V}.person")
    if person == "natural":
        return facts.amount >= MINIMUM_NATURAL
    owners = facts.optional(f"{V}.natural_equity_owners")
    if person != "entity" and owners is None and facts.amount >= MINIMUM_ENTITY:
        leave_open("a number of owners that could not change the answer")
    if person == "entity" or facts.amount >= MINIMUM_ENTITY:
        return facts.amount >= MINIMUM_ENTITY
    if owners is None and facts.amount < MINIMUM_NATURAL:
        return False
    if owners is None:
        raise MissingFactError(f"{V}.natural_equity_owners")
    return int(owners) < 5 and facts.amount >= MINIMUM_NATURAL * int(owners)


METHODS = {
    "third_party": _third_party,
    "income_review": _income_review,
    "net_worth_review": _net_worth_review,
    "prior_verified": _prior_verified,
    "min_investment": _min_investment,
}
