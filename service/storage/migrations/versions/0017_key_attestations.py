"""Whose key attestations an issuer believes.

Revision: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "key_attestation_policy",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("attesters", types.JsonColumn, nullable=False),
        sa.Column("required", types.JsonColumn, nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id"),
    )


def downgrade() -> None:
    op.drop_table("key_attestation_policy")
