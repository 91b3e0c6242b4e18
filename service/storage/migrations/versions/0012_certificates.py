"""Certificate chains of signing keys.

Revision: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("signing_key") as batch:
        batch.add_column(sa.Column("x5c", types.JsonColumn, nullable=True))
        batch.add_column(sa.Column("certified_from", types.Instant(), nullable=True))
        batch.add_column(sa.Column("certified_until", types.Instant(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("signing_key") as batch:
        for name in ("certified_until", "certified_from", "x5c"):
            batch.drop_column(name)
