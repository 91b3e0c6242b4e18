"""The append-only record of what happened."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from service.storage.types import Instant


class AuditEntry(SQLModel, table=True):
    """One event, written in the transaction that it records. Never updated, but once: with its place in the log.

    ``commitment`` is what the log shows; ``nonce`` opens it.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index(
            "ix_audit_entry_waiting",
            "recorded_at",
            "id",
            sqlite_where=text("idx IS NULL"),
            postgresql_where=text("idx IS NULL"),
        ),
        Index(
            "ix_audit_entry_access",
            "org_id",
            "id",
            sqlite_where=text("kind = 'personal_data.accessed'"),
            postgresql_where=text("kind = 'personal_data.accessed'"),
        ),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    kind: str
    subject_id: str = Field(index=True)
    recorded_at: datetime = Field(sa_type=Instant)
    record: str
    record_sha256: str
    commitment: bytes
    nonce: bytes
    idx: int | None = Field(default=None, unique=True, sa_type=BigInteger)
