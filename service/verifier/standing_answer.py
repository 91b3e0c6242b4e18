"""An investor's standing as an answer: facts with their sources, and which purposes they cover. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.rules.catalog import REGIMES
from service.rules.law import Law
from service.rules.needs import CredentialNeed
from service.rules.purposes import Purpose, list_purposes
from service.storage.standings import InvestorRow, Standing
from service.storage.statuses import StatusQuery, StatusReading, choose_reading
from service.storage.tables import Investor, TrustedIssuer
from service.storage.trust import attester_class_of, judge_issuer, jurisdiction_of
from service.verifier.purposes import list_missing_claims
from service.verifier.statuses import STATUS_NAMES
from service.web.instants import format_instant, format_optional

_ANY_THAT_HOLDS = "qualified-investor"


@dataclass(frozen=True, slots=True)
class Known:
    """What a platform knows, or knew, at one instant.

    Attributes:
        screening: The platform's own, opened.
        rows: What the investor had presented, by type and newest first within a type.
        readings: Of every entry that ``list_status_queries`` names for them.
        trusted: The platform's trust list.
        complete_since: From when on all that was known of the investor is on record.
    """

    investor: Investor
    screening: Mapping[str, Any] | None
    rows: Sequence[Standing]
    readings: Mapping[StatusQuery, StatusReading]
    trusted: Sequence[TrustedIssuer]
    trust_version: int
    complete_since: datetime


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A standing credential at one instant: its row, its status, and why it does not count (None if it does)."""

    row: Standing
    status: str
    fault: str | None


def list_status_queries(rows: Sequence[Standing]) -> set[StatusQuery]:
    """Return the status entries that the credentials name."""
    return {query for row in rows for query in row.statuses}


def describe_investor(row: Investor | InvestorRow, screening: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the wire form of an investor."""
    return {
        "investor_ref": row.ref,
        "frozen": row.frozen,
        "screening": screening,
        "created_at": format_instant(row.created_at),
        "updated_at": format_instant(row.updated_at),
    }


def describe_standing(known: Known, at: datetime, law: Law) -> dict[str, Any]:
    """Return the wire form of a standing at an instant, under a version of the rules."""
    held = [_judge(known, row, at) for row in known.rows]
    kinds = dict.fromkeys(each.row.credential_type for each in reversed(held))
    counting = [each for kind in kinds if (each := _choose(kind, None, held)) is not None]
    return describe_investor(known.investor, known.screening) | {
        "as_of": format_instant(at),
        "complete_since": format_instant(known.complete_since),
        "versions": {"rules": law.name, "trust": known.trust_version},
        "credentials": [_describe_held(each) for each in held],
        "facts": [fact for each in counting for fact in _list_facts(each)],
        "purposes": [_describe_coverage(purpose, held) for purpose in list_purposes(law)],
    }


def _judge(known: Known, row: Standing, at: datetime) -> HeldCredential:
    readings = [known.readings[query] for query in row.statuses]
    status = _name_status(row, choose_reading(readings) if readings else None, at)
    return HeldCredential(row, status, _find_fault(row, status, known.trusted, at))


def _name_status(row: Standing, reading: StatusReading | None, at: datetime) -> str:
    """Return the status; a revoked credential stays revoked after its end."""
    name = "none" if reading is None else "unknown"
    if reading is not None and reading.value is not None:
        name = STATUS_NAMES.get(reading.value, "unknown")
    return "expired" if at >= row.expires_at and name not in ("revoked", "suspended") else name


def _find_fault(row: Standing, status: str, trusted: Sequence[TrustedIssuer], at: datetime) -> str | None:
    if status not in ("valid", "none"):
        return "status_unavailable" if status == "unknown" else status
    verdict = judge_issuer(
        trusted,
        issuer=row.issuer,
        credential_type=row.credential_type,
        jurisdiction=jurisdiction_of(row.credential_type, row.claims),
        attester_class=attester_class_of(row.claims),
        on=at.date(),
    )
    return verdict.code


def _describe_held(held: HeldCredential) -> dict[str, Any]:
    row = held.row
    return {
        "id": row.id,
        "credential_type": row.credential_type,
        "vct": row.vct,
        "issuer": row.issuer,
        "claims": row.claims,
        "status": held.status,
        "usable": held.fault is None,
        "fault": held.fault,
        "as_of": format_instant(row.presented_at),
        "issued_at": format_optional(row.issued_at),
        "expires_at": format_instant(row.expires_at),
        "presentation_request_id": row.request_id,
    }


def _list_facts(held: HeldCredential) -> list[dict[str, Any]]:
    row = held.row
    source = {
        "credential": row.id,
        "credential_type": row.credential_type,
        "issuer": row.issuer,
        "status": held.status,
        "as_of": format_instant(row.presented_at),
        "expires_at": format_instant(row.expires_at),
    }
    return [{"fact": name, "value": value} | source for name, value in sorted(row.claims.items())]


def _describe_coverage(purpose: Purpose, held: Sequence[HeldCredential]) -> dict[str, Any]:
    regime = REGIMES.get(purpose.id)
    category = regime.asks_category if regime else None
    chosen = {need: _choose(need.credential_type, category, held) for need in purpose.needs if need.required}
    missing = [entry for need, each in chosen.items() if (entry := _find_gap(need, each)) is not None]
    until = None if missing else min(each.row.expires_at for each in chosen.values() if each is not None)
    return {
        "purpose": purpose.id,
        "covered": not missing,
        "until": format_optional(until),
        "missing": missing,
    }


def _choose(kind: str, category: str | None, held: Sequence[HeldCredential]) -> HeldCredential | None:
    """Choose the credential of a type that the gate would count.

    That is the newest, for what became of it is not got round by an older one. But being a qualified investor is shown
    as well by an older credential that holds as by the newest.

    Args:
        kind: The type.
        category: Beginning of the category that a qualified investor must have, if any; one not shown may be any.
        held: Newest first within a type.
    """
    wanted = category or ""
    fitting = [
        each
        for each in held
        if each.row.credential_type == kind and str(each.row.claims.get("category", wanted)).startswith(wanted)
    ]
    if kind == _ANY_THAT_HOLDS:
        fitting.sort(key=lambda each: each.fault is not None)
    return fitting[0] if fitting else None


def _find_gap(need: CredentialNeed, held: HeldCredential | None) -> dict[str, Any] | None:
    gap: dict[str, Any] = {"credential_type": need.credential_type}
    if held is None:
        return gap | {"reason": "missing"}
    if held.fault is not None:
        return gap | {"reason": held.fault}
    claims = list_missing_claims(need, held.row.claims)
    return gap | {"reason": "claims_missing", "claims": claims} if claims else None
