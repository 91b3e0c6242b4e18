"""What an issuer keeps of a person is sealed under the person's key; kept answers name whom they tell of.

Reservations and their endings never change, but that an erasure parts them from a person.

Cases and pending offers were sealed under the keystore's key; they are opened and sealed anew. Kept answers of before
name nobody, and are forgotten with their time.

Revision: 0010
Revises: 0009
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from service.storage import types
from service.storage.ids import new_id
from service.storage.subject_keys import DataKey, key_purpose, name_person, open_subject_key

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


_SLOTS = ("holder_slots", "nonaccredited_slots", "owner_slots")
_RESERVATION = (
    *("org_id", "transfer_id", "registrar_org_id", "security_id", "taker_org_id"),
    *("quantity", "new_quantity", *_SLOTS, "expires_at"),
)
_ENDING = ("org_id", "transfer_id", "state", "ended_at")


def upgrade() -> None:
    with op.batch_alter_table("idempotency_record") as batch:
        batch.add_column(sa.Column("subject", sa.String(), nullable=True))
    _seal_anew("credential_offer", sealed_claims="offer-claims")
    _seal_anew("review_case", sealed_review="case-review", sealed_reason="case-reason")
    _let_erase("reservation", "NEW.taker_ref IS NOT NULL AND NEW.taker_ref LIKE 'erased-%'", _RESERVATION)
    _let_erase("reservation_ending", "NEW.reference IS NULL AND NEW.reason IS NULL", _ENDING)


def _let_erase(table: str, change: str, kept: tuple[str, ...]) -> None:
    """Let rows that never change lose what leads to a person, and nothing else."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    same = "IS" if is_sqlite else "IS NOT DISTINCT FROM"
    allowed = " AND ".join([change, *(f"NEW.{name} {same} OLD.{name}" for name in kept)])
    if is_sqlite:
        op.execute(f"DROP TRIGGER {table}_update")
        op.execute(
            f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} WHEN NOT ({allowed})"
            f" BEGIN SELECT RAISE(ABORT, '{table} rows never change'); END"
        )
        return
    op.execute(f"DROP TRIGGER {table}_change ON {table}")
    for event, condition in (("UPDATE", f" WHEN (NOT ({allowed}))"), ("DELETE", "")):
        op.execute(
            f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table}"
            f" FOR EACH ROW{condition} EXECUTE FUNCTION forbid_change()"
        )


def _seal_anew(name: str, **purposes: str) -> None:
    columns = [sa.column(each, sa.LargeBinary()) for each in purposes]
    table = sa.table(name, *(sa.column(each) for each in ("org_id", "id", "subject_ref")), *columns)
    for row in op.get_bind().execute(sa.select(table)).mappings().all():
        key = _get_key(row["org_id"], row["subject_ref"])
        sealed = {
            column: _seal(key, row[column], purpose, f"{row['org_id']} {row['id']}")
            for column, purpose in purposes.items()
            if row[column]
        }
        if sealed:
            found = (table.c.org_id == row["org_id"], table.c.id == row["id"])
            op.get_bind().execute(sa.update(table).where(*found).values(sealed))


def _seal(key: DataKey, sealed: bytes, purpose: str, place: str) -> bytes:
    before = purpose if purpose == "offer-claims" else f"{purpose} {place}"
    plain: bytes = _keystore().unseal(sealed, purpose=before)
    return key.seal(plain, context=f"{purpose} {place}")


def _keystore() -> Any:
    return context.config.attributes["wrapper"]


def _get_key(org_id: str, subject_ref: str) -> DataKey:
    """Return the person's key, made at the first row about them."""
    subject, wrapper = name_person(subject_ref), _keystore()
    keys = sa.table(
        "subject_key",
        *(sa.column(name) for name in ("org_id", "subject", "id")),
        sa.column("wrapped_key", sa.LargeBinary()),
        sa.column("created_at", types.Instant()),
    )
    query = sa.select(keys.c.id, keys.c.wrapped_key).where(keys.c.org_id == org_id, keys.c.subject == subject)
    found = op.get_bind().execute(query).first()
    if found is not None:
        return open_subject_key(wrapper, org_id, subject, found.wrapped_key, key_id=found.id)
    key_id, wrapped = new_id("key"), wrapper.create_data_key(purpose=key_purpose(org_id, subject))
    names = {"org_id": org_id, "subject": subject, "id": key_id}
    op.get_bind().execute(sa.insert(keys).values(**names, wrapped_key=wrapped, created_at=datetime.now(UTC)))
    return open_subject_key(wrapper, org_id, subject, wrapped, key_id=key_id)


def downgrade() -> None:
    raise NotImplementedError("What is sealed for a person is not sealed under one key for all again.")
