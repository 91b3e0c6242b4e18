"""What happened to a grant: its status in the published lists, and its audit entries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import get_status
from service.issuer.status import STATUS_VALUES
from service.storage.tables import AuditEntry, CredentialCopy, StatusList

MAX_ENTRIES = 200
_NAMES = {value: name for name, value in STATUS_VALUES.items()}


@dataclass(frozen=True, slots=True)
class PublishedStatus:
    """What verifiers read about one copy: ``valid``, ``suspended``, ``revoked``, or ``unknown``."""

    copy_number: int
    list_id: str
    index: int
    status: str


@dataclass(frozen=True, slots=True)
class GrantEvent:
    """One audit entry about a grant; ``facts`` is its record."""

    at: datetime
    kind: str
    facts: Mapping[str, Any]


async def read_published_statuses(session: AsyncSession, org_id: str, credential_id: str) -> Sequence[PublishedStatus]:
    """Read the status of every signed copy from the lists themselves, in the order of the copies."""
    query = (
        select(CredentialCopy, StatusList)
        .where(CredentialCopy.org_id == org_id, CredentialCopy.credential_id == credential_id)
        .where(StatusList.org_id == CredentialCopy.org_id, StatusList.id == CredentialCopy.status_list_id)
        .where(col(CredentialCopy.signed_at).is_not(None))
        .order_by(col(CredentialCopy.copy_number))
    )
    return [
        PublishedStatus(
            copy.copy_number,
            copy.status_list_id,
            copy.status_index,
            _NAMES.get(get_status(published.packed, published.bits, copy.status_index), "unknown"),
        )
        for copy, published in (await session.exec(query)).all()
    ]


async def list_grant_events(session: AsyncSession, org_id: str, credential_id: str) -> Sequence[GrantEvent]:
    """Return what was recorded about a grant, oldest first; nothing of another organisation's."""
    query = (
        select(AuditEntry)
        .where(AuditEntry.org_id == org_id, AuditEntry.subject_id == credential_id, AuditEntry.record != "")
        .order_by(col(AuditEntry.id))
        .limit(MAX_ENTRIES)
    )
    rows = (await session.exec(query)).all()
    return [GrantEvent(row.recorded_at, row.kind, json.loads(row.record)) for row in rows]
