"""Find decisions by outcome, security, party and reason.

Revision: 0025
Revises: 0024
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_INDEXES = {
    "ix_transfer_outcome": ["org_id", "outcome", "decided_at", "id"],
    "ix_transfer_security": ["registrar_org_id", "security_id", "outcome", "decided_at", "id"],
    "ix_transfer_buyer": ["org_id", "buyer_ref", "decided_at", "id"],
    "ix_transfer_seller": ["org_id", "seller_ref", "decided_at", "id"],
}


def upgrade() -> None:
    reasons = op.create_table(
        "transfer_reason",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.String(), nullable=False),
        sa.Column("readers", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("decided_at", types.Instant(), nullable=False),
        sa.CheckConstraint("readers IN ('all','compliance','others')", name="ck_transfer_reason_readers"),
        sa.PrimaryKeyConstraint("org_id", "transfer_id", "readers", "code"),
    )
    _fill(reasons)
    op.create_index("ix_transfer_reason_code", "transfer_reason", ["org_id", "code", "decided_at", "transfer_id"])
    for name, columns in _INDEXES.items():
        op.create_index(name, "transfer", columns)


def _fill(reasons: sa.Table) -> None:
    transfer = sa.table(
        "transfer",
        *(sa.column(name) for name in ("org_id", "id", "outcome", "payload", "outward_payload")),
        sa.column("decided_at", types.Instant()),
    )
    connection, after = op.get_bind(), ("", "")
    key = sa.tuple_(transfer.c.org_id, transfer.c.id)
    query = sa.select(transfer).where(transfer.c.outcome != "permit").order_by(transfer.c.org_id, transfer.c.id)
    while page := connection.execute(query.where(key > after).limit(_AT_ONCE)).all():
        rows = [row for each in page for row in _list_rows(each)]
        if rows:
            connection.execute(reasons.insert(), rows)
        after = (page[-1].org_id, page[-1].id)


def _list_rows(decision: Any) -> Iterator[dict[str, Any]]:
    forms = {"all": decision.payload}
    if decision.outward_payload is not None:
        forms = {"compliance": decision.payload, "others": decision.outward_payload}
    for readers, form in forms.items():
        codes = dict.fromkeys(each["code"] for each in json.loads(form).get("reasons", ()))
        for place, code in enumerate(codes):
            yield {
                "org_id": decision.org_id,
                "transfer_id": decision.id,
                "readers": readers,
                "code": code,
                "place": place,
                "decided_at": decision.decided_at,
            }


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, table_name="transfer")
    op.drop_table("transfer_reason")
