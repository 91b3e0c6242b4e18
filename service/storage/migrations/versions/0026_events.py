"""Events, what time will bring about, and where events are sent.

Revision: 0026
Revises: 0025
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None
_AT_ONCE = 1_000


def upgrade() -> None:
    _create_events()
    _create_webhooks()
    due = op.create_table(
        "due_event",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("data", sa.String(), nullable=False),
        sa.Column("due_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "object_id", "kind"),
    )
    op.create_index("ix_due_event_due_at", "due_event", ["due_at"])
    _write_ahead(due)


def _create_events() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    if is_postgres:
        op.execute("CREATE SEQUENCE event_written CACHE 1")
    op.create_table(
        "event",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("data", sa.String(), nullable=False),
        sa.Column("occurred_at", types.Instant(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column(
            "written",
            sa.BigInteger(),
            nullable=True,
            server_default=sa.text("nextval('event_written')") if is_postgres else None,
        ),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    for name, columns, condition in (
        ("ix_event_waiting", ["org_id"], "sequence IS NULL AND NOT is_test"),
        ("ix_event_sequence", ["org_id", "sequence"], "sequence IS NOT NULL"),
        ("ix_event_investor", ["org_id", "subject"], "kind = 'standing.changed'"),
    ):
        where = sa.text(condition)
        unique = name == "ix_event_sequence"
        op.create_index(name, "event", columns, unique=unique, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "event_stream",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("forgotten_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id"),
    )
    op.create_table(
        "standing_recheck",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("status_list", sa.String(), nullable=False),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("indices", sa.String(), nullable=False),
        sa.Column("occurred_at", types.Instant(), nullable=False),
        sa.Column("after_org_id", sa.String(), nullable=False),
        sa.Column("after_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )


def _create_webhooks() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("types", types.JsonColumn, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("disabled_because", sa.String(), nullable=True),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_until", types.Instant(), nullable=True),
        sa.Column("challenge_due_at", types.Instant(), nullable=True),
        sa.Column("challenges", sa.Integer(), nullable=False),
        sa.Column("active_since", types.Instant(), nullable=True),
        sa.Column("failing_since", types.Instant(), nullable=True),
        sa.Column("not_before", types.Instant(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('pending','active','disabled')", name="ck_webhook_endpoint_state"),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", types.Instant(), nullable=False),
        sa.Column("lease_until", types.Instant(), nullable=True),
        sa.Column("last_attempt_at", types.Instant(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("delivered_at", types.Instant(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('pending','delivered','dead')", name="ck_webhook_delivery_state"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.UniqueConstraint("org_id", "endpoint_id", "event_id", name="uq_webhook_delivery"),
    )
    pending = sa.text("state = 'pending'")
    by_subject = ["org_id", "endpoint_id", "subject", "sequence"]
    for name, columns in (("ix_webhook_delivery_due", ["due_at"]), ("ix_webhook_delivery_subject", by_subject)):
        op.create_index(name, "webhook_delivery", columns, sqlite_where=pending, postgresql_where=pending)
    op.create_index("ix_webhook_delivery_event", "webhook_delivery", ["org_id", "event_id"])


def _write_ahead(due: sa.Table) -> None:
    """Let the expiry of what there is already be told too."""
    now, rows = datetime.now(UTC), list[dict[str, Any]]()
    for org_id, row_id, name, created_at, expires_at in _read(
        "credential", "credential_configuration_id", "created_at"
    ):
        if expires_at <= now:
            continue
        written = expires_at.isoformat().replace("+00:00", "Z")
        data = {"credential_id": row_id, "credential_configuration_id": name, "expires_at": written}
        notice_at = expires_at - min(timedelta(days=30), (expires_at - created_at) / 4)
        for kind, due_at in (("credential.expiring", notice_at), ("credential.expired", expires_at)):
            if due_at > now:
                rows.append(_describe(org_id, row_id, kind, f"credential/{row_id}", data, due_at))
    for org_id, row_id, name, ref, expires_at in _read("standing_credential", "credential_type", "investor_ref"):
        if expires_at > now:
            data = {"investor_ref": ref, "cause": "expired", "credential_type": name}
            rows.append(_describe(org_id, row_id, "standing.changed", f"investor/{ref}", data, expires_at))
    for start in range(0, len(rows), _AT_ONCE):
        op.bulk_insert(due, rows[start : start + _AT_ONCE])


def _read(table: str, *names: str) -> Any:
    columns = ["org_id", "id", *names]
    typed = [sa.column(name, types.Instant if name.endswith("_at") else sa.String) for name in [*columns, "expires_at"]]
    return op.get_bind().execute(sa.select(*typed).select_from(sa.table(table))).all()


def _describe(org_id: str, object_id: str, kind: str, subject: str, data: Any, due_at: datetime) -> dict[str, Any]:
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return {
        "org_id": org_id,
        "object_id": object_id,
        "kind": kind,
        "subject": subject,
        "data": written,
        "due_at": due_at,
    }


def downgrade() -> None:
    for name in ("due_event", "webhook_delivery", "webhook_endpoint", "standing_recheck", "event_stream", "event"):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE event_written")
