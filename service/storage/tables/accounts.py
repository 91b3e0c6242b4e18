"""The people who work for an organisation, what they sign in with, and the browsers in which they are signed in."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn


class Account(SQLModel, table=True):
    """One person at one organisation. It is disabled, never deleted: the record names it as the one who acted."""

    __tablename__ = "account"

    org_id: str = Field(primary_key=True, foreign_key="organization.id")
    id: str = Field(primary_key=True, unique=True)
    name: str
    roles: list[str] = Field(sa_type=JsonColumn)
    language: str
    created_at: datetime = Field(sa_type=Instant)
    disabled_at: datetime | None = Field(default=None, sa_type=Instant)


class Passkey(SQLModel, table=True):
    """The public half of a passkey. ``sign_count`` is the highest that was seen; 0 where the device keeps none."""

    __tablename__ = "passkey"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "account_id"], ["account.org_id", "account.id"]),
        Index("ix_passkey_account", "org_id", "account_id"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    account_id: str
    credential_id: bytes = Field(unique=True)
    public_key: bytes
    sign_count: int = Field(sa_type=BigInteger)  # 32 bits without a sign
    name: str
    created_at: datetime = Field(sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class SignInLink(SQLModel, table=True):
    """A link that signs one person in once; its token is random, so a plain digest is enough."""

    __tablename__ = "sign_in_link"
    __table_args__ = (ForeignKeyConstraint(["org_id", "account_id"], ["account.org_id", "account.id"]),)

    org_id: str = Field(primary_key=True)
    token_sha256: str = Field(primary_key=True, unique=True)
    account_id: str
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant, index=True)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class BrowserSession(SQLModel, table=True):
    """A browser in which somebody is signed in; the cookie's secret is kept as a digest."""

    __tablename__ = "browser_session"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "account_id"], ["account.org_id", "account.id"]),
        Index("ix_browser_session_account", "org_id", "account_id"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    account_id: str
    secret_sha256: str = Field(unique=True)
    method: str
    created_at: datetime = Field(sa_type=Instant)
    seen_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
