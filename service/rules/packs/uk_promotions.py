"""Financial Promotion Order: promotions to people who signed an investor statement.

The Order restricts communications of the offeror; a resale between holders is none of its business here.

Source: FPO 2005 (SI 2005/1529), articles 48(2), 50A(2).
"""

from collections.abc import Iterator
from datetime import date

from service.rules.dates import add_days, add_months
from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.needs import AML, KYC, QUALIFIED, ask_if_held
from service.rules.rule import Deny, Finding, Note, Regime, Rule

ORDER_FROM = date(2005, 7, 1)
STATEMENT_MONTHS = 12


def find_last_day(signed_on: date, months: int) -> date:
    """Return the last day of a period of ``months`` that counts the day of signature as its first.

    From 2025-05-11 twelve months last until 2026-05-10; from 2024-02-29, until 2025-02-28.
    """
    anniversary = add_months(signed_on, months)
    return add_days(anniversary, -1) if anniversary.day == signed_on.day else anniversary


def is_current(signed_on: date, day: date) -> bool:
    """Tell whether a statement was signed within the twelve months that end on ``day``."""
    return signed_on <= day <= find_last_day(signed_on, STATEMENT_MONTHS)


def _has_statement(facts: Facts, kind: str) -> bool:
    buyer = facts.part("buyer")
    return buyer.text("uk_statement") == kind and is_current(buyer.day("uk_statement_signed_on"), facts.day("date"))


def _check_statement(facts: Facts, kind: str, purpose: str) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if buyer.text("uk_statement") == kind:
        yield Note("last_valid", find_last_day(buyer.day("uk_statement_signed_on"), STATEMENT_MONTHS))
    if not _has_statement(facts, kind):
        evidence = {"uk_statement": buyer.text("uk_statement"), "needed": kind}
        yield Deny("UK_STATEMENT_EXPIRED", Remedy("renew", purpose=purpose), evidence)


def _regime(article: str, title: str, kind: str, category: str) -> Regime:
    regime_id, citation = f"uk.fpo{article.lower()}", f"FPO 2005 art {article}(2)"
    rule = Rule(
        id=f"{regime_id}.statement",
        citation=citation,
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("date", "buyer.uk_statement", "buyer.uk_statement_signed_on"),
        actions=frozenset({"primary"}),
        effective_from=ORDER_FROM,
        parameters={"months": str(STATEMENT_MONTHS), "statement": kind},
        check=lambda facts: _check_statement(facts, kind, regime_id),
    )
    return Regime(
        id=regime_id,
        title=title,
        citation=citation,
        source="secondary",
        confidence="H",
        rules=(rule,),
        may_acquire=lambda facts: _has_statement(facts, kind),
        needs=(KYC, AML, ask_if_held(QUALIFIED)),
        asks_category=category,
        effective_from=ORDER_FROM,
    )


REGIMES = (
    _regime("48", "Promotion to certified high net worth individuals", "hnw", "uk.fpo48.hnw"),
    _regime("50A", "Promotion to self-certified sophisticated investors", "sophisticated", "uk.fpo50a.soph"),
)
