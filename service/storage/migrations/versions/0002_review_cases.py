"""Review cases of issuers.

Revision: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_case",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("credential_configuration_id", sa.String(), nullable=False),
        sa.Column("subject_ref", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=True),
        sa.Column("rules_version", sa.String(), nullable=True),
        sa.Column("sealed_review", sa.LargeBinary(), nullable=True),
        sa.Column("reviewed_by", sa.String(), nullable=True),
        sa.Column("reviewed_at", types.Instant(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", types.Instant(), nullable=True),
        sa.Column("sealed_reason", sa.LargeBinary(), nullable=True),
        sa.Column("offer_id", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('open','reviewed','approved','declined')", name="ck_review_case_state"),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ix_review_case_state", "review_case", ["org_id", "state", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_review_case_state", table_name="review_case")
    op.drop_table("review_case")
