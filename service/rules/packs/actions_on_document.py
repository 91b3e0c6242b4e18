"""Transfers that rest on a document instead of the owner's will: forced, inheritance, recovery.

Holding periods and categories are skipped, sanctions never. Who gets lots this way and could not have bought them
may hold them, and acquires no more.

Source: rules.yaml, actions.forced, inheritance, recovery.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.rule import SALES, UNWILLED, Deny, Finding, Rule

APPROVERS = 2


def has_document(facts: Facts) -> bool:
    """Tell whether a document is named by its type and hash."""
    document = facts.part("doc") if facts.has("doc") else None
    return document is not None and all(document.has(name) and document.text(name) for name in ("type", "sha256"))


def _check_document(facts: Facts) -> Iterator[Finding]:
    if not has_document(facts):
        yield Deny("FORCED_DOC_MISSING", Remedy("none"))


def _check_dual_control(facts: Facts) -> Iterator[Finding]:
    approvals = facts.number("approvals")
    if approvals < APPROVERS:
        yield Deny("FORCED_DUAL_CONTROL", Remedy("none"), {"approvals": approvals, "threshold": APPROVERS})


def _check_same_subject(facts: Facts) -> Iterator[Finding]:
    if facts.part("seller").text("id") != facts.part("buyer").text("id"):
        yield Deny("RECOVERY_SUBJECT_MISMATCH", Remedy("present", purpose=facts.part("offering").text("regime")))


def _check_hold_only(role: str, party: Facts, facts: Facts) -> Iterator[Finding]:
    if role == "buyer" and party.flag("hold_only"):
        purpose = facts.part("offering").text("regime")
        yield Deny("RECIPIENT_FROZEN", Remedy("present", purpose=purpose), {"hold_only": True})


RULES = (
    Rule(
        id="forced.document",
        citation="policy: a forced transfer needs the document that orders it",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("doc.type", "doc.sha256"),
        actions=UNWILLED,
        check=_check_document,
    ),
    Rule(
        id="forced.dual_control",
        citation="policy: two distinct approvers",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("approvals",),
        actions=UNWILLED,
        parameters={"approvers": str(APPROVERS)},
        check=_check_dual_control,
    ),
    Rule(
        id="recovery.same_subject",
        citation="policy: recovery moves lots to the same subject only",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("seller.id", "buyer.id"),
        actions=frozenset({"recovery"}),
        check=_check_same_subject,
    ),
    Rule(
        id="hold_only.acquisition",
        citation="policy: who may only hold acquires no more",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("buyer.hold_only",),
        actions=SALES,
        unless_eligible=True,
        idle_if=("buyer.hold_only", False),
        check_party=_check_hold_only,
    ),
)
