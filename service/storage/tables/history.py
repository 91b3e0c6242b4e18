"""What was known when: a row for each change, written in the transaction of the change and never updated.

``document`` is the whole of what is kept of a person, in one column, so that it can be sealed as one.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn


class InvestorVersion(SQLModel, table=True):
    """An investor from ``recorded_at`` on: ``frozen``, ``screening``, ``kyc_issuer`` and ``kyc_sub``."""

    __tablename__ = "investor_version"

    org_id: str = Field(primary_key=True)
    ref: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    document: dict[str, Any] = Field(sa_type=JsonColumn)
    recorded_at: datetime = Field(sa_type=Instant)


class StandingVersion(SQLModel, table=True):
    """A presented credential from ``recorded_at`` on, as ``StandingCredential`` held it then."""

    __tablename__ = "standing_version"
    __table_args__ = (Index("ix_standing_version_investor", "org_id", "investor_ref"),)

    org_id: str = Field(primary_key=True)
    standing_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    investor_ref: str
    document: dict[str, Any] = Field(sa_type=JsonColumn)
    recorded_at: datetime = Field(sa_type=Instant)


class TrustedIssuerVersion(SQLModel, table=True):
    """An entry of a trust list from ``recorded_at`` on; without a document it is no longer on the list."""

    __tablename__ = "trusted_issuer_version"

    org_id: str = Field(primary_key=True)
    trust_version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    entry_id: str
    document: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    recorded_at: datetime = Field(sa_type=Instant)


class StatusChange(SQLModel, table=True):
    """A change of one entry of a status list of ours: before ``changed_at`` it was ``previous``."""

    __tablename__ = "status_change"

    org_id: str = Field(primary_key=True)
    list_id: str = Field(primary_key=True)
    idx: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    previous: int
    value: int
    changed_at: datetime = Field(sa_type=Instant)


class StatusListCopy(SQLModel, table=True):
    """One fetch of another issuer's status list, verified. ``content_sha256`` names what it said."""

    __tablename__ = "status_list_copy"

    org_id: str = Field(primary_key=True)
    uri: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    issuer: str
    bits: int
    content_sha256: str
    issued_at: datetime = Field(sa_type=Instant)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    ttl_seconds: int | None = None
    max_age_seconds: int | None = None
    fetched_at: datetime = Field(sa_type=Instant)


class StatusListContent(SQLModel, table=True):
    """The packed statuses of a copy, compressed, once for all fetches that found the same."""

    __tablename__ = "status_list_content"

    org_id: str = Field(primary_key=True)
    sha256: str = Field(primary_key=True)
    packed: bytes
