"""Evidence of cases, requests for more of it, letters, and what grants say, sealed.

Revision: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None
_CHECK = "ck_review_case_state"
_BEFORE = "state IN ('open','reviewed','approved','declined')"
_NOW = "state IN ('open','waiting','reviewed','approved','declined')"


def upgrade() -> None:
    _replace_check(_NOW)
    op.create_index("ix_review_case_offer", "review_case", ["org_id", "offer_id"])
    _create_case_tables()
    op.create_table(
        "credential_letter",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "credential_id"),
    )
    op.create_index("ix_credential_letter_sha256", "credential_letter", ["sha256"])
    op.add_column("credential", sa.Column("sealed_claims", sa.LargeBinary(), nullable=True))
    op.create_index("ix_credential_expiry", "credential", ["org_id", "expires_at", "id"])


def _create_case_tables() -> None:
    op.create_table(
        "case_evidence",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("sealed_description", sa.LargeBinary(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ix_case_evidence_case", "case_evidence", ["org_id", "case_id", "id"])
    op.create_table(
        "case_evidence_content",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("evidence_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "evidence_id"),
    )
    op.create_table(
        "case_information_request",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("sealed_message", sa.LargeBinary(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("requested_at", types.Instant(), nullable=False),
        sa.Column("answered_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ix_case_information_request_case", "case_information_request", ["org_id", "case_id", "id"])


def _replace_check(condition: str) -> None:
    with op.batch_alter_table("review_case") as batch:
        batch.drop_constraint(_CHECK, type_="check")
        batch.create_check_constraint(_CHECK, condition)


def downgrade() -> None:
    op.drop_index("ix_credential_expiry", table_name="credential")
    op.drop_column("credential", "sealed_claims")
    for name in ("credential_letter", "case_information_request", "case_evidence_content", "case_evidence"):
        op.drop_table(name)
    op.drop_index("ix_review_case_offer", table_name="review_case")
    op.execute("UPDATE review_case SET state = 'open' WHERE state = 'waiting'")
    _replace_check(_BEFORE)
