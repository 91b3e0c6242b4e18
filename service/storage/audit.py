"""Write the audit record, in the transaction of what it records."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.canonical import canonicalize
from service.credentials.commitment import NONCE_SIZE, build_log_record, commit_to_record
from service.storage.core import insert_rows
from service.storage.ids import new_id
from service.storage.tables import AuditEntry

PERSONAL_DATA_ACCESSED = "personal_data.accessed"
INVESTOR_ERASED, PERSON_ERASED, PRESENTATIONS_ERASED = "investor.erased", "person.erased", "presentations.erased"
ERASED_KINDS = (INVESTOR_ERASED, PERSON_ERASED, PRESENTATIONS_ERASED)


def append_audit_entry(
    session: AsyncSession, *, org_id: str, kind: str, subject_id: str, record: Mapping[str, Any], recorded_at: datetime
) -> AuditEntry:
    """Add one entry to the session; it is durable when the caller's transaction commits, and logged soon after.

    Args:
        org_id: Owner of the record.
        kind: What happened: ``issuance.intent``, ``credential.status``, ``transfer.decided``, ...
        subject_id: Id of what it happened to.
        record: JSON values only, no personal data; kept as RFC 8785 canonical JSON.
        recorded_at: Aware UTC.
    """
    entry = AuditEntry(
        **build_audit_entry(org_id=org_id, kind=kind, subject_id=subject_id, record=record, recorded_at=recorded_at)
    )
    session.add(entry)
    return entry


async def write_audit_entry(
    connection: AsyncConnection,
    *,
    org_id: str,
    kind: str,
    subject_id: str,
    record: Mapping[str, Any],
    recorded_at: datetime,
) -> None:
    """Write one entry off the ORM; arguments as in ``append_audit_entry``."""
    entry = build_audit_entry(org_id=org_id, kind=kind, subject_id=subject_id, record=record, recorded_at=recorded_at)
    await insert_rows(connection, AuditEntry, [entry])


def build_audit_entry(
    *, org_id: str, kind: str, subject_id: str, record: Mapping[str, Any], recorded_at: datetime
) -> dict[str, Any]:
    """Build the columns of one entry; arguments as in ``append_audit_entry``."""
    canonical = canonicalize(dict(record))
    entry_id, nonce = new_id("aud"), secrets.token_bytes(NONCE_SIZE)
    logged = build_log_record(
        org_id=org_id, entry_id=entry_id, kind=kind, subject_id=subject_id, recorded_at=recorded_at, record=record
    )
    return {
        "org_id": org_id,
        "id": entry_id,
        "kind": kind,
        "subject_id": subject_id,
        "recorded_at": recorded_at,
        "record": canonical.decode(),
        "record_sha256": hashlib.sha256(canonical).hexdigest(),
        "commitment": commit_to_record(nonce, logged),
        "nonce": nonce,
    }


def read_log_record(entry: AuditEntry) -> dict[str, Any]:
    """Return the whole record that the entry's commitment is about."""
    return build_log_record(
        org_id=entry.org_id,
        entry_id=entry.id,
        kind=entry.kind,
        subject_id=entry.subject_id,
        recorded_at=entry.recorded_at,
        record=json.loads(entry.record),
    )
