"""The European Union's Prospectus and Crowdfunding Regulations, and the United Kingdom."""

from datetime import date
from decimal import Decimal

from tests.reference.dates import add_days, add_months
from tests.reference.facts import Facts
from tests.reference.verdict import PASS, Finding, MissingFactError, deny, leave_open

EU_SMALL_SINCE = date(2026, 6, 5)
EU_SMALL_MOST = Decimal(12_000_000)
EU_LARGE = Decimal(100_000)
ECSPR_CAP = Decimal(5_000_000)
UK_LARGE = Decimal(50_000)
UK_SMALL = Decimal(5_000_000)
EU_COUNTRIES = {"DE", "FR", "IE", "NL", "LU"}


def check_eu_qualified(facts: Facts) -> Finding:
    return PASS if facts.flag("buyer.eu_qi") else Finding("deny")


def check_eu_150(facts: Facts) -> Finding:
    """Address fewer than 150 persons in each Member State, qualified investors aside. Source: art 1(4)(b).

    Open question: a country without a count, one outside the Union, a buyer who is counted already.
    """
    if facts.optional("buyer.eu_qi") is True:
        return PASS
    counts = facts.get("state.offerees_by_ms")
    country = facts.get("buyer.country")
    if country not in EU_COUNTRIES or country not in counts:
        leave_open("a country that is not counted")
    if Decimal(str(counts[country])) + 1 < 150 or facts.flag("buyer.eu_qi"):
        return PASS
    if facts.flag("buyer.existing_holder"):
        leave_open("whether this offeree is one more")
    return deny("EU_150_PERSONS")


def check_eu_small(facts: Facts) -> Finding:
    """Stay below the Member State's threshold over 12 months. Source: art 3(2).

    Open question: thresholds of the time before 5 June 2026, and qualified investors, who need no such exemption.
    """
    threshold = facts.number("offering.ms_threshold")
    if threshold > EU_SMALL_MOST or facts.today < EU_SMALL_SINCE:
        leave_open("a threshold that the regulation does not allow on this day")
    if facts.number("state.consideration_12m") + facts.amount < threshold:
        return PASS
    if facts.optional("buyer.eu_qi") is not False:
        leave_open("whether a qualified investor's purchase counts")
    return deny("EU_SMALL_OFFER_CAP")


def check_eu_large(facts: Facts) -> Finding:
    """Take EUR 100,000 per investor. Source: art 1(4)(c)-(d).

    Open question: qualified investors, and holders who add to what they have.
    """
    if facts.amount >= EU_LARGE:
        return PASS
    if facts.optional("buyer.eu_qi") is not False or facts.flag("buyer.existing_holder"):
        leave_open("a smaller purchase by a qualified investor or a holder")
    return Finding("deny")


def check_ecspr_standing(facts: Facts) -> Finding:
    """Ask a fresh approval of sophisticated investors, a fresh knowledge test of others. Source: arts 21, Annex II.

    Open question: a sophisticated investor whose approval lapsed but who passed the test; the test's second
    anniversary.
    """
    if facts.flag("buyer.sophisticated"):
        return _check_approval(facts)
    tested = facts.day("buyer.knowledge_test_on")
    if tested > facts.today or facts.today == add_months(tested, 24):
        leave_open("a test after the trade, or two years ago to the day")
    return deny("EU_ECSPR_TEST_STALE") if facts.today > add_months(tested, 24) else PASS


def check_ecspr_cap(facts: Facts) -> Finding:
    """Keep the issuer's 12 months within EUR 5m, where a register says anything at all. Source: art 1(2)(c)."""
    if not facts.has("state"):
        return PASS
    over = facts.number("state.consideration_12m") + facts.amount > ECSPR_CAP
    return Finding("deny") if over else PASS


def _check_approval(facts: Facts) -> Finding:
    approved = facts.day("buyer.sophisticated_approved_on")
    if approved > facts.today:
        leave_open("an approval after the trade")
    if facts.today <= add_months(approved, 24):
        return PASS
    if facts.has("buyer.knowledge_test_on"):
        leave_open("a lapsed approval beside a knowledge test")
    return deny("EU_ECSPR_SOPH_EXPIRED")


def check_ecspr_consent(facts: Facts) -> Finding:
    """Ask consent above the greater of EUR 1,000 and 5 % of net worth. Source: art 21(7)."""
    if facts.optional("buyer.sophisticated") is True or facts.optional("buyer.above_threshold_consent") is True:
        return PASS
    if facts.amount <= 1_000:
        return PASS
    if facts.has("buyer.net_worth") and facts.amount <= facts.number("buyer.net_worth") * 5 / 100:
        return PASS
    if facts.flag("buyer.sophisticated"):
        return PASS
    facts.get("buyer.net_worth")
    return PASS if facts.flag("buyer.above_threshold_consent") else deny("EU_ECSPR_CONSENT_MISSING")


def check_uk_statement(facts: Facts, kinds: frozenset[str]) -> Finding:
    """Ask for a statement signed within the 12 months that end on the day. Source: FPO arts 48(2), 50A.

    Open question: statements of another kind than the one the exemption is about, and the end of February.
    """
    if facts.get("buyer.uk_statement") not in kinds:
        leave_open("another kind of statement")
    signed = facts.day("buyer.uk_statement_signed_on")
    if signed > facts.today:
        leave_open("a statement signed after the day")
    inside = facts.today < add_months(signed, 12)
    if inside != (signed >= add_days(add_months(facts.today, -12), 1)):
        leave_open("a year that ends at the end of February")
    return PASS if inside else deny("UK_STATEMENT_EXPIRED")


def check_uk_qualified(facts: Facts) -> Finding:
    return PASS if facts.flag("buyer.uk_qi") else Finding("deny")


def check_uk_150(facts: Facts) -> Finding:
    """Address fewer than 150 persons in the UK. Open question: a buyer who is counted already, or elsewhere."""
    if facts.optional("buyer.uk_qi") is True:
        return PASS
    if facts.optional("buyer.country") not in {None, "GB"}:
        leave_open("an offeree outside the UK")
    if facts.has("state.offerees_uk") and facts.number("state.offerees_uk") + 1 < 150:
        return PASS
    if facts.flag("buyer.existing_holder"):
        leave_open("whether this offeree is one more")
    if not facts.has("state.offerees_uk") or not facts.has("buyer.uk_qi"):
        raise MissingFactError("state.offerees_uk")
    return deny("UK_150_PERSONS")


def check_uk_large(facts: Facts) -> Finding:
    """Take GBP 50,000 at least. Open question: qualified investors, and holders who add to what they have."""
    if facts.amount >= UK_LARGE:
        return PASS
    if facts.optional("buyer.uk_qi") is not False or facts.flag("buyer.existing_holder"):
        leave_open("a smaller purchase by a qualified investor or a holder")
    return Finding("deny")


def check_uk_small(facts: Facts) -> Finding:
    """Stay within GBP 5m over 12 months. Open question: qualified investors, who need no such exemption."""
    if facts.number("state.consideration_12m") + facts.amount <= UK_SMALL:
        return PASS
    if facts.optional("buyer.uk_qi") is not False:
        leave_open("whether a qualified investor's purchase counts")
    return deny("UK_SMALL_OFFER_CAP")
