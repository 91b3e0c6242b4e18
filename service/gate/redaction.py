"""What of a decision callers without the ``compliance`` scope may see. Pure.

Telling a customer that a sanctions or money-laundering check stopped a trade is an offence in many places, so the
outward form must not let one such reason be told from another, nor from its remedy, evidence or projection.

Source: api.md section 5; docs/decisions/0010-redacted-decisions.md.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from service.gate.verdict import SEVERITY, Verdict
from service.schema_files import load_reason_codes

RESTRICTED = "RESTRICTED"
ASK_FOR_REVIEW = frozenset({"SANCTIONS_POTENTIAL_MATCH", "SANCTIONS_OWNERSHIP_REVIEW", "RULE_UNCONFIRMED"})
"""Reasons that alone ask a person to decide."""

_ASKED_AFTER_A_FINDING = frozenset({"edd_done"})
"""Facts that are asked for only of somebody of whom a screening found something: that one is missing tells it."""


def redact(verdict: Verdict) -> Verdict:
    """Return the verdict as everybody may see it; the same object if nothing has to be withheld."""
    reasons = _redact_reasons(verdict.reasons)
    obligations = tuple(
        each for each in verdict.obligations if load_reason_codes()[each["code"]]["outward"] is not None
    )
    tried = tuple({**each, "reasons": list(_redact_reasons(each["reasons"]))} for each in verdict.tried)
    if (reasons, obligations, tried) == (verdict.reasons, verdict.obligations, verdict.tried):
        return verdict
    return replace(verdict, reasons=reasons, obligations=obligations, max_quantity=None, tried=tried)


def keep_restricted(supposed: Verdict, actual: Verdict) -> Verdict:
    """Return the verdict on assumed facts with the restricted reasons that hold in fact.

    Otherwise a preview that assumes a clear screening, or another day, would tell which of them holds.
    """
    hidden = [each for each in actual.reasons if _is_restricted(each)]
    if not hidden:
        return supposed
    least = "review" if {each["code"] for each in hidden} <= ASK_FOR_REVIEW else "deny"
    outcome = max(supposed.outcome, least, key=SEVERITY.index)
    return replace(
        supposed, outcome=outcome, reasons=(*hidden, *supposed.reasons), obligations=(), route=None, tried=()
    )


def _is_restricted(reason: dict[str, Any]) -> bool:
    asks_after_finding = str(reason["evidence"].get("field", "")).rpartition(".")[2] in _ASKED_AFTER_A_FINDING
    return asks_after_finding or bool(load_reason_codes()[reason["code"]]["outward"] == RESTRICTED)


def _redact_reasons(reasons: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Replace all restricted reasons of a party by one that stands first, where the class of such reasons stands."""
    hidden = [each for each in reasons if _is_restricted(each)]
    if not hidden:
        return tuple(reasons)
    parties = dict.fromkeys(each["party"] for each in hidden)
    return (*(_restricted(party) for party in parties), *(each for each in reasons if each not in hidden))


def _restricted(party: str | None) -> dict[str, Any]:
    entry = load_reason_codes()[RESTRICTED]
    return {
        "code": RESTRICTED,
        "party": party,
        "basis": entry["basis"],
        "citation": "policy: restricted",
        "message": f"{entry['title']}.",
        "evidence": {},
        "remedy": {"kind": "none"},
    }
