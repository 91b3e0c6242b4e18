"""What a platform itself knows of an investor, and the investor's standing with what it covers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError, NotFoundError
from service.keys import Signer
from service.rules.needs import CredentialNeed
from service.rules.purposes import Purpose, list_purposes
from service.storage.audit import append_audit_entry
from service.storage.personal_data import InvestorContent
from service.storage.standings import Standing, know_investor, list_standing, read_investor_keys
from service.storage.statuses import StatusQuery, StatusReading, read_credential_statuses
from service.storage.tables import Investor, TrustedIssuer
from service.storage.trust import attester_class_of, judge_issuer, jurisdiction_of, list_trusted_issuers
from service.verifier.purposes import list_missing_claims
from service.verifier.standing import lock_investor
from service.verifier.statuses import STATUS_NAMES
from service.web.instants import format_instant, format_optional

CLEAR = "clear"
CLOCK_SKEW = timedelta(minutes=1)
"""How far ahead of ours a platform's clock may run."""


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A standing credential as it is now: its row, its status, and why it does not count (None if it does)."""

    row: Standing
    status: str
    fault: str | None


async def put_investor(
    session: AsyncSession, signer: Signer, org_id: str, ref: str, changes: Mapping[str, Any], now: datetime
) -> tuple[dict[str, Any], bool]:
    """Create an investor or change what is sent; returns the wire form and whether it is new.

    Args:
        session: Transaction.
        signer: Opens the investor's key.
        org_id: The platform.
        ref: Its name for the investor.
        changes: ``screening`` (JSON or None) and ``frozen``, each only if it was sent.
        now: Time of the change.

    Raises:
        InvalidInputError: The screening is dated in the future.
    """
    _check_screening(changes.get("screening"), now)
    is_new = await session.get(Investor, (org_id, ref)) is None
    investor = await lock_investor(session, signer, org_id, ref, now)
    content = investor.content
    if "screening" in changes:
        content = _keep_screening(content, changes["screening"], now)
    row = investor.row
    if "frozen" in changes:
        row.frozen = changes["frozen"]
    investor.keep(session, content, now)
    append_audit_entry(
        session,
        org_id=org_id,
        kind="investor.changed",
        subject_id=ref,
        record={"frozen": row.frozen, "screened": content.screening is not None, "changed": sorted(changes)},
        recorded_at=now,
    )
    return describe_investor(row, content.screening), is_new


def _keep_screening(content: InvestorContent, screening: Mapping[str, Any] | None, now: datetime) -> InvestorContent:
    is_match = screening is not None and screening["result"] != CLEAR
    return replace(content, screening=screening, matched_at=now if is_match else content.matched_at)


def _check_screening(screening: Mapping[str, Any] | None, now: datetime) -> None:
    if screening and datetime.fromisoformat(screening["screened_at"]) > now + CLOCK_SKEW:
        finding = {"path": "/body/screening/screened_at", "detail": "lies in the future"}
        raise InvalidInputError("A screening cannot be later than now.", errors=[finding])


def describe_investor(row: Investor, screening: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the wire form of an investor."""
    return {
        "investor_ref": row.ref,
        "frozen": row.frozen,
        "screening": screening,
        "created_at": format_instant(row.created_at),
        "updated_at": format_instant(row.updated_at),
    }


async def read_standing(
    session: AsyncSession, signer: Signer, *, base_url: str, org_id: str, ref: str, now: datetime
) -> dict[str, Any]:
    """Return the wire form of an investor's standing now.

    Raises:
        NotFoundError: The platform has not recorded such an investor.
    """
    investor = await session.get(Investor, (org_id, ref))
    if investor is None:
        raise NotFoundError
    keys = await read_investor_keys(session, signer, org_id, [ref])
    rows = (await list_standing(session, keys, org_id, [ref]))[ref]
    held = await _judge(session, base_url, org_id, rows, now)
    newest = {row.credential_type: held[row.id] for row in reversed(rows)}
    return describe_investor(investor, know_investor(investor, keys.get(ref)).screening) | {
        "as_of": format_instant(now),
        "credentials": [_describe_held(held[row.id]) for row in rows],
        "facts": [fact for each in newest.values() for fact in _list_facts(each)],
        "purposes": [_describe_coverage(purpose, newest) for purpose in list_purposes()],
    }


async def _judge(
    session: AsyncSession, base_url: str, org_id: str, rows: Sequence[Standing], now: datetime
) -> dict[str, HeldCredential]:
    trusted = await list_trusted_issuers(session, org_id)
    queries = {row.id: query for row in rows if (query := _status_query(row)) is not None}
    readings = await read_credential_statuses(
        session, base_url=base_url, org_id=org_id, queries=set(queries.values()), now=now
    )
    held = {}
    for row in rows:
        status = _name_status(row, readings[queries[row.id]] if row.id in queries else None, now)
        held[row.id] = HeldCredential(row, status, _find_fault(row, status, trusted, now))
    return held


def _status_query(row: Standing) -> StatusQuery | None:
    if row.status_uri is None or row.status_index is None:
        return None
    return StatusQuery(row.issuer, row.status_uri, row.status_index)


def _name_status(row: Standing, reading: StatusReading | None, now: datetime) -> str:
    """Return the status; a revoked credential stays revoked after its end."""
    name = "none" if reading is None else "unknown"
    if reading is not None and reading.value is not None:
        name = STATUS_NAMES.get(reading.value, "unknown")
    return "expired" if now >= row.expires_at and name not in ("revoked", "suspended") else name


def _find_fault(row: Standing, status: str, trusted: Sequence[TrustedIssuer], now: datetime) -> str | None:
    if status not in ("valid", "none"):
        return "status_unavailable" if status == "unknown" else status
    verdict = judge_issuer(
        trusted,
        issuer=row.issuer,
        credential_type=row.credential_type,
        jurisdiction=jurisdiction_of(row.credential_type, row.claims),
        attester_class=attester_class_of(row.claims),
        on=now.date(),
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


def _describe_coverage(purpose: Purpose, newest: Mapping[str, HeldCredential]) -> dict[str, Any]:
    required = [need for need in purpose.needs if need.required]
    missing = [entry for need in required if (entry := _find_gap(need, newest)) is not None]
    until = None if missing else min(newest[need.credential_type].row.expires_at for need in required)
    return {
        "purpose": purpose.id,
        "covered": not missing,
        "until": format_optional(until),
        "missing": missing,
    }


def _find_gap(need: CredentialNeed, newest: Mapping[str, HeldCredential]) -> dict[str, Any] | None:
    held = newest.get(need.credential_type)
    gap: dict[str, Any] = {"credential_type": need.credential_type}
    if held is None:
        return gap | {"reason": "missing"}
    if held.fault is not None:
        return gap | {"reason": held.fault}
    claims = list_missing_claims(need, held.row.claims)
    return gap | {"reason": "claims_missing", "claims": claims} if claims else None
