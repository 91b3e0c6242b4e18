"""What was known when. The history of what is there already starts at its present state, now.

Revision: 0007
Revises: 0006
"""

import hashlib
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PAGE = 1000
PREFIX = "status:"
Row = Mapping[str, Any]


def upgrade() -> None:
    _create_tables()
    now = datetime.now(UTC)
    _copy("investor", ("org_id", "ref"), "investor_version", lambda row: _describe_investor(row, now))
    _copy("standing_credential", ("org_id", "id"), "standing_version", lambda row: _describe_standing(row, now))
    _copy("trusted_issuer", ("org_id", "id"), "trusted_issuer_version", _describe_trust)
    _copy("cached_document", ("org_id", "url"), "status_list_copy", _describe_copy)


def _create_tables() -> None:
    document = sa.JSON().with_variant(sa.dialects.postgresql.JSONB(), "postgresql")
    op.create_table(
        "investor_version",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", document, nullable=False),
        sa.Column("recorded_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "ref", "version"),
    )
    op.create_table(
        "standing_version",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("standing_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("investor_ref", sa.String(), nullable=False),
        sa.Column("document", document, nullable=False),
        sa.Column("recorded_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "standing_id", "version"),
    )
    op.create_index("ix_standing_version_investor", "standing_version", ["org_id", "investor_ref"])
    op.create_table(
        "trusted_issuer_version",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("trust_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("document", document, nullable=True),
        sa.Column("recorded_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "trust_version"),
    )
    op.create_table(
        "status_change",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("idx", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("previous", sa.Integer(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("changed_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "list_id", "idx", "version"),
    )
    op.create_table(
        "status_list_copy",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("uri", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("issued_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=True),
        sa.Column("ttl_seconds", sa.Integer(), nullable=True),
        sa.Column("fetched_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "uri", "version"),
    )
    op.create_table(
        "status_list_content",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "sha256"),
    )


def _copy(source: str, key: tuple[str, str], target: str, describe: Callable[[Row], dict[str, Any] | None]) -> None:
    into = _reflect(target)
    for page in _read_pages(_reflect(source), key):
        if rows := [made for row in page if (made := describe(row)) is not None]:
            op.get_bind().execute(into.insert(), rows)


def _read_pages(table: sa.Table, key: tuple[str, str]) -> Iterator[Sequence[Row]]:
    ordered = sa.select(table).order_by(*(table.c[name] for name in key)).limit(PAGE)
    query = ordered
    while page := [dict(row) for row in op.get_bind().execute(query).mappings()]:
        yield page
        last = tuple(page[-1][name] for name in key)
        query = ordered.where(sa.tuple_(*(table.c[name] for name in key)) > last)


def _reflect(name: str) -> sa.Table:
    table = sa.Table(name, sa.MetaData(), autoload_with=op.get_bind())
    for column in table.columns:
        if isinstance(column.type, sa.DateTime):
            column.type = types.Instant()
    return table


def _describe_investor(row: Row, now: datetime) -> dict[str, Any]:
    key = {"org_id": row["org_id"], "ref": row["ref"], "version": 1}
    return {**key, "document": _snapshot(row), "recorded_at": max(now, row["created_at"])}


def _describe_standing(row: Row, now: datetime) -> dict[str, Any]:
    key = {"org_id": row["org_id"], "standing_id": row["id"], "version": 1, "investor_ref": row["investor_ref"]}
    return {**key, "document": _snapshot(row), "recorded_at": max(now, row["presented_at"])}


def _describe_trust(row: Row) -> dict[str, Any]:
    key = {"org_id": row["org_id"], "trust_version": row["trust_version"], "entry_id": row["id"]}
    return {**key, "document": _snapshot(row), "recorded_at": row["updated_at"]}


def _describe_copy(row: Row) -> dict[str, Any] | None:
    if not row["url"].startswith(PREFIX):
        return None
    body = json.loads(row["body"])
    return {
        "org_id": row["org_id"],
        "uri": row["url"].removeprefix(PREFIX),
        "version": 1,
        "issuer": body["issuer"],
        "bits": body["bits"],
        "content_sha256": _keep_content(row["org_id"], b64decode(body["packed"])),
        "issued_at": row["issued_at"] or row["fetched_at"],
        "expires_at": None if body["exp"] is None else datetime.fromtimestamp(body["exp"], UTC),
        "ttl_seconds": body["ttl"],
        "fetched_at": row["fetched_at"],
    }


def _keep_content(org_id: str, packed: bytes) -> str:
    digest = hashlib.sha256(packed).hexdigest()
    table = _reflect("status_list_content")
    there = sa.select(table.c.sha256).where(table.c.org_id == org_id, table.c.sha256 == digest)
    if op.get_bind().execute(there).first() is None:
        values = {"org_id": org_id, "sha256": digest, "packed": zlib.compress(packed)}
        op.get_bind().execute(table.insert().values(values))
    return digest


def _snapshot(row: Row) -> dict[str, Any]:
    """Write a row as ``service.storage.snapshots`` did at this revision, whatever columns it has."""
    return {name: _encode(value) for name, value in row.items()}


def _encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def downgrade() -> None:
    for name in ("status_list_content", "status_list_copy", "status_change", "trusted_issuer_version"):
        op.drop_table(name)
    op.drop_index("ix_standing_version_investor", table_name="standing_version")
    op.drop_table("standing_version")
    op.drop_table("investor_version")
