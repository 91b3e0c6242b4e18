"""What an issuer reviews before it offers a credential."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from service.storage.types import Instant


class ReviewCase(SQLModel, table=True):
    """One review of one person's figures. The figures, their working and the reason of a refusal are sealed."""

    __tablename__ = "review_case"
    __table_args__ = (
        CheckConstraint("state IN ('open','waiting','reviewed','approved','declined')", name="ck_review_case_state"),
        Index("ix_review_case_state", "org_id", "state", "id"),
        Index("ix_review_case_offer", "org_id", "offer_id"),
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


class CaseEvidence(SQLModel, table=True):
    """One file of a case. Its name, and what it is for, are sealed; ``sha256`` is of the file as it was sent."""

    __tablename__ = "case_evidence"
    __table_args__ = (Index("ix_case_evidence_case", "org_id", "case_id", "id"),)

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    case_id: str
    media_type: str
    size: int
    sha256: str
    sealed_description: bytes
    added_by: str
    added_at: datetime = Field(sa_type=Instant)


class CaseEvidenceContent(SQLModel, table=True):
    """The bytes of a file, sealed; apart from its row, which lists read."""

    __tablename__ = "case_evidence_content"

    org_id: str = Field(primary_key=True)
    evidence_id: str = Field(primary_key=True)
    sealed: bytes


class CaseInformationRequest(SQLModel, table=True):
    """What a reviewer still wants to see. The message is sealed; ``answered_at`` is when the case went on."""

    __tablename__ = "case_information_request"
    __table_args__ = (Index("ix_case_information_request_case", "org_id", "case_id", "id"),)

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    case_id: str
    sealed_message: bytes
    requested_by: str
    requested_at: datetime = Field(sa_type=Instant)
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
