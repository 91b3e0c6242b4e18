"""What a platform keeps: whom it trusts, what it asked, and each investor's standing."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn


class TrustedIssuer(SQLModel, table=True):
    """An issuer that the organisation believes, for which types, jurisdictions and as what.

    With ``x509_anchors`` (PEM, one certificate each) its keys come from certificates below them, and nowhere else.
    ``max_status_age``, in seconds, bounds how long ago its status lists may have been signed.
    """

    __tablename__ = "trusted_issuer"

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    issuer: str
    credential_types: list[str] = Field(sa_type=JsonColumn)
    jurisdictions: list[str] = Field(sa_type=JsonColumn)
    attester_class: str | None = None
    attester_register_id: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    x509_anchors: list[str] | None = Field(default=None, sa_type=JsonColumn)
    max_status_age: int | None = None
    trust_version: int
    updated_at: datetime = Field(sa_type=Instant)


_HELD = text("sealed_held_answer IS NOT NULL")


class PresentationRequest(SQLModel, table=True):
    """One OpenID4VP request. Leaving ``pending`` happens once, in the transaction that keeps the verdict.

    ``sealed_answer`` holds a ``PresentedContent`` of ``service.storage.personal_data``, under the investor's key, or
    under one of the request's own where it names no investor.
    """

    __tablename__ = "presentation_request"
    __table_args__ = (
        CheckConstraint("state IN ('pending','verified','rejected')", name="ck_presentation_request_state"),
        Index(
            "ix_presentation_request_held",
            "org_id",
            "expires_at",
            sqlite_where=_HELD,
            postgresql_where=_HELD,
        ),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True, unique=True)
    state: str = "pending"
    purpose: str | None = None
    dcql_query: dict[str, Any] = Field(sa_type=JsonColumn)
    investor_ref: str | None = None
    response_mode: str
    client_id: str
    request_uri_method: str = "get"
    nonce: str
    wallet_state: str  # the ``state`` parameter, which the answer must bring back
    request_object: str  # a compact JWS; JSON of the parameters where the request is unsigned
    expected_origins: list[str] | None = Field(default=None, sa_type=JsonColumn)  # Digital Credentials API only
    transaction_data: list[str] | None = Field(default=None, sa_type=JsonColumn)
    redirect_uri: str | None = None
    response_code: str | None = None  # sent to the browser that answered; ties the answer to its session
    same_device: bool = False  # the answer counts only once that browser came back
    sealed_held_answer: bytes | None = None  # an answer that verified and waits for this
    held_at: datetime | None = Field(default=None, sa_type=Instant)
    sealed_decryption_key: bytes | None = None
    sealed_answer: bytes | None = None
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    answered_at: datetime | None = Field(default=None, sa_type=Instant)


class VerifierAttestation(SQLModel, table=True):
    """What a third party says of a verifier and one of its keys, to show to wallets."""

    __tablename__ = "verifier_attestation"

    org_id: str = Field(primary_key=True)
    kid: str = Field(primary_key=True)
    token: str
    subject: str
    issuer: str
    expires_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class Investor(SQLModel, table=True):
    """An investor as one platform knows them. Bound to one KYC (``iss``, ``sub``) by the first presentation.

    ``sealed`` holds an ``InvestorContent`` of ``service.storage.personal_data``.
    """

    __tablename__ = "investor"

    org_id: str = Field(primary_key=True)
    ref: str = Field(primary_key=True)
    frozen: bool = False
    kyc_issuer: str | None = None
    sealed: bytes | None = None
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class StandingCredential(SQLModel, table=True):
    """A credential that the investor presented and that verified: minimal facts, their source, their expiry.

    ``sealed`` holds a ``StandingContent`` of ``service.storage.personal_data``.
    """

    __tablename__ = "standing_credential"
    __table_args__ = (
        Index("ix_standing_investor", "org_id", "investor_ref"),
        Index("ix_standing_status", "status_uri"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    investor_ref: str
    request_id: str
    credential_type: str
    vct: str
    issuer: str
    sealed: bytes
    status_uri: str | None = None
    issued_at: datetime | None = Field(default=None, sa_type=Instant)
    not_before: datetime | None = Field(default=None, sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    presented_at: datetime = Field(sa_type=Instant)


class StandingStatusList(SQLModel, table=True):
    """A further list that keeps the status of a presented credential, beside the one that its own row names.

    Where in the list is in the row's ``sealed``.
    """

    __tablename__ = "standing_status_list"
    __table_args__ = (Index("ix_standing_status_list_uri", "uri"),)

    org_id: str = Field(primary_key=True)
    standing_id: str = Field(primary_key=True)
    uri: str = Field(primary_key=True)


class HeldStatusList(SQLModel, table=True):
    """A verified copy of a status list of an issuer outside this deployment, as decisions read it.

    ``max_age_seconds`` is the platform's policy; ``used_at`` is about when a credential on the list was looked at last.
    """

    __tablename__ = "held_status_list"
    __table_args__ = (Index("ix_held_status_list_issuer", "org_id", "issuer"),)

    org_id: str = Field(primary_key=True)
    uri: str = Field(primary_key=True)
    issuer: str
    bits: int
    packed: bytes
    issued_at: datetime = Field(sa_type=Instant)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    ttl_seconds: int | None = None
    max_age_seconds: int | None = None
    aggregation_uri: str | None = None
    fetched_at: datetime = Field(sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)


class CachedDocument(SQLModel, table=True):
    """A key set, certificate chain or DID document fetched from an issuer outside this deployment."""

    __tablename__ = "cached_document"

    org_id: str = Field(primary_key=True)
    url: str = Field(primary_key=True)
    body: str
    issued_at: datetime | None = Field(default=None, sa_type=Instant)
    fetched_at: datetime = Field(sa_type=Instant)


class IssuerKeySighting(SQLModel, table=True):
    """When a key of an issuer outside this deployment was first seen; never changed, so that no date moves back.

    ``absent_at`` is the last look before that, at which the issuer did not publish the key; None at the first look.
    """

    __tablename__ = "issuer_key_sighting"

    org_id: str = Field(primary_key=True)
    issuer: str = Field(primary_key=True)
    thumbprint: str = Field(primary_key=True)
    absent_at: datetime | None = Field(default=None, sa_type=Instant)
    first_seen_at: datetime = Field(sa_type=Instant)
