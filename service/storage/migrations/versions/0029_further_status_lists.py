"""Several status entries of one presented credential.

Revision: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "standing_status_list",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("standing_id", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "standing_id", "uri"),
    )
    op.create_index("ix_standing_status_list_uri", "standing_status_list", ["uri"])


def downgrade() -> None:
    op.drop_table("standing_status_list")
