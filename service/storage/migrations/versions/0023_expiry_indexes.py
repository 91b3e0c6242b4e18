"""Find the access tokens and the sealed offers that have expired.

Revision: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_issuance_token_expires_at", "issuance_token", ["expires_at"])
    sealed = sa.text("length(sealed_claims) > 0")
    op.create_index(
        "ix_credential_offer_sealed", "credential_offer", ["expires_at"], sqlite_where=sealed, postgresql_where=sealed
    )


def downgrade() -> None:
    op.drop_index("ix_credential_offer_sealed", table_name="credential_offer")
    op.drop_index("ix_issuance_token_expires_at", table_name="issuance_token")
