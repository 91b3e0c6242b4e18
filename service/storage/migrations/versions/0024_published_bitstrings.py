"""Keep the signed bitstrings of our status lists.

Revision: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "published_bitstring",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("credential", sa.String(), nullable=False),
        sa.Column("issued_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "list_id", "purpose"),
    )


def downgrade() -> None:
    op.drop_table("published_bitstring")
