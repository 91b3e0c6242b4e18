"""Copies of others' status lists in a table of their own, so that one entry is read without the rest.

Revision: 0022
Revises: 0021
"""

import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None
_KEY = "status:"
_OLD = sa.table(
    "cached_document",
    sa.column("org_id", sa.String),
    sa.column("url", sa.String),
    sa.column("body", sa.String),
    sa.column("issued_at", types.Instant),
    sa.column("fetched_at", types.Instant),
)


def upgrade() -> None:
    table = op.create_table(
        "held_status_list",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=True),
        sa.Column("ttl_seconds", sa.Integer(), nullable=True),
        sa.Column("max_age_seconds", sa.Integer(), nullable=True),
        sa.Column("aggregation_uri", sa.String(), nullable=True),
        sa.Column("fetched_at", types.Instant(), nullable=False),
        sa.Column("used_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "uri"),
    )
    op.create_index("ix_held_status_list_issuer", "held_status_list", ["org_id", "issuer"])
    connection = op.get_bind()
    is_list = _OLD.c.url.startswith(_KEY, autoescape=True)
    names = sa.select(_OLD.c.org_id, _OLD.c.url).where(is_list)
    for org_id, url in connection.execute(names).all():  # one at a time, as each may be megabytes
        key = (_OLD.c.org_id == org_id) & (_OLD.c.url == url)
        row = connection.execute(sa.select(_OLD).where(key)).mappings().one()
        connection.execute(table.insert().values(_describe(row)))
    op.execute(_OLD.delete().where(is_list))


def _describe(row: Any) -> dict[str, Any]:
    body = json.loads(row["body"])
    return {
        "org_id": row["org_id"],
        "uri": row["url"].removeprefix(_KEY),
        "issuer": body["issuer"],
        "bits": body["bits"],
        "packed": b64decode(body["packed"]),
        "issued_at": row["issued_at"] or row["fetched_at"],
        "expires_at": None if body["exp"] is None else datetime.fromtimestamp(body["exp"], UTC),
        "ttl_seconds": body["ttl"],
        "max_age_seconds": body.get("max_age"),
        "aggregation_uri": body.get("aggregation_uri"),
        "fetched_at": row["fetched_at"],
    }


def downgrade() -> None:
    op.drop_table("held_status_list")
