"""A letter for each language; those that are there are in English.

Revision: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None
_INTO_LANGUAGES = """
INSERT INTO new_credential_letter (org_id, credential_id, language, sealed, sha256, made_by, made_at)
SELECT org_id, credential_id, 'en', sealed, sha256, made_by, made_at FROM credential_letter
"""
_ENGLISH_ALONE = """
INSERT INTO new_credential_letter (org_id, credential_id, sealed, sha256, made_by, made_at)
SELECT org_id, credential_id, sealed, sha256, made_by, made_at FROM credential_letter WHERE language = 'en'
"""


def upgrade() -> None:
    # An older version that still runs beside this one writes English letters, and names no language.
    _replace([sa.Column("language", sa.String(), nullable=False, server_default="en")], _INTO_LANGUAGES)


def downgrade() -> None:
    _replace([], _ENGLISH_ALONE)


def _replace(more: list[sa.Column[str]], copy: str) -> None:
    """Make the table anew: SQLite changes no primary key."""
    names = ["org_id", "credential_id", *(column.name for column in more)]
    op.create_table(
        "new_credential_letter",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        *more,
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint(*names),
    )
    op.execute(copy)
    op.drop_table("credential_letter")
    op.rename_table("new_credential_letter", "credential_letter")
    op.create_index("ix_credential_letter_sha256", "credential_letter", ["sha256"])
