"""Legal holds: what stops every erasure of a person, and what they leave in the log."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import NotFoundError
from service.keys import Signer
from service.privacy.duties import find_duty, is_holding
from service.storage.audit import append_audit_entry
from service.storage.subject_keys import DataKey, ensure_subject_key, name_investor, read_subject_keys
from service.storage.tables import LegalHold
from service.web.auth import Caller
from service.web.instants import format_instant


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody whom an organisation knows.

    Attributes:
        name: As ``service.storage.subject_keys`` names them.
        ref: The organisation's own name for them, under which they stand in its audit entries.
    """

    org_id: str
    name: str
    ref: str


async def _open_key(connection: AsyncConnection, signer: Signer, subject: Subject) -> DataKey:
    keys = await read_subject_keys(connection, signer, subject.org_id, [subject.name])
    if subject.name not in keys:
        raise NotFoundError
    return keys[subject.name]


async def _find_key(session: AsyncSession, signer: Signer, subject: Subject, now: datetime) -> DataKey:
    """Return the key of somebody whom the organisation knows, or has on its register or among its decisions only."""
    connection = await session.connection()
    if subject.name == name_investor(subject.ref) and (
        await is_holding(session, subject.org_id, subject.ref)
        or await find_duty(session, subject.org_id, subject.ref, matched_at=None)
    ):
        return await ensure_subject_key(connection, signer, subject.org_id, subject.name, now)
    return await _open_key(connection, signer, subject)


async def place_hold(
    session: AsyncSession, signer: Signer, subject: Subject, caller: Caller, now: datetime, **why: str
) -> tuple[dict[str, Any], bool]:
    """Place a hold or change why it stands; returns its wire form and whether it is new.

    Args:
        why: ``reason`` and ``reference``.

    Raises:
        NotFoundError: The organisation knows nobody of this name.
    """
    key = await _find_key(session, signer, subject, now)
    row = await session.get(LegalHold, (subject.org_id, subject.name))
    is_new = row is None
    sealed = key.seal(json.dumps(why).encode(), context=_context(subject))
    if row is None:
        row = LegalHold(
            org_id=subject.org_id, subject=subject.name, sealed=sealed, placed_by=caller.client_id, placed_at=now
        )
    row.sealed = sealed
    session.add(row)
    _audit(session, subject, "legal_hold.placed" if is_new else "legal_hold.changed", caller, now)
    return _describe(row, why), is_new


async def read_hold(session: AsyncSession, signer: Signer, subject: Subject) -> dict[str, Any]:
    """Return the wire form of the hold that stands.

    Raises:
        NotFoundError: None does, or nobody of this name is known.
    """
    row = await session.get(LegalHold, (subject.org_id, subject.name))
    if row is None:
        raise NotFoundError
    key = await _open_key(await session.connection(), signer, subject)
    return _describe(row, json.loads(key.unseal(row.sealed, context=_context(subject))))


async def lift_hold(session: AsyncSession, subject: Subject, caller: Caller, now: datetime) -> None:
    """End a hold.

    Raises:
        NotFoundError: None stands, or nobody of this name is known.
    """
    row = await session.get(LegalHold, (subject.org_id, subject.name))
    if row is None:
        raise NotFoundError
    await session.delete(row)
    _audit(session, subject, "legal_hold.lifted", caller, now)


async def is_held(session: AsyncSession, subject: Subject) -> bool:
    """Tell whether a hold stands."""
    return await session.get(LegalHold, (subject.org_id, subject.name)) is not None


def _context(subject: Subject) -> str:
    return f"legal hold {subject.org_id} {subject.name}"


def _describe(row: LegalHold, why: dict[str, str]) -> dict[str, Any]:
    return {**why, "placed_by": row.placed_by, "placed_at": format_instant(row.placed_at)}


def _audit(session: AsyncSession, subject: Subject, kind: str, caller: Caller, now: datetime) -> None:
    append_audit_entry(
        session,
        org_id=subject.org_id,
        kind=kind,
        subject_id=subject.ref,
        record={"client_id": caller.client_id},
        recorded_at=now,
    )
