"""The append-only record of what happened."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from service.storage.types import Instant


class AuditEntry(SQLModel, table=True):
    """One event, written in the transaction that it records. Never updated."""

    __tablename__ = "audit_entry"

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    kind: str
    subject_id: str = Field(index=True)
    recorded_at: datetime = Field(sa_type=Instant)
    record: str
    record_sha256: str
