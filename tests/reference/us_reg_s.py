"""Regulation S: 17 CFR 230.901-905."""

from datetime import date

from tests.reference.dates import add_days, add_months
from tests.reference.facts import Facts
from tests.reference.us_resale import rule_144, rule_144a, section_4a7
from tests.reference.verdict import (
    PASS,
    Finding,
    MissingFactError,
    OpenQuestionError,
    any_route,
    deny,
    leave_open,
)


def check_buyer_is_no_us_person(facts: Facts) -> Finding:
    """Refuse US persons. Open question: one who is abroad, in category 1, where only the place of the order counts."""
    if not facts.flag("buyer.us_person"):
        return PASS
    if facts.optional("offering.category") == 1:
        leave_open("a US person abroad in category 1")
    return deny("US_REGS_US_PERSON")


def check_buyer_is_offshore(facts: Facts) -> Finding:
    return PASS if facts.flag("buyer.offshore") else deny("US_REGS_NOT_OFFSHORE")


def check_certificate(facts: Facts) -> Finding:
    """Ask for the non-US certificate in category 3, the only one whose text has it.

    Open question: whether a category must be named where the certificate is there for any.
    """
    if facts.flag("buyer.regs_certified") and not facts.has("offering.category"):
        leave_open("a category that could not change the answer")
    if facts.flag("buyer.regs_certified") or facts.number("offering.category") != 3:
        return PASS
    return deny("US_REGS_CERT_MISSING")


def check_resale(facts: Facts) -> Finding:
    """Judge a resale inside and after the distribution compliance period; without its end, both ways must agree.

    Open question: sellers who are affiliates or not abroad; facts of which only the obligation depends on where the
    period ends.
    """
    if facts.optional("seller.affiliate") is not False or facts.optional("seller.offshore") is False:
        leave_open("a seller who may be an affiliate of the issuer, or is not abroad")
    try:
        inside = _is_inside(facts)
    except MissingFactError as missing:
        if any(_outcome(judge, facts) == "permit" for judge in (_judge_inside, _judge_after)):
            _raise_if_one_denies(facts, missing)
            leave_open("where the period ends decides nothing but an obligation")
        raise
    return _judge_inside(facts) if inside else _judge_after(facts)


def _outcome(judge: object, facts: Facts) -> str:
    assert callable(judge)
    try:
        return str(judge(facts).outcome)
    except MissingFactError:
        return "deny"
    except OpenQuestionError:
        return "open"


def _raise_if_one_denies(facts: Facts, missing: MissingFactError) -> None:
    if "deny" in {_outcome(_judge_inside, facts), _outcome(_judge_after, facts)}:
        raise missing


def _is_inside(facts: Facts) -> bool:
    """Tell whether the trade falls in the distribution compliance period. Source: 230.902(f), 903(b).

    Open question: whether debt or equity must be said once the longest period is over.
    """
    category = facts.number("offering.category")
    if category == 1:
        return False
    start = facts.day("offering.dcp_start")
    if facts.today < start:
        leave_open("a trade before the period starts")
    if facts.today <= add_days(start, 40):
        return True
    if category == 2:
        return False
    if facts.today > add_months(start, 12):
        if not facts.has("offering.security"):
            leave_open("a kind of security that could not change the answer")
        return False
    return facts.get("offering.security") == "equity" and facts.today <= _last_day_of_equity(facts, start)


def _last_day_of_equity(facts: Facts, start: date) -> date:
    if facts.today <= add_months(start, 6):
        return add_months(start, 6)
    return add_months(start, 6 if facts.flag("offering.reporting") else 12)


def _judge_inside(facts: Facts) -> Finding:
    """Judge a resale inside the period. Source: 230.903(b)(2)(ii), (b)(3)(ii)-(iii), 904.

    Open question: exempt flow-back by another way than Rule 144A.
    """
    if not _denials_of_904(facts) and not facts.flag("buyer.us_person"):
        return PASS
    if facts.flag("policy.allow_exempt_flowback"):
        if any_route(lambda: rule_144a(facts)):
            return PASS
        if any_route(lambda: section_4a7(facts), lambda: rule_144(facts)):
            leave_open("flow-back by another exemption than Rule 144A")
    if facts.flag("buyer.us_person"):
        return deny("US_REGS_DCP")
    return deny(*_denials_of_904(facts))


def _denials_of_904(facts: Facts) -> set[str]:
    denials = set()
    if not facts.flag("buyer.offshore"):
        denials.add("US_REGS_NOT_OFFSHORE")
    if facts.number("offering.category") == 3 and not facts.flag("buyer.regs_certified"):
        denials.add("US_REGS_CERT_MISSING")
    return denials


def _judge_after(facts: Facts) -> Finding:
    """Judge a resale after the period: equity of domestic issuers stays restricted. Source: 230.905.

    Open question: domestic equity outside category 3, where the law puts all of it.
    """
    if facts.optional("buyer.us_person") is False and facts.flag("buyer.offshore"):
        return PASS
    if not _is_domestic_equity(facts):
        return PASS
    if facts.optional("offering.category") != 3:
        leave_open("domestic equity outside category 3")
    free = any_route(
        lambda: not facts.flag("buyer.us_person") and facts.flag("buyer.offshore"),
        lambda: rule_144(facts),
        lambda: section_4a7(facts),
        lambda: rule_144a(facts),
    )
    if not free and facts.flag("buyer.offshore"):
        leave_open("Rule 904 for a US person abroad")
    return PASS if free else Finding("deny")


def _is_domestic_equity(facts: Facts) -> bool:
    if facts.optional("offering.security") == "debt" or facts.optional("offering.issuer_domestic") is False:
        return False
    return facts.get("offering.security") == "equity" and facts.flag("offering.issuer_domestic")
