"""Organisations, their API clients, their public keys, and answers kept for retries."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn

SYSTEM_ORG_ID = "org_system"  # owner of keys that belong to the deployment, not to a customer


class Organization(SQLModel, table=True):
    """A party: issuer, platform (verifier and gate), or operator."""

    __tablename__ = "organization"

    id: str = Field(primary_key=True)
    slug: str = Field(unique=True)
    name: str
    roles: list[str] = Field(sa_type=JsonColumn)
    did: str = Field(unique=True)
    attester_class: str | None = None
    attester_register_id: str | None = None
    is_transfer_agent: bool = False
    trust_version: int = 0
    created_at: datetime = Field(sa_type=Instant)


class ApiClient(SQLModel, table=True):
    """An OAuth2 client of one organisation. Secrets are random, so a plain digest is enough.

    A client with ``jwks`` signs what it authenticates with; its digest is empty, which no secret has.
    """

    __tablename__ = "api_client"

    org_id: str = Field(primary_key=True, foreign_key="organization.id")
    client_id: str = Field(primary_key=True, unique=True)
    name: str
    secret_sha256: str
    jwks: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    scopes: list[str] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class SigningKey(SQLModel, table=True):
    """The public half of a key in the keystore.

    The newest row of a purpose without ``retired_at`` signs; rows are published until ``published_until``.
    ``x5c`` is the key's certificate chain without its trust anchor, base64 DER, leaf first.
    """

    __tablename__ = "signing_key"

    org_id: str = Field(primary_key=True)
    kid: str = Field(primary_key=True)
    purpose: str
    alg: str
    public_jwk: dict[str, Any] = Field(sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=Instant)
    retired_at: datetime | None = Field(default=None, sa_type=Instant)
    published_until: datetime | None = Field(default=None, sa_type=Instant)
    x5c: list[str] | None = Field(default=None, sa_type=JsonColumn)
    certified_from: datetime | None = Field(default=None, sa_type=Instant)
    certified_until: datetime | None = Field(default=None, sa_type=Instant)


class IdempotencyRecord(SQLModel, table=True):
    """The first answer to a request that carried an Idempotency-Key; sealed, it may hold a one-time code.

    ``subject`` is whom the answer tells of, if of anybody: it goes when they are erased.
    """

    __tablename__ = "idempotency_record"

    org_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_sha256: str
    status: int
    subject: str | None = None
    sealed_body: bytes
    created_at: datetime = Field(sa_type=Instant, index=True)
