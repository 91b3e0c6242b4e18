"""What an erased person leaves in the audit trail: leaves of the log that nothing opens any more, and a tombstone.

An entry about the person loses its record and its nonce. Its commitment stays, and with it every proof; without the
nonce it is a number. The tombstone is an entry of its own, which names those that were emptied: one that is empty and
not named was tampered with.

Source: gate.md section 5.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.audit import ERASED_KINDS, append_audit_entry
from service.storage.tables import AuditEntry

_AT_ONCE = 500


async def empty_entries(
    session: AsyncSession, org_id: str, subject_ids: Collection[str], kinds: Collection[str], *, tombstone: str
) -> list[str]:
    """Empty the entries of these kinds about these subjects; returns their ids."""
    emptied: list[str] = []
    wanted = sorted(subject_ids)
    for start in range(0, len(wanted), _AT_ONCE):
        about = col(AuditEntry.subject_id).in_(wanted[start : start + _AT_ONCE])
        emptied += await _empty(session, org_id, kinds, about, tombstone)
    return emptied


async def empty_entries_naming(
    session: AsyncSession, org_id: str, member: str, ref: str, kinds: Collection[str], *, tombstone: str
) -> list[str]:
    """Empty the entries of these kinds whose record has the member with this ref; returns their ids."""
    named = col(AuditEntry.record).contains(f'"{member}":"{ref}"', autoescape=True)  # canonical JSON has no spaces
    return await _empty(session, org_id, kinds, named, tombstone)


async def _empty(
    session: AsyncSession, org_id: str, kinds: Collection[str], about: ColumnElement[bool], tombstone: str
) -> list[str]:
    chosen = (
        col(AuditEntry.org_id) == org_id,
        or_(*(_is_of_kind(each) for each in kinds)),
        col(AuditEntry.record) != "",
        about,
    )
    change = (
        update(AuditEntry)
        .where(*chosen)
        .values(subject_id=tombstone, record="", record_sha256="", nonce=b"")
        .returning(col(AuditEntry.id))
    )
    connection = await session.connection()
    return list((await connection.execute(change)).scalars())


def _is_of_kind(kind: str) -> ColumnElement[bool]:
    return col(AuditEntry.kind).startswith(kind) if kind.endswith(".") else col(AuditEntry.kind) == kind


def leave_tombstone(
    session: AsyncSession,
    org_id: str,
    kind: str,
    *,
    tombstone: str,
    emptied: Sequence[str],
    more: Mapping[str, Any],
    now: datetime,
) -> None:
    """Record an erasure; ``kind`` is one of ``ERASED_KINDS``."""
    assert kind in ERASED_KINDS
    record = {"entries": sorted(emptied), **more}
    append_audit_entry(session, org_id=org_id, kind=kind, subject_id=tombstone, record=record, recorded_at=now)
