"""The transparency log; entries of before get their nonces and are logged too.

Revision: 0004
Revises: 0003
"""

import json
import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.credentials.commitment import NONCE_SIZE, build_log_record, commit_to_record
from service.storage import types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PAGE = 1000


def upgrade() -> None:
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "idx"),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("previous_size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("signed_at", types.Instant(), nullable=False),
        sa.Column("published_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("tree_size"),
        sa.UniqueConstraint("previous_size"),
    )
    with op.batch_alter_table("audit_entry") as batch:
        batch.add_column(sa.Column("commitment", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("nonce", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("idx", sa.BigInteger(), nullable=True))
    _commit_to_entries()
    with op.batch_alter_table("audit_entry") as batch:
        for name in ("commitment", "nonce"):
            batch.alter_column(name, existing_type=sa.LargeBinary(), nullable=False)
        batch.create_unique_constraint("audit_entry_idx_key", ["idx"])
    op.create_index(
        "ix_audit_entry_waiting",
        "audit_entry",
        ["recorded_at", "id"],
        unique=False,
        sqlite_where=sa.text("idx IS NULL"),
        postgresql_where=sa.text("idx IS NULL"),
    )


def _commit_to_entries() -> None:
    entry = sa.table(
        "audit_entry",
        *(sa.column(name) for name in ("org_id", "id", "kind", "subject_id", "record")),
        sa.column("recorded_at", types.Instant()),
        *(sa.column(name, sa.LargeBinary()) for name in ("commitment", "nonce")),
    )
    connection = op.get_bind()
    waiting = sa.select(entry).where(entry.c.commitment.is_(None)).limit(PAGE)
    change = (
        sa.update(entry)
        .where(entry.c.org_id == sa.bindparam("owner"), entry.c.id == sa.bindparam("entry_id"))
        .values(commitment=sa.bindparam("made"), nonce=sa.bindparam("fresh"))
    )
    while rows := connection.execute(waiting).all():
        connection.execute(change, [_commit(row) for row in rows])


def _commit(row: sa.Row[Any]) -> dict[str, str | bytes]:
    nonce = secrets.token_bytes(NONCE_SIZE)
    record = build_log_record(
        org_id=row.org_id,
        entry_id=row.id,
        kind=row.kind,
        subject_id=row.subject_id,
        recorded_at=row.recorded_at,
        record=json.loads(row.record),
    )
    return {"owner": row.org_id, "entry_id": row.id, "fresh": nonce, "made": commit_to_record(nonce, record)}


def downgrade() -> None:
    op.drop_index("ix_audit_entry_waiting", table_name="audit_entry")
    with op.batch_alter_table("audit_entry") as batch:
        batch.drop_constraint("audit_entry_idx_key", type_="unique")
        for name in ("idx", "nonce", "commitment"):
            batch.drop_column(name)
    op.drop_table("log_checkpoint")
    op.drop_table("log_tile")
