"""Presentation requests of the Digital Credentials API, of one device, and under an attested name.

Revision: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("request_uri_method", sa.String(), nullable=False, server_default="get"),
        sa.Column("expected_origins", types.JsonColumn, nullable=True),
        sa.Column("same_device", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("sealed_held_answer", sa.LargeBinary(), nullable=True),
        sa.Column("held_at", types.Instant(), nullable=True),
    ):
        op.add_column("presentation_request", column)
    op.create_table(
        "verifier_attestation",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "kid"),
    )


def downgrade() -> None:
    op.drop_table("verifier_attestation")
    for name in ("held_at", "sealed_held_answer", "same_device", "expected_origins", "request_uri_method"):
        op.drop_column("presentation_request", name)
