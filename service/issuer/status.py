"""The status of granted credentials, and the lists that publish it.

A change writes the packed lists in its own transaction; our own verifiers read those. The signed token that others
fetch is remade on fixed ticks, so that neither its time nor its size tells when a single credential changed.

Source: draft-ietf-oauth-status-list-20, sections 5, 8 and 13.6.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import (
    INVALID,
    SUSPENDED,
    TYP,
    VALID,
    build_status_list_claims,
    get_status,
    set_status,
)
from service.errors import ConflictError, NotFoundError
from service.issuer.credentials import CredentialView, load_credential, view_credential
from service.issuer.identity import Issuer
from service.keys import Signer
from service.storage.audit import append_audit_entry
from service.storage.database import Database
from service.storage.history import record_status_change
from service.storage.outbox import add_event, request_recheck
from service.storage.tables import Credential, CredentialCopy, StatusList
from service.web.signing import ISSUER, get_active_key, sign_token

REVOKED = "revoked"
_EVENTS = {"valid": "credential.reinstated", "suspended": "credential.suspended", REVOKED: "credential.revoked"}
STATUS_VALUES = {"valid": VALID, "suspended": SUSPENDED, REVOKED: INVALID}
TICK = timedelta(seconds=60)
TTL = TICK
_VALID_AT_LEAST = timedelta(hours=24)


class CredentialRevokedError(ConflictError):
    """The credential is revoked, which is final."""

    code = "credential_revoked"


async def change_status(
    session: AsyncSession, org_id: str, credential_id: str, *, status: str, reason: str, actor: str, now: datetime
) -> CredentialView:
    """Set the status of every copy of a grant; setting the present status again changes nothing.

    Args:
        status: ``valid``, ``suspended`` or ``revoked``.
        actor: Id of the account or API client that changes it.
        reason: For the back office; not published, and not in the audit entry, as it may name a person.

    Raises:
        NotFoundError: See ``load_credential``.
        CredentialRevokedError: Revoked already, and something else is asked for.
    """
    row = await load_credential(session, org_id, credential_id, lock=True)
    if row.status == status:
        return view_credential(row)
    if row.status == REVOKED:
        raise CredentialRevokedError("The credential is revoked, which is final.")
    marked = await _mark_copies(session, row, STATUS_VALUES[status], now)
    record = {"from": row.status, "to": status, "actor": actor}
    append_audit_entry(
        session, org_id=org_id, kind="credential.status", subject_id=row.id, record=record, recorded_at=now
    )
    row.status, row.status_reason, row.status_changed_at = status, reason, now
    session.add(row)
    await _tell(session, row, marked, now)
    return view_credential(row)


async def _tell(session: AsyncSession, row: Credential, marked: Mapping[str, Sequence[int]], now: datetime) -> None:
    """Write the event, and have the platforms told that rely on the credential."""
    add_event(
        session,
        org_id=row.org_id,
        kind=_EVENTS[row.status],
        data={
            "credential_id": row.id,
            "credential_configuration_id": row.credential_configuration_id,
            "status": row.status,
        },
        subject=f"credential/{row.id}",
        now=now,
    )
    for list_id, indices in marked.items():
        connection = await session.connection()
        await request_recheck(connection, org_id=row.org_id, status_list=list_id, is_own=True, indices=indices, now=now)


async def read_status_list_token(
    database: Database, signer: Signer, issuer: Issuer, list_id: str, now: datetime
) -> str:
    """Return the Status List Token of the present tick, signing it if nobody asked before.

    Raises:
        NotFoundError: This issuer has no such list.
    """
    issued_at = start_of_tick(now)
    async with database.reading() as session:
        row = await session.get(StatusList, (issuer.org_id, list_id))
    if row is None:
        raise NotFoundError
    if row.token is not None and row.token_issued_at is not None and row.token_issued_at >= issued_at:
        return row.token
    async with database.transaction() as session:
        return await _renew_token(session, signer, issuer, list_id, issued_at)


async def list_status_list_uris(session: AsyncSession, issuer: Issuer) -> Sequence[str]:
    """Return the addresses of all status lists of an issuer."""
    query = select(StatusList.id).where(StatusList.org_id == issuer.org_id).order_by(StatusList.id)
    return [issuer.status_list_uri(list_id) for list_id in (await session.exec(query)).all()]


def seconds_to_next_tick(now: datetime) -> int:
    """Return how long the present token may be kept by a cache."""
    return int((start_of_tick(now) + TICK - now).total_seconds())


def start_of_tick(now: datetime) -> datetime:
    """Return when the lists were signed that are published at ``now``, aware UTC."""
    return _floor(now, TICK)


def compute_list_expiry(issued_at: datetime) -> datetime:
    """Return until when a list says anything, aware UTC; the same for all that are signed within an hour."""
    return _floor(issued_at, timedelta(hours=1)) + timedelta(hours=1) + _VALID_AT_LEAST


async def _mark_copies(
    session: AsyncSession, row: Credential, value: int, now: datetime
) -> Mapping[str, Sequence[int]]:
    """Set every copy's entry; returns the entries by list."""
    query = select(CredentialCopy).where(CredentialCopy.org_id == row.org_id, CredentialCopy.credential_id == row.id)
    indices: dict[str, list[int]] = defaultdict(list)
    for copy in (await session.exec(query)).all():
        indices[copy.status_list_id].append(copy.status_index)
    for list_id in sorted(indices):  # one order for all, so that two changes never wait for each other
        status_list = await lock_list(session, row.org_id, list_id)
        packed = bytearray(status_list.packed)
        for index in indices[list_id]:
            previous = get_status(packed, status_list.bits, index)
            set_status(packed, status_list.bits, index, value)
            await record_status_change(session, row.org_id, list_id, index, previous=previous, value=value, now=now)
        status_list.packed, status_list.changed_at = bytes(packed), now
        session.add(status_list)
    return indices


async def _renew_token(session: AsyncSession, signer: Signer, issuer: Issuer, list_id: str, issued_at: datetime) -> str:
    row = await lock_list(session, issuer.org_id, list_id)
    if row.token is not None and row.token_issued_at is not None and row.token_issued_at >= issued_at:
        return row.token  # another worker was first
    claims = build_status_list_claims(
        uri=issuer.status_list_uri(list_id),
        bits=row.bits,
        packed=row.packed,
        issued_at=issued_at,
        expires_at=compute_list_expiry(issued_at),
        ttl=TTL,
    )
    claims["iss"] = issuer.identifier
    claims["status_list"]["aggregation_uri"] = f"{issuer.identifier}/status-lists"
    key = await get_active_key(session, issuer.org_id, ISSUER)
    row.token = sign_token(signer, key, typ=TYP, claims=claims, certified_at=issued_at)
    row.token_issued_at = issued_at
    session.add(row)
    return row.token


async def lock_list(session: AsyncSession, org_id: str, list_id: str) -> StatusList:
    """Return a list that exists, locked until the transaction ends."""
    query = select(StatusList).where(col(StatusList.org_id) == org_id, col(StatusList.id) == list_id)
    return (await session.exec(query.with_for_update())).one()


def _floor(instant: datetime, step: timedelta) -> datetime:
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(instant.timestamp()) // seconds * seconds, UTC)
