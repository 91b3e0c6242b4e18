"""Reasonable steps to verify accredited status: the methods of Rule 506(c)(2)(ii), and the staff letter of 2025.

The safe harbours are non-exclusive. Refusing what lies outside them, or day 91 of a longer three months, is therefore
the firm's policy and says so in its basis; what no reading of the text allows is law.

Source: 17 CFR 230.506(c)(2)(ii); SEC staff no-action letter to Latham & Watkins, 2025-03-12; C&DI 256.35, 256.36.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from types import MappingProxyType

from service.rules.dates import add_days, add_months
from service.rules.decision import Basis, Remedy
from service.rules.facts import Facts, Number
from service.rules.rule import Deny, Finding, Note, Rule, TransferCheck

_CITE = "17 CFR 230.506(c)(2)(ii)"
_LETTER = "SEC staff no-action letter, Latham & Watkins (12 Mar 2025); C&DI 256.35, 256.36"
_PRIMARY = frozenset({"primary"})
_RENEW = Remedy("renew", purpose="us.506c")
_PRESENT = Remedy("present", purpose="us.506c")
_REPRESENT = Remedy("represent", purpose="us.506c")

SAFE_HARBOUR_ATTESTERS = frozenset({"broker_dealer", "ria_sec", "attorney", "cpa"})
PRINCIPLES_ATTESTERS = frozenset({"ria_state", "kyc_provider", "exchange", "exchange_ats"})
IN_FORCE_FROM = date(2013, 9, 23)
METHODS_FROM = {
    **dict.fromkeys(("third_party", "income_review", "net_worth_review"), IN_FORCE_FROM),
    "prior_verified": date(2021, 3, 15),
    "min_investment": date(2025, 3, 12),
}
PRIOR_MONTHS, POLICY_DAYS, FIVE_YEARS = 3, 90, 60
_PRIOR_THREE_MONTHS = {"months": str(PRIOR_MONTHS), "policy_days": str(POLICY_DAYS)}
TAX_YEARS = 2
MINIMUM_NATURAL = 200_000
MINIMUM_ENTITY = 1_000_000


def _is_verified_buyer(facts: Facts) -> bool:
    """Tell whether verification matters at all: a buyer who is not accredited fails without it."""
    return facts.part("buyer").flag("accredited")


def _for_method(method: str) -> Callable[[TransferCheck], TransferCheck]:
    def decorate(check: TransferCheck) -> TransferCheck:
        def check_if_used(facts: Facts) -> Iterator[Finding]:
            if _is_verified_buyer(facts) and _read_verification(facts).text("method") == method:
                yield from check(facts)

        return check_if_used

    return decorate


def _read_verification(facts: Facts) -> Facts:
    return facts.part("buyer").part("verification")


def _check_method(facts: Facts) -> Iterator[Finding]:
    if not _is_verified_buyer(facts):
        return
    method = _read_verification(facts).text("method")
    known_from = METHODS_FROM.get(method)
    if known_from is None or facts.day("date") < known_from:
        yield Deny("US_506C_EVIDENCE_INCOMPLETE", _PRESENT, {"method": method, "effective_from": known_from})


def _check_contrary_knowledge(facts: Facts) -> Iterator[Finding]:
    if not _is_verified_buyer(facts):
        return
    verification = _read_verification(facts)
    must_say = verification.text("method") in {"prior_verified", "min_investment"}
    if (must_say or verification.has("contrary_knowledge")) and verification.flag("contrary_knowledge"):
        yield Deny("US_506C_CONTRARY_KNOWLEDGE", Remedy("none"))


def _check_age(facts: Facts, verified_on: date) -> Iterator[Finding]:
    """Yield what the three prior months leave: the text's calendar months, and policy's 90 days inside them."""
    day, by_text = facts.day("date"), add_months(verified_on, PRIOR_MONTHS)
    last_valid = by_text
    if facts.part("policy").text("freshness") != "rule_text_months":
        last_valid = min(by_text, add_days(verified_on, POLICY_DAYS))
    yield Note("last_valid", last_valid)
    if not verified_on <= day <= by_text:
        yield Deny("US_506C_VERIFICATION_STALE", _RENEW, basis="law")
    elif day > last_valid:
        yield Deny("US_506C_VERIFICATION_STALE", _RENEW, basis="firm_policy")


@_for_method("third_party")
def _check_attester(facts: Facts) -> Iterator[Finding]:
    attester = _read_verification(facts).text("attester")
    if attester in SAFE_HARBOUR_ATTESTERS:
        return
    evidence = {"attester": attester}
    if attester not in PRINCIPLES_ATTESTERS:
        yield Deny("US_506C_ATTESTER_NOT_QUALIFIED", _PRESENT, evidence, basis="law")
    elif facts.part("policy").flag("safe_harbour_only"):
        yield Deny("US_506C_ATTESTER_NOT_QUALIFIED", _PRESENT, evidence)


@_for_method("third_party")
def _check_third_party_age(facts: Facts) -> Iterator[Finding]:
    yield from _check_age(facts, _read_verification(facts).day("steps_completed_on"))


def _check_reviewer(facts: Facts) -> Iterator[Finding]:
    if not _is_verified_buyer(facts):
        return
    verification = _read_verification(facts)
    if verification.text("method") not in {"income_review", "net_worth_review"}:
        return
    if verification.text("reviewed_by") != "issuer":
        yield Deny(
            "US_506C_ATTESTER_NOT_QUALIFIED", _PRESENT, {"reviewed_by": verification.text("reviewed_by")}, basis="law"
        )


@_for_method("income_review")
def _check_tax_years(facts: Facts) -> Iterator[Finding]:
    years, year = set(_read_verification(facts).numbers("tax_years")), facts.day("date").year
    needed = set(range(year - TAX_YEARS, year))
    if needed <= years:
        return
    evidence = {"tax_years": _join(years), "needed": _join(needed)}
    code = "US_506C_VERIFICATION_STALE" if len(years) >= len(needed) else "US_506C_EVIDENCE_INCOMPLETE"
    yield Deny(code, _RENEW, evidence)


def _join(years: set[int]) -> str:
    return " ".join(map(str, sorted(years)))


@_for_method("income_review")
def _check_income_representation(facts: Facts) -> Iterator[Finding]:
    if not _read_verification(facts).flag("current_year_representation"):
        yield Deny("US_506C_REP_MISSING", _RENEW)


@_for_method("net_worth_review")
def _check_documents_age(facts: Facts) -> Iterator[Finding]:
    yield from _check_age(facts, _read_verification(facts).day("oldest_document_on"))


@_for_method("net_worth_review")
def _check_consumer_report(facts: Facts) -> Iterator[Finding]:
    if not _read_verification(facts).flag("consumer_report"):
        yield Deny("US_506C_EVIDENCE_INCOMPLETE", _RENEW, {"consumer_report": False})


@_for_method("net_worth_review")
def _check_liabilities_representation(facts: Facts) -> Iterator[Finding]:
    if not _read_verification(facts).flag("liabilities_representation"):
        yield Deny("US_506C_REP_MISSING", _RENEW)


@_for_method("prior_verified")
def _check_five_years(facts: Facts) -> Iterator[Finding]:
    verified_on = _read_verification(facts).day("verified_on")
    last_valid = add_months(verified_on, FIVE_YEARS)
    yield Note("last_valid", last_valid)
    if not verified_on <= facts.day("date") <= last_valid:
        yield Deny("US_506C_VERIFICATION_STALE", _RENEW)


@_for_method("prior_verified")
def _check_same_issuer(facts: Facts) -> Iterator[Finding]:
    issuer = _read_verification(facts).text("verified_by_issuer")
    if issuer != facts.part("offering").text("issuer"):
        yield Deny("US_506C_ISSUER_SCOPE", _PRESENT, {"verified_by_issuer": issuer})


def _check_scope(facts: Facts) -> Iterator[Finding]:
    if not _is_verified_buyer(facts) or not _read_verification(facts).has("scope"):
        return
    scope = _read_verification(facts).text("scope")
    if scope != facts.part("offering").text("issuer"):
        yield Deny("US_506C_ISSUER_SCOPE", _PRESENT, {"scope": scope})


@_for_method("prior_verified")
def _check_representation_at_sale(facts: Facts) -> Iterator[Finding]:
    verification = _read_verification(facts)
    if verification.is_null("representation_on"):
        yield Deny("US_506C_REP_MISSING", _REPRESENT)
    elif verification.day("representation_on") != facts.day("date"):
        yield Deny("US_506C_REP_MISSING", _REPRESENT, {"representation_on": verification.day("representation_on")})


@_for_method("min_investment")
def _check_minimum_investment(facts: Facts) -> Iterator[Finding]:
    amount = facts.number("qty") * facts.number("price")
    threshold = _find_threshold(_read_verification(facts), amount)
    yield Note("threshold", threshold)
    if amount < threshold:
        yield Deny("US_506C_MIN_INVESTMENT", Remedy("none"), {"requested": amount})


def _find_threshold(verification: Facts, amount: Number) -> Number:
    person = verification.text("person")
    if person == "natural":
        return MINIMUM_NATURAL
    if person == "entity_owner_based":
        if amount >= MINIMUM_ENTITY and not verification.has("natural_equity_owners"):
            return MINIMUM_ENTITY  # enough, however many owners there are
        owners = verification.number("natural_equity_owners")
        if owners > 0:
            return min(MINIMUM_NATURAL * owners, MINIMUM_ENTITY)  # five owners come to the entity's own minimum
    return MINIMUM_ENTITY


@_for_method("min_investment")
def _check_buyer_representation(facts: Facts) -> Iterator[Finding]:
    if not _read_verification(facts).flag("represented_accredited"):
        yield Deny("US_506C_REP_MISSING", _REPRESENT)


@_for_method("min_investment")
def _check_financing(facts: Facts) -> Iterator[Finding]:
    if _read_verification(facts).flag("third_party_financed"):
        yield Deny("US_506C_THIRD_PARTY_FINANCED", Remedy("none"))


def _rule(
    name: str,
    paragraph: str,
    check: TransferCheck,
    *inputs: str,
    basis: Basis = "law",
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> Rule:
    return Rule(
        id=f"us.506c.{name}",
        citation=paragraph if paragraph == _LETTER else f"{_CITE}{paragraph}",
        source="primary" if paragraph == _LETTER else "secondary",
        confidence="H",
        basis=basis,
        inputs=("buyer.accredited", "buyer.verification.method", *(f"buyer.verification.{name}" for name in inputs)),
        actions=_PRIMARY,
        effective_from=IN_FORCE_FROM,
        parameters=parameters,
        check=check,
    )


RULES = (
    _rule("method", "", _check_method, parameters={name: day.isoformat() for name, day in METHODS_FROM.items()}),
    _rule("contrary_knowledge", "", _check_contrary_knowledge, "contrary_knowledge"),
    _rule(
        "third_party.attester",
        "(C)",
        _check_attester,
        "attester",
        basis="firm_policy",
        parameters={
            "safe_harbour": " ".join(sorted(SAFE_HARBOUR_ATTESTERS)),
            "principles": " ".join(sorted(PRINCIPLES_ATTESTERS)),
        },
    ),
    _rule("third_party.age", "(C)", _check_third_party_age, "steps_completed_on", parameters=_PRIOR_THREE_MONTHS),
    _rule("review.reviewer", "(A),(B)", _check_reviewer, "reviewed_by"),
    _rule("income.tax_years", "(A)", _check_tax_years, "tax_years", parameters={"years": str(TAX_YEARS)}),
    _rule("income.representation", "(A)", _check_income_representation, "current_year_representation"),
    _rule("net_worth.age", "(B)", _check_documents_age, "oldest_document_on", parameters=_PRIOR_THREE_MONTHS),
    _rule("net_worth.consumer_report", "(B)(2)", _check_consumer_report, "consumer_report"),
    _rule("net_worth.representation", "(B)", _check_liabilities_representation, "liabilities_representation"),
    _rule("scope", "", _check_scope, "scope"),
    _rule("prior.age", "(E)", _check_five_years, "verified_on", parameters={"months": str(FIVE_YEARS)}),
    _rule("prior.issuer", "(E)", _check_same_issuer, "verified_by_issuer"),
    _rule("prior.representation", "(E)", _check_representation_at_sale, "representation_on"),
    _rule(
        "minimum.amount",
        _LETTER,
        _check_minimum_investment,
        "person",
        "natural_equity_owners",
        parameters={"natural": str(MINIMUM_NATURAL), "entity": str(MINIMUM_ENTITY)},
    ),
    _rule("minimum.representation", _LETTER, _check_buyer_representation, "represented_accredited"),
    _rule("minimum.financing", _LETTER, _check_financing, "third_party_financed"),
)
