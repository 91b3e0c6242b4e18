"""Holders by category, the issuer's sales over time, offerees, liens.

Revision: 0003
Revises: 0002
"""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CATEGORIES_CHECK = (
    "nonaccredited_holders >= 0 AND nonaccredited_holders_reserved >= 0"
    " AND beneficial_owners >= 0 AND beneficial_owners_reserved >= 0"
)
LIMITS_CHECK = (
    "(holder_limit IS NULL OR holders + holders_reserved <= holder_limit)"
    " AND (nonaccredited_limit IS NULL"
    " OR nonaccredited_holders + nonaccredited_holders_reserved <= nonaccredited_limit)"
    " AND (owner_limit IS NULL OR beneficial_owners + beneficial_owners_reserved <= owner_limit)"
)
SECURITY_COLUMNS = (
    "nonaccredited_holders INTEGER NOT NULL DEFAULT 0",
    "nonaccredited_holders_reserved INTEGER NOT NULL DEFAULT 0",
    "beneficial_owners INTEGER NOT NULL DEFAULT 0",
    f"beneficial_owners_reserved INTEGER NOT NULL DEFAULT 0 CONSTRAINT ck_security_categories CHECK ({CATEGORIES_CHECK})",
    "holder_limit INTEGER",
    "nonaccredited_limit INTEGER",
    f"owner_limit INTEGER CONSTRAINT ck_security_limits CHECK ({LIMITS_CHECK})",
)


def upgrade() -> None:
    for column in SECURITY_COLUMNS:  # SQLite takes a check that spans columns only together with the last of them
        op.execute(f"ALTER TABLE security ADD COLUMN {column}")
    op.add_column("offering", sa.Column("last_issued_on", sa.Date(), nullable=True))
    op.add_column("lot", sa.Column("lien_transfer_id", sa.String(), nullable=True))
    op.add_column("lot", sa.Column("lien_holder_ref", sa.String(), nullable=True))
    op.add_column("lot", sa.Column("lien_recourse", sa.Boolean(), nullable=True))
    op.add_column("transfer", sa.Column("route", sa.String(), nullable=True))
    op.add_column("reservation", sa.Column("taker_ref", sa.String(), nullable=True))
    op.add_column("reservation", sa.Column("quantity", types.Quantity(), nullable=False, server_default="0"))
    for name in ("nonaccredited_slots", "owner_slots"):
        op.add_column("reservation", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_reservation_taker",
        "reservation",
        ["registrar_org_id", "security_id", "org_id", "taker_ref"],
        unique=False,
        sqlite_where=sa.text("held"),
        postgresql_where=sa.text("held"),
    )
    _create_holder()
    _create_offeree()
    _create_purchase()
    _create_daily_sales()
    _fill_reservations()
    _fill_offerings()
    _fill_holders()


def _create_holder() -> None:
    op.create_table(
        "holder",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("holder_org_id", sa.String(), nullable=False),
        sa.Column("investor_ref", sa.String(), nullable=False),
        sa.Column("quantity", types.Quantity(), nullable=False),
        sa.Column("accredited", sa.Boolean(), nullable=False),
        sa.Column("owners", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("pending_quantity", types.Quantity(), nullable=False),
        sa.Column("holder_slots", sa.Integer(), nullable=False),
        sa.Column("nonaccredited_slots", sa.Integer(), nullable=False),
        sa.Column("owner_slots", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "security_id", "holder_org_id", "investor_ref"),
    )


def _create_offeree() -> None:
    op.create_table(
        "offeree",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("offering_id", sa.String(), nullable=False),
        sa.Column("offeree_org_id", sa.String(), nullable=False),
        sa.Column("investor_ref", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("regime", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("qualified", sa.Boolean(), nullable=False),
        sa.Column("offered_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "security_id", "offering_id", "offeree_org_id", "investor_ref"),
    )
    op.create_index("ix_offeree_issuer", "offeree", ["org_id", "issuer", "regime", "offered_on"], unique=False)


def _create_purchase() -> None:
    op.create_table(
        "purchase",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("offering_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("regime", sa.String(), nullable=False),
        sa.Column("buyer_org_id", sa.String(), nullable=False),
        sa.Column("buyer_ref", sa.String(), nullable=False),
        sa.Column("bought_on", sa.Date(), nullable=False),
        sa.Column("amount", types.Amount(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("nonaccredited", sa.Boolean(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ix_purchase_issuer", "purchase", ["org_id", "issuer", "regime", "bought_on"], unique=False)
    op.create_index("ix_purchase_buyer", "purchase", ["buyer_org_id", "buyer_ref", "regime", "bought_on"], unique=False)
    op.create_index(
        "ix_purchase_promised",
        "purchase",
        ["org_id", "issuer", "regime", "expires_at"],
        unique=False,
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )


def _create_daily_sales() -> None:
    op.create_table(
        "daily_sales",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("regime", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("sold_on", sa.Date(), nullable=False),
        sa.Column("amount", types.Amount(), nullable=False),
        sa.Column("unpriced", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "issuer", "regime", "currency", "sold_on"),
    )


def _fill_reservations() -> None:
    """Who takes, and how much, was only known by the transfer."""
    op.execute(
        "UPDATE reservation SET (taker_ref, quantity) = (SELECT buyer_ref, quantity FROM transfer"
        " WHERE transfer.org_id = reservation.org_id AND transfer.id = reservation.transfer_id)"
    )
    op.execute("UPDATE reservation SET nonaccredited_slots = holder_slots, owner_slots = holder_slots")


def _fill_offerings() -> None:
    op.execute(
        "UPDATE offering SET last_issued_on = (SELECT max(acquired_on) FROM lot WHERE lot.acquired_from = 'issuer'"
        " AND lot.org_id = offering.org_id AND lot.security_id = offering.security_id"
        " AND lot.offering_id = offering.id)"
    )


def _fill_holders() -> None:
    """Count everybody as one non-accredited holder, since nobody asked; what is promised to them holds its slots."""
    connection = op.get_bind()
    holder = sa.table(
        "holder",
        *(sa.column(name) for name in ("org_id", "security_id", "holder_org_id", "investor_ref", "accredited")),
        *(sa.column(name) for name in ("owners", "pending", "holder_slots", "nonaccredited_slots", "owner_slots")),
        *(sa.column(name, types.Quantity()) for name in ("quantity", "pending_quantity")),
    )
    rows = _read_holders(connection)
    if rows:
        connection.execute(sa.insert(holder), rows)
    for security, counts in _count_holders(rows).items():
        connection.execute(
            sa.text(
                "UPDATE security SET holders = :held, holders_reserved = :reserved, nonaccredited_holders = :held,"
                " nonaccredited_holders_reserved = :reserved, beneficial_owners = :held,"
                " beneficial_owners_reserved = :reserved WHERE org_id = :org_id AND id = :id"
            ),
            counts | {"org_id": security[0], "id": security[1]},
        )


def _read_holders(connection: sa.Connection) -> list[dict[str, Any]]:
    rows: dict[tuple[str, ...], dict[str, Any]] = defaultdict(
        lambda: {"quantity": 0, "pending": 0, "pending_quantity": 0, "slots": 0}
    )
    lots = "SELECT org_id, security_id, holder_org_id, investor_ref, quantity FROM lot"
    for *key, quantity in connection.execute(sa.text(lots)):
        rows[tuple(key)]["quantity"] += int(quantity)
    promises = (
        "SELECT registrar_org_id, security_id, org_id, taker_ref, quantity, holder_slots FROM reservation"
        " WHERE held AND taker_ref IS NOT NULL"
    )
    for *key, quantity, slots in connection.execute(sa.text(promises)):
        row = rows[tuple(key)]
        row["pending"] += 1
        row["pending_quantity"] += int(quantity)
        row["slots"] += slots
    names = ("org_id", "security_id", "holder_org_id", "investor_ref")
    return [_describe_holder(dict(zip(names, key, strict=True)), row) for key, row in rows.items()]


def _describe_holder(key: dict[str, str], row: dict[str, Any]) -> dict[str, Any]:
    slots = row.pop("slots")
    counts = {"holder_slots": slots, "nonaccredited_slots": slots, "owner_slots": min(slots, 1)}
    return {**key, **row, **counts, "accredited": False, "owners": 1}


def _count_holders(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, int]]:
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: {"held": 0, "reserved": 0})
    for row in rows:
        of_security = counts[row["org_id"], row["security_id"]]
        of_security["held"] += row["quantity"] > 0
        of_security["reserved"] += row["quantity"] == 0 and row["holder_slots"] > 0
    return counts


def downgrade() -> None:
    for name in ("daily_sales", "purchase", "offeree", "holder"):
        op.drop_table(name)
    op.drop_index("ix_reservation_taker", table_name="reservation")
    for table, columns in (
        ("reservation", ("owner_slots", "nonaccredited_slots", "quantity", "taker_ref")),
        ("transfer", ("route",)),
        ("lot", ("lien_recourse", "lien_holder_ref", "lien_transfer_id")),
        ("offering", ("last_issued_on",)),
    ):
        for column in columns:
            op.drop_column(table, column)
    for column in reversed(SECURITY_COLUMNS):
        op.drop_column("security", column.partition(" ")[0])
