"""How old a status list may be, by the platform's policy for its issuer.

Revision: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
_COLUMNS = {"trusted_issuer": "max_status_age", "status_list_copy": "max_age_seconds"}


def upgrade() -> None:
    for table, name in _COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    for table, name in _COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            batch.drop_column(name)
