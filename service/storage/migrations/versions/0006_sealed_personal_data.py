"""Personal data is sealed under a key for each person; what was plain is sealed here, in the same transaction.

Killed half-way, nothing has changed and the previous version still runs; run again, it starts anew.

Revision: 0006
Revises: 0005
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from service.storage import types
from service.storage.ids import new_id
from service.storage.personal_data import (
    InvestorContent,
    PresentedContent,
    StandingContent,
    seal_investor,
    seal_presented,
    seal_standing,
)
from service.storage.subject_keys import (
    DataKey,
    key_purpose,
    name_investor,
    name_presentation,
    open_subject_key,
)

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PAGE = 500


def upgrade() -> None:
    op.create_table(
        "subject_key",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("destroyed_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "subject"),
        sa.UniqueConstraint("id"),
    )
    _change("investor", add="sealed", seal=_seal_investors, drop=("screening", "kyc_sub"))
    op.drop_index("ix_standing_status", table_name="standing_credential")
    _change(
        "standing_credential",
        add="sealed",
        seal=_seal_standings,
        drop=("claims", "digest", "holder_thumbprint", "status_index"),
        required=True,
    )
    op.create_index("ix_standing_status", "standing_credential", ["status_uri"], unique=False)
    _change("presentation_request", add="sealed_answer", seal=_seal_answers, drop=("credentials", "checks"))


def _change(table: str, *, add: str, seal: Any, drop: tuple[str, ...], required: bool = False) -> None:
    with op.batch_alter_table(table) as batch:
        batch.add_column(sa.Column(add, sa.LargeBinary(), nullable=True))
    seal()
    with op.batch_alter_table(table) as batch:
        if required:
            batch.alter_column(add, existing_type=sa.LargeBinary(), nullable=False)
        for name in drop:
            batch.drop_column(name)


def _seal_investors() -> None:
    table = _table("investor", "org_id", "ref", "kyc_sub", screening=types.JsonColumn, sealed=sa.LargeBinary())
    for row in _read(table, "ref"):
        content = InvestorContent(row["screening"], row["kyc_sub"])
        key = _get_key(row["org_id"], name_investor(row["ref"]))
        sealed = seal_investor(key, row["org_id"], row["ref"], content)
        _write(table, row, "ref", sealed=sealed, screening=None, kyc_sub=None)


def _seal_standings() -> None:
    table = _table(
        "standing_credential",
        *("org_id", "id", "investor_ref", "digest", "holder_thumbprint"),
        claims=types.JsonColumn,
        status_index=sa.Integer(),
        sealed=sa.LargeBinary(),
    )
    for row in _read(table, "id"):
        content = StandingContent(row["claims"], row["digest"], row["holder_thumbprint"], row["status_index"])
        key = _get_key(row["org_id"], name_investor(row["investor_ref"]))
        sealed = seal_standing(key, row["org_id"], row["id"], content)
        _write(table, row, "id", sealed=sealed, claims={}, digest="", holder_thumbprint="", status_index=None)


def _seal_answers() -> None:
    table = _table(
        "presentation_request",
        *("org_id", "id", "state", "investor_ref"),
        credentials=types.JsonColumn,
        checks=types.JsonColumn,
        sealed_answer=sa.LargeBinary(),
    )
    for row in _read(table, "id"):
        if row["state"] != "pending":
            ref = row["investor_ref"]
            key = _get_key(row["org_id"], name_presentation(row["id"]) if ref is None else name_investor(ref))
            content = PresentedContent(row["credentials"], row["checks"])
            sealed = seal_presented(key, row["org_id"], row["id"], content)
            _write(table, row, "id", sealed_answer=sealed, credentials=[], checks=[])


def _table(name: str, *texts: str, **columns: Any) -> sa.TableClause:
    return sa.table(name, *(sa.column(each) for each in texts), *(sa.column(*each) for each in columns.items()))


def _read(table: sa.TableClause, key: str) -> Iterator[sa.RowMapping]:
    """Yield every row, a page at a time."""
    place = sa.tuple_(table.c.org_id, table.c[key])
    last: tuple[str, str] | None = None
    while True:
        query = sa.select(table).order_by(table.c.org_id, table.c[key]).limit(PAGE)
        rows = op.get_bind().execute(query if last is None else query.where(place > last)).mappings().all()
        yield from rows
        if len(rows) < PAGE:
            return
        last = (rows[-1]["org_id"], rows[-1][key])


def _write(table: sa.TableClause, row: sa.RowMapping, key: str, **values: Any) -> None:
    """Write the seal and empty what it holds: PostgreSQL keeps the values of a dropped column in the rows."""
    found = (table.c.org_id == row["org_id"], table.c[key] == row[key])
    op.get_bind().execute(sa.update(table).where(*found).values(**values))


def _get_key(org_id: str, subject: str) -> DataKey:
    """Return the key of a subject, made at the first row about them."""
    wrapper = context.config.attributes["wrapper"]
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
    raise NotImplementedError("What is sealed is not written in plain again.")
