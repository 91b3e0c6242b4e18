"""Trust anchors for the certificates of other issuers.

Revision: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("trusted_issuer") as batch:
        batch.add_column(sa.Column("x509_anchors", types.JsonColumn, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("trusted_issuer") as batch:
        batch.drop_column("x509_anchors")
