"""The authorization code grant: pushed requests, grants of wallets, refresh tokens.

Offers of before have a pre-authorized code.

Revision: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("credential_offer") as batch:
        batch.add_column(sa.Column("grant_type", sa.String(), nullable=False, server_default="pre-authorized_code"))
        batch.add_column(sa.Column("renews", sa.String(), nullable=True))
        batch.create_index("ix_credential_offer_renews", ["org_id", "renews"])
    op.add_column("issuance_token", sa.Column("grant_id", sa.String(), nullable=True))
    op.create_index("ix_issuance_token_grant", "issuance_token", ["org_id", "grant_id"])
    _create_authorization_request()
    _create_wallet_grant()
    op.create_table(
        "refresh_token",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("grant_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "token_sha256"),
    )
    op.create_index("ix_refresh_token_grant", "refresh_token", ["org_id", "grant_id"])


def _create_authorization_request() -> None:
    op.create_table(
        "authorization_request",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("request_uri_sha256", sa.String(), nullable=False, unique=True),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("code_challenge", sa.String(), nullable=False),
        sa.Column("dpop_jkt", sa.String(), nullable=True),
        sa.Column("instance_jkt", sa.String(), nullable=True),
        sa.Column("scope_ids", types.JsonColumn, nullable=False),
        sa.Column("detail_ids", types.JsonColumn, nullable=False),
        sa.Column("offer_id", sa.String(), nullable=True),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("browser_sha256", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("code_sha256", sa.String(), nullable=True, unique=True),
        sa.Column("code_expires_at", types.Instant(), nullable=True),
        sa.Column("code_used_at", types.Instant(), nullable=True),
        sa.CheckConstraint("outcome IN ('allowed','denied')", name="ck_authorization_request_outcome"),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ix_authorization_request_expires_at", "authorization_request", ["expires_at"])


def _create_wallet_grant() -> None:
    op.create_table(
        "wallet_grant",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("dpop_jkt", sa.String(), nullable=True),
        sa.Column("instance_jkt", sa.String(), nullable=True),
        sa.Column("by_details", sa.Boolean(), nullable=False),
        sa.Column("newest_sha256", sa.String(), nullable=False),
        sa.Column("previous_sha256", sa.String(), nullable=True),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("revoked_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ix_wallet_grant_offer", "wallet_grant", ["org_id", "offer_id"])
    op.create_index("ix_wallet_grant_expires_at", "wallet_grant", ["expires_at"])


def downgrade() -> None:
    for name in ("refresh_token", "wallet_grant", "authorization_request"):
        op.drop_table(name)
    op.drop_index("ix_issuance_token_grant", table_name="issuance_token")
    op.drop_column("issuance_token", "grant_id")
    with op.batch_alter_table("credential_offer") as batch:
        batch.drop_index("ix_credential_offer_renews")
        batch.drop_column("renews")
        batch.drop_column("grant_type")
