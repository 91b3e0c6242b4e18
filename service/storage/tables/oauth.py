"""Wallets that an issuer knows, the makers whom it believes about theirs, and proofs that were used."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, false
from sqlmodel import Field, SQLModel

from service.storage.types import Instant, JsonColumn


class WalletClient(SQLModel, table=True):
    """A wallet that is registered at one issuer; ``jwks`` is there for ``private_key_jwt`` alone."""

    __tablename__ = "wallet_client"
    __table_args__ = (
        CheckConstraint(
            "token_endpoint_auth_method IN ('none','private_key_jwt','attest_jwt_client_auth')",
            name="ck_wallet_client_method",
        ),
    )

    org_id: str = Field(primary_key=True, foreign_key="organization.id")
    client_id: str = Field(primary_key=True)
    name: str
    redirect_uris: list[str] = Field(sa_type=JsonColumn)
    token_endpoint_auth_method: str
    jwks: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    dpop_bound_access_tokens: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    updated_at: datetime = Field(sa_type=Instant)


class WalletProvider(SQLModel, table=True):
    """A maker of wallets whose attestations an issuer believes, for the wallets in ``client_ids``.

    Its keys are in ``jwks``, or come from certificates below one of ``x509_anchors`` (PEM, one certificate each).
    """

    __tablename__ = "wallet_provider"

    org_id: str = Field(primary_key=True, foreign_key="organization.id")
    id: str = Field(primary_key=True)
    name: str
    client_ids: list[str] = Field(sa_type=JsonColumn)
    jwks: dict[str, Any] | None = Field(default=None, sa_type=JsonColumn)
    x509_anchors: list[str] = Field(default_factory=list, sa_type=JsonColumn)
    updated_at: datetime = Field(sa_type=Instant)


class SpentProof(SQLModel, table=True):
    """The ``jti`` of a DPoP proof, client assertion or attestation proof that was used; a second use finds it here."""

    __tablename__ = "spent_proof"

    org_id: str = Field(primary_key=True)
    proof_sha256: str = Field(primary_key=True)
    expires_at: datetime = Field(sa_type=Instant, index=True)
