"""What an issuer reviews before it offers a credential."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from service.storage.types import Instant


class ReviewCase(SQLModel, table=True):
    """One review of one person's figures. The figures, their working and the reason of a refusal are sealed."""

    __tablename__ = "review_case"
    __table_args__ = (
        CheckConstraint("state IN ('open','reviewed','approved','declined')", name="ck_review_case_state"),
        Index("ix_review_case_state", "org_id", "state", "id"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    credential_configuration_id: str
    subject_ref: str
    state: str = "open"
    opened_by: str
    created_at: datetime = Field(sa_type=Instant)
    rule_id: str | None = None
    passed: bool | None = None
    as_of: date | None = None
    rules_version: str | None = None
    sealed_review: bytes | None = None
    reviewed_by: str | None = None
    reviewed_at: datetime | None = Field(default=None, sa_type=Instant)
    decided_by: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    sealed_reason: bytes | None = None
    offer_id: str | None = None
