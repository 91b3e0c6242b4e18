"""What an issuer keeps: offers, grants, copies, status lists."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn


class Subject(SQLModel, table=True):
    """The stable, random ``sub`` of one person at one issuer."""

    __tablename__ = "subject"

    org_id: str = Field(primary_key=True)
    subject_ref: str = Field(primary_key=True)
    sub: str
    created_at: datetime = Field(sa_type=Instant)


_SEALED = text("length(sealed_claims) > 0")


class CredentialOffer(SQLModel, table=True):
    """A credential waiting to be fetched. Claims and code are sealed, and emptied once nobody needs them.

    ``deferral`` is held, released or denied where the issuer decides later; ``holder_jwks`` are the keys that the
    wallet proved when it asked the first time, at ``deferred_at``.
    The code is a pre-authorized code, or the ``issuer_state`` of an offer with the authorization code grant.
    ``renews`` names the credential whose wallet may fetch this one with its refresh token.
    """

    __tablename__ = "credential_offer"
    __table_args__ = (
        CheckConstraint("state IN ('pending','redeemed','cancelled')", name="ck_credential_offer_state"),
        Index("ix_credential_offer_renews", "org_id", "renews"),
        Index("ix_credential_offer_sealed", "expires_at", sqlite_where=_SEALED, postgresql_where=_SEALED),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True, unique=True)
    credential_configuration_id: str
    subject_ref: str
    sealed_claims: bytes
    grant_type: str = "pre-authorized_code"
    sealed_code: bytes
    code_sha256: str = Field(unique=True)
    code_redeemed_at: datetime | None = Field(default=None, sa_type=Instant)
    tx_code_digest: str | None = None
    tx_code_attempts: int = 0
    state: str = "pending"
    renews: str | None = None
    credential_expires_on: date | None = None
    deferral: str | None = None
    deferred_at: datetime | None = Field(default=None, sa_type=Instant)
    transaction_sha256: str | None = None
    holder_jwks: list[dict[str, str]] | None = Field(default=None, sa_type=JsonColumn)
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)


class IssuanceToken(SQLModel, table=True):
    """An access token of the credential endpoint, for one offer; ``client_id`` is what the wallet called itself.

    ``dpop_jkt`` is the thumbprint of the key that it is bound to; empty for a bearer token.
    """

    __tablename__ = "issuance_token"
    __table_args__ = (Index("ix_issuance_token_grant", "org_id", "grant_id"),)

    org_id: str = Field(primary_key=True)
    token_sha256: str = Field(primary_key=True)
    offer_id: str
    credential_identifier: str | None = None
    client_id: str | None = None
    dpop_jkt: str | None = None
    grant_id: str | None = None
    expires_at: datetime = Field(sa_type=Instant, index=True)


class Credential(SQLModel, table=True):
    """One grant; its copies share its status. ``sealed_claims`` is what it says, for letters and renewals."""

    __tablename__ = "credential"
    __table_args__ = (
        CheckConstraint("status IN ('valid','suspended','revoked')", name="ck_credential_status"),
        UniqueConstraint("org_id", "offer_id", name="uq_credential_offer"),
        Index("ix_credential_subject", "org_id", "subject_ref"),
        Index("ix_credential_expiry", "org_id", "expires_at", "id"),
    )

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    offer_id: str
    credential_configuration_id: str
    subject_ref: str
    status: str = "valid"
    status_reason: str | None = None
    status_changed_at: datetime | None = Field(default=None, sa_type=Instant)
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    sealed_claims: bytes | None = None


class CredentialLetter(SQLModel, table=True):
    """The letter about a grant in a language, as it was made once and sealed; ``sha256`` is of the PDF."""

    __tablename__ = "credential_letter"
    __table_args__ = (Index("ix_credential_letter_sha256", "sha256"),)

    org_id: str = Field(primary_key=True)
    credential_id: str = Field(primary_key=True)
    language: str = Field(primary_key=True)
    sealed: bytes
    sha256: str
    made_by: str
    made_at: datetime = Field(sa_type=Instant)


class CredentialCopy(SQLModel, table=True):
    """One signed copy, bound to one holder key. ``signed_at`` is empty between intent and signature."""

    __tablename__ = "credential_copy"
    __table_args__ = (
        UniqueConstraint("org_id", "status_list_id", "status_index", name="uq_credential_copy_status"),
        Index("ix_credential_copy_digest", "digest"),
    )

    org_id: str = Field(primary_key=True)
    credential_id: str = Field(primary_key=True)
    copy_number: int = Field(primary_key=True)
    status_list_id: str
    status_index: int
    holder_thumbprint: str
    issuer_kid: str
    signed_at: datetime | None = Field(default=None, sa_type=Instant)
    digest: str | None = None


class StatusList(SQLModel, table=True):
    """The packed statuses of many credentials (IETF Token Status List, two bits each)."""

    __tablename__ = "status_list"

    org_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    bits: int
    capacity: int
    allocated: int = 0
    packed: bytes
    changed_at: datetime = Field(sa_type=Instant)
    token: str | None = None
    token_issued_at: datetime | None = Field(default=None, sa_type=Instant)


class PublishedBitstring(SQLModel, table=True):
    """What a status list says for one purpose, as the W3C's credential, signed for one tick."""

    __tablename__ = "published_bitstring"

    org_id: str = Field(primary_key=True)
    list_id: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    credential: str
    issued_at: datetime = Field(sa_type=Instant)


class SpentNonce(SQLModel, table=True):
    """A ``c_nonce`` that was used; the primary key makes a second use fail."""

    __tablename__ = "spent_nonce"

    org_id: str = Field(primary_key=True)
    nonce_sha256: str = Field(primary_key=True)
    expires_at: datetime = Field(sa_type=Instant, index=True)


class IssuanceNotification(SQLModel, table=True):
    """What a wallet reported about a credential response (OpenID4VCI 1.0, section 11).

    ``token_sha256`` is for workers of an older version, which write it; nothing reads it.
    """

    __tablename__ = "issuance_notification"

    org_id: str = Field(primary_key=True)
    notification_id: str = Field(primary_key=True)
    token_sha256: str | None = None
    credential_id: str
    event: str | None = None
    event_description: str | None = None
    received_at: datetime | None = Field(default=None, sa_type=Instant)


class KeyAttestationPolicy(SQLModel, table=True):
    """Whose key attestations an issuer believes, and for which credentials it requires one, both as they were sent."""

    __tablename__ = "key_attestation_policy"

    org_id: str = Field(primary_key=True)
    attesters: list[dict[str, Any]] = Field(sa_type=JsonColumn)
    required: dict[str, dict[str, Any]] = Field(sa_type=JsonColumn)
    updated_at: datetime = Field(sa_type=Instant)
