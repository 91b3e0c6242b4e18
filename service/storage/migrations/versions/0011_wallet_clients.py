"""Clients that sign: of the API, of an issuer's wallets; tokens bound to keys; proofs that were used.

Revision: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_client", sa.Column("jwks", types.JsonColumn, nullable=True))
    op.add_column("issuance_token", sa.Column("dpop_jkt", sa.String(), nullable=True))
    op.create_table(
        "wallet_client",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("redirect_uris", types.JsonColumn, nullable=False),
        sa.Column("token_endpoint_auth_method", sa.String(), nullable=False),
        sa.Column("jwks", types.JsonColumn, nullable=True),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.CheckConstraint(
            "token_endpoint_auth_method IN ('none','private_key_jwt','attest_jwt_client_auth')",
            name="ck_wallet_client_method",
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"]),
        sa.PrimaryKeyConstraint("org_id", "client_id"),
    )
    op.create_table(
        "wallet_provider",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("client_ids", types.JsonColumn, nullable=False),
        sa.Column("jwks", types.JsonColumn, nullable=True),
        sa.Column("x509_anchors", types.JsonColumn, nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"]),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_table(
        "spent_proof",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("proof_sha256", sa.String(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "proof_sha256"),
    )
    op.create_index("ix_spent_proof_expires_at", "spent_proof", ["expires_at"])


def downgrade() -> None:
    for table in ("spent_proof", "wallet_provider", "wallet_client"):
        op.drop_table(table)
    op.drop_column("issuance_token", "dpop_jkt")
    op.drop_column("api_client", "jwks")
