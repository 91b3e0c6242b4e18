"""Find the answers that wait for a browser and have expired.

Revision: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
_INDEX = "ix_presentation_request_held"


def upgrade() -> None:
    held = sa.text("sealed_held_answer IS NOT NULL")
    op.create_index(_INDEX, "presentation_request", ["org_id", "expires_at"], sqlite_where=held, postgresql_where=held)


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="presentation_request")
