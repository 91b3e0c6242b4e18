"""Transfers on a document, and pledges: what takes the place of the owner's will and of a sale.

Source: rules.yaml, actions.forced, inheritance, recovery, pledge.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts, all_hold
from service.rules.rule import UNWILLED, Deny, Finding, Note, Require, Rule

APPROVERS = 2


def _check_document(facts: Facts) -> Iterator[Finding]:
    if not (facts.has("doc") and _is_named(facts.part("doc"))):
        yield Deny("FORCED_DOC_MISSING", Remedy("none"))


def _is_named(document: Facts) -> bool:
    return all(document.has(name) and document.text(name) for name in ("type", "sha256"))


def _check_dual_control(facts: Facts) -> Iterator[Finding]:
    approvals = facts.number("approvals")
    if approvals < APPROVERS:
        yield Deny("FORCED_DUAL_CONTROL", Remedy("none"), {"approvals": approvals, "threshold": APPROVERS})


def _keep_lots(_facts: Facts) -> Iterator[Finding]:
    yield Note("lots_preserved", True)


def _check_same_subject(facts: Facts) -> Iterator[Finding]:
    if facts.part("seller").text("id") != facts.part("buyer").text("id"):
        yield Deny("RECOVERY_SUBJECT_MISMATCH", Remedy("present", purpose=facts.part("offering").text("regime")))


def _check_pledge(facts: Facts) -> Iterator[Finding]:
    trade = facts.part("trade")
    if all_hold(lambda: _has_liquidation_route(trade), lambda: trade.flag("control_agreement")):
        yield Require("OBL_LIEN_RECORDED")
    else:
        yield Deny("PLEDGE_NO_LIQUIDATION_ROUTE", Remedy("none"))


def _has_liquidation_route(trade: Facts) -> bool:
    return not trade.is_null("liquidation_route") and bool(trade.text("liquidation_route"))


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
        id="forced.lots",
        citation="17 CFR 230.144(d)(3)",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=(),
        actions=UNWILLED,
        check=_keep_lots,
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
        id="pledge.liquidation",
        citation="policy: control agreement and a lawful liquidation route, shown before the pledge",
        source="policy",
        confidence="M",
        basis="firm_policy",
        inputs=("trade.liquidation_route", "trade.control_agreement"),
        actions=frozenset({"pledge"}),
        check=_check_pledge,
    ),
)
