"""Legal holds.

Revision: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "subject"),
    )


def downgrade() -> None:
    op.drop_table("legal_hold")
