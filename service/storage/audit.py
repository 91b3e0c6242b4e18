"""Write the audit record, in the transaction of what it records."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import rfc8785
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.ids import new_id
from service.storage.tables import AuditEntry


def append_audit_entry(
    session: AsyncSession, *, org_id: str, kind: str, subject_id: str, record: Mapping[str, Any], recorded_at: datetime
) -> AuditEntry:
    """Add one entry to the session; it is durable when the caller's transaction commits.

    Args:
        org_id: Owner of the record.
        kind: What happened: ``issuance.intent``, ``credential.status``, ``transfer.decided``, ...
        subject_id: Id of what it happened to.
        record: JSON values only, no personal data; kept as RFC 8785 canonical JSON.
        recorded_at: Aware UTC.
    """
    canonical = rfc8785.dumps(dict(record))
    entry = AuditEntry(
        org_id=org_id,
        id=new_id("aud"),
        kind=kind,
        subject_id=subject_id,
        recorded_at=recorded_at,
        record=canonical.decode(),
        record_sha256=hashlib.sha256(canonical).hexdigest(),
    )
    session.add(entry)
    return entry
