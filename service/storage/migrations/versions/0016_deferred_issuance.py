"""Offers whose credential is issued later; a notification belongs to its offer, whichever token it comes with.

Revision: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("credential_offer") as batch:
        batch.add_column(sa.Column("deferral", sa.String(), nullable=True))
        batch.add_column(sa.Column("deferred_at", types.Instant(), nullable=True))
        batch.add_column(sa.Column("transaction_sha256", sa.String(), nullable=True))
        batch.add_column(sa.Column("holder_jwks", types.JsonColumn, nullable=True))
    with op.batch_alter_table("issuance_notification") as batch:
        # Kept for workers of the version before, which go on writing it until they are replaced.
        batch.alter_column("token_sha256", existing_type=sa.String(), nullable=True)


def downgrade() -> None:
    raise NotImplementedError("Which access token a notification came with is not known any more.")
