"""Hong Kong: who is a professional investor at a sale, and to whom suitability is owed.

Source: Cap. 571 Schedule 1 Part 1; Cap. 571D; SFC Code of Conduct 5.2, 15.
"""

from collections.abc import Iterator
from datetime import date

from service.rules.dates import add_months
from service.rules.decision import Basis, Remedy
from service.rules.facts import Facts, any_holds
from service.rules.rule import SALES, Deny, Finding, Note, Rule

EVIDENCE_MONTHS = 12
NO_SUITABILITY = frozenset({"institutional", "qualified_corporate"})
"""Classes to whom the Code owes no suitability: a corporate one only once assessed, 15.3A."""


def is_professional(facts: Facts) -> bool:
    """Tell whether the buyer is a professional investor on evidence that is not stale."""
    return facts.part("buyer").flag("hk_pi") and _is_evidence_fresh(facts)


def _find_last_valid(facts: Facts) -> date:
    return add_months(facts.part("buyer").day("hk_pi_evidence_on"), EVIDENCE_MONTHS)


def _is_evidence_fresh(facts: Facts) -> bool:
    return facts.part("buyer").day("hk_pi_evidence_on") <= facts.day("date") <= _find_last_valid(facts)


def _check_status(facts: Facts) -> Iterator[Finding]:
    if not facts.part("buyer").flag("hk_pi"):
        yield Deny("HK_NOT_PI", Remedy("present", purpose="hk.pi_only"))


def _check_evidence(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if not buyer.flag("hk_pi"):
        return
    yield Note("last_valid", _find_last_valid(facts))
    if not _is_evidence_fresh(facts):
        # An institution's status hangs on a register, not on Cap. 571D's evidence; looking again every year is policy.
        basis: Basis = "firm_policy" if buyer.text("hk_pi_class") == "institutional" else "law"
        yield Deny("HK_PI_EVIDENCE_STALE", Remedy("renew", purpose="hk.pi_only"), basis=basis)


def _check_suitability(facts: Facts) -> Iterator[Finding]:
    if facts.part("buyer").flag("hk_pi"):
        yield from check_suitability(facts)


def check_suitability(facts: Facts) -> Iterator[Finding]:
    """Yield the reason where suitability is owed and not done; what is sold to whom doesn't matter."""
    buyer = facts.part("buyer")
    if not any_holds(
        lambda: buyer.flag("hk_pi") and buyer.text("hk_pi_class") in NO_SUITABILITY,
        lambda: buyer.flag("suitability_done"),
    ):
        yield Deny("HK_SUITABILITY_MISSING", Remedy("represent", purpose=facts.part("offering").text("regime")))


STATUS = Rule(
    id="hk.pi.status",
    citation="Cap. 571 s103(3)(k); Cap. 32 Sch 17 para 1",
    source="primary",
    confidence="H",
    basis="law",
    inputs=("buyer.hk_pi",),
    actions=SALES,
    effective_from=date(2003, 4, 1),
    check=_check_status,
)
EVIDENCE = Rule(
    id="hk.pi.evidence",
    citation="Cap. 571D ss4-8",
    source="secondary",
    confidence="M",
    basis="law",
    inputs=("date", "buyer.hk_pi", "buyer.hk_pi_evidence_on", "buyer.hk_pi_class"),
    actions=SALES,
    effective_from=date(2003, 4, 1),
    parameters={"evidence_months": str(EVIDENCE_MONTHS)},
    check=_check_evidence,
)
PROFESSIONAL_SUITABILITY = Rule(
    id="hk.pi.suitability",
    citation="SFC Code of Conduct 5.2, 15.3A, 15.4",
    source="secondary",
    confidence="M",
    basis="law",
    inputs=("buyer.hk_pi", "buyer.hk_pi_class", "buyer.suitability_done"),
    actions=SALES,
    effective_from=date(2016, 3, 25),
    parameters={"not_owed_to": " ".join(sorted(NO_SUITABILITY))},
    check=_check_suitability,
)
SUITABILITY = Rule(
    id="hk.suitability",
    citation="SFC Code of Conduct 5.2, 15.3A, 15.4",
    source="secondary",
    confidence="M",
    basis="law",
    inputs=("buyer.suitability_done", "buyer.hk_pi", "buyer.hk_pi_class"),
    actions=SALES,
    effective_from=date(2016, 3, 25),
    parameters={"not_owed_to": " ".join(sorted(NO_SUITABILITY))},
    check=check_suitability,
)
