"""When keys of issuers outside the deployment were first seen.

Revision: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issuer_key_sighting",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("thumbprint", sa.String(), nullable=False),
        sa.Column("absent_at", types.Instant(), nullable=True),
        sa.Column("first_seen_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "issuer", "thumbprint"),
    )


def downgrade() -> None:
    op.drop_table("issuer_key_sighting")
