"""Find an organisation's accesses to personal data among its audit entries.

Revision: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_audit_entry_access",
        "audit_entry",
        ["org_id", "id"],
        unique=False,
        sqlite_where=sa.text("kind = 'personal_data.accessed'"),
        postgresql_where=sa.text("kind = 'personal_data.accessed'"),
    )


def downgrade() -> None:
    op.drop_index("ix_audit_entry_access", table_name="audit_entry")
