"""Evaluate a transfer's facts, and put the answers for the offerings of its lots together. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from service.gate.fact_sheet import decode_facts, encode_scalar
from service.rules import Evaluation, Reason, Remedy, evaluate_transfer
from service.rules.codes import RANKS
from service.rules.law import CURRENT_LAW, Law

SEVERITY = ("permit", "review", "deny")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer in JSON values, as decisions carry it.

    Attributes:
        max_quantity: None if the rules set no bound, or if lots of several offerings are involved.
        tried: For a primary sale that could be made under several offerings: the others that were evaluated.
        last_valid: Last days on which something that the rules looked at is still good.
    """

    outcome: str
    reasons: tuple[dict[str, Any], ...]
    obligations: tuple[dict[str, Any], ...]
    route: str | None
    max_quantity: int | None
    rules_version: str
    rules_sha256: str
    tried: tuple[dict[str, Any], ...] = ()
    last_valid: tuple[date, ...] = ()


def evaluate_encoded(facts: Sequence[Mapping[str, Any]], law: Law = CURRENT_LAW) -> Verdict:
    """Evaluate facts as a bundle keeps them, one mapping per offering.

    Decisions are made from this form too, so that a replay starts from exactly what was decided on.

    Raises:
        InvalidFactsError: A fact is unknown or of the wrong kind.
    """
    return evaluate_facts([decode_facts(each) for each in facts], law)


def evaluate_facts(facts: Sequence[Mapping[str, Any]], law: Law = CURRENT_LAW) -> Verdict:
    """Evaluate facts as they are read from that form.

    Raises:
        InvalidFactsError: Regime or action is absent or unknown.
    """
    return _merge([evaluate_transfer(each, law) for each in facts])


def describe_tried(offering_id: str, verdict: Verdict) -> dict[str, Any]:
    """Return what a decision says of an offering that it did not choose."""
    return {"offering_id": offering_id, "outcome": verdict.outcome, "reasons": list(verdict.reasons)}


def _merge(evaluations: Sequence[Evaluation]) -> Verdict:
    """Let the most severe outcome win; reasons and obligations are joined, each once."""
    worst = max(evaluations, key=lambda each: SEVERITY.index(each.outcome))
    found = sorted((reason for each in evaluations for reason in each.reasons), key=lambda each: RANKS[each.code])
    reasons = [describe_reason(reason) for reason in found]
    obligations = [
        {"code": obligation.code, "message": obligation.message}
        for each in evaluations
        for obligation in each.obligations
        if each.outcome == worst.outcome
    ]
    return Verdict(
        outcome=worst.outcome,
        reasons=tuple(_drop_repeated(reasons)),
        obligations=tuple(_drop_repeated(obligations)),
        route=worst.route,
        max_quantity=worst.max_quantity if len(evaluations) == 1 else None,
        rules_version=worst.rules_version,
        rules_sha256=worst.rules_sha256,
        last_valid=tuple(day for each in evaluations if isinstance(day := each.computed.get("last_valid"), date)),
    )


def _drop_repeated(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for index, entry in enumerate(entries) if entry not in entries[:index]]


def describe_reason(reason: Reason) -> dict[str, Any]:
    """Return the published form of a reason; numbers and dates in its evidence are text."""
    return {
        "code": reason.code,
        "party": reason.party,
        "basis": reason.basis,
        "citation": reason.citation,
        "message": reason.message,
        "evidence": {name: encode_scalar(value) for name, value in reason.evidence.items()},
        "remedy": _describe_remedy(reason.remedy),
    }


def _describe_remedy(remedy: Remedy | None) -> dict[str, Any]:
    if remedy is None:
        return {"kind": "none"}
    members = {"kind": remedy.kind, "at": remedy.at and remedy.at.isoformat(), "purpose": remedy.purpose}
    return {name: value for name, value in members.items() if value is not None}
