"""What an issuer's authorization server keeps: pushed requests, grants of wallets, refresh tokens."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn


class AuthorizationRequest(SQLModel, table=True):
    """A pushed authorization request, the person's answer to it, and the code that came of it (RFC 9126, RFC 6749).

    ``browser_sha256`` is of the cookie of the one browser that opened it. ``scope_ids`` and
    ``detail_ids`` are the credential configurations asked for by ``scope`` and by ``authorization_details``.
    """

    __tablename__ = "authorization_request"
    __table_args__ = (CheckConstraint("outcome IN ('allowed','denied')", name="ck_authorization_request_outcome"),)

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    request_uri_sha256: str = Field(unique=True)
    client_id: str
    redirect_uri: str
    state: str | None = None
    code_challenge: str
    dpop_jkt: str | None = None
    instance_jkt: str | None = None
    scope_ids: list[str] = Field(sa_type=JsonColumn)
    detail_ids: list[str] = Field(sa_type=JsonColumn)
    offer_id: str | None = None
    expires_at: datetime = Field(sa_type=Instant, index=True)
    browser_sha256: str | None = None
    outcome: str | None = None
    code_sha256: str | None = Field(default=None, unique=True)
    code_expires_at: datetime | None = Field(default=None, sa_type=Instant)
    code_used_at: datetime | None = Field(default=None, sa_type=Instant)


class WalletGrant(SQLModel, table=True):
    """What a wallet was granted with an authorization code, and the refresh token that keeps it going.

    ``id`` is the authorization request's. The token before the newest one works until the newest was used, so that a
    lost answer may be asked for again.
    """

    __tablename__ = "wallet_grant"
    __table_args__ = (Index("ix_wallet_grant_offer", "org_id", "offer_id"),)

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    offer_id: str
    client_id: str
    dpop_jkt: str | None = None
    instance_jkt: str | None = None
    by_details: bool
    newest_sha256: str
    previous_sha256: str | None = None
    expires_at: datetime = Field(sa_type=Instant, index=True)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class RefreshToken(SQLModel, table=True):
    """Every refresh token that was given out, so that one that comes again is known."""

    __tablename__ = "refresh_token"
    __table_args__ = (Index("ix_refresh_token_grant", "org_id", "grant_id"),)

    org_id: str = Field(primary_key=True)
    token_sha256: str = Field(primary_key=True)
    grant_id: str
