"""Reservations that never change, affiliates' sales, holders known at several venues.

Revision: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IMMUTABLE = ("reservation", "reserved_lot", "reservation_ending")
_KEY = ("org_id", "security_id", "holder_org_id", "investor_ref")


def upgrade() -> None:
    _create_held_reservation()
    _create_affiliate_sale()
    _create_holder_links()
    _name_pledgees()
    _fill_held_reservations()
    _fill_affiliate_sales()
    op.drop_index("ix_reservation_held", table_name="reservation")
    op.drop_index("ix_reservation_taker", table_name="reservation")
    op.drop_column("reservation", "held")
    op.drop_index("ix_transfer_seller", table_name="transfer")
    for table in IMMUTABLE:
        _forbid_changes(table)


def _create_held_reservation() -> None:
    op.add_column("reservation", sa.Column("taker_org_id", sa.String(), nullable=True))
    op.execute("UPDATE reservation SET taker_org_id = org_id WHERE taker_ref IS NOT NULL")
    op.create_table(
        "held_reservation",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.String(), nullable=False),
        sa.Column("registrar_org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("taker_org_id", sa.String(), nullable=True),
        sa.Column("taker_ref", sa.String(), nullable=True),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "transfer_id"),
    )
    op.create_index("ix_held_reservation_expiry", "held_reservation", ["registrar_org_id", "security_id", "expires_at"])
    op.create_index(
        "ix_held_reservation_taker",
        "held_reservation",
        ["registrar_org_id", "security_id", "taker_org_id", "taker_ref"],
    )


def _create_affiliate_sale() -> None:
    op.create_table(
        "affiliate_sale",
        *(sa.Column(name, sa.String(), nullable=False) for name in (*_KEY, "transfer_id")),
        sa.Column("sold_on", sa.Date(), nullable=False),
        sa.Column("quantity", types.Quantity(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY, "transfer_id"),
    )


def _create_holder_links() -> None:
    op.create_table(
        "holder_link",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("org_id", "venue_org_id", "venue_ref", "holder_org_id", "investor_ref", "source")
        ),
        sa.Column("linked_at", types.Instant(), nullable=False),
        sa.CheckConstraint("source IN ('kyc','registrar')", name="ck_holder_link_source"),
        sa.PrimaryKeyConstraint("org_id", "venue_org_id", "venue_ref"),
    )
    op.create_index("ix_holder_link_holder", "holder_link", ["org_id", "holder_org_id", "investor_ref"])
    op.create_table(
        "holder_person",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("org_id", "person", "holder_org_id", "investor_ref")
        ),
        sa.PrimaryKeyConstraint("org_id", "person"),
    )


def _name_pledgees() -> None:
    """Until now a pledgee was known by the organisation that the lot's holder was known by."""
    op.add_column("lot", sa.Column("lien_org_id", sa.String(), nullable=True))
    op.execute("UPDATE lot SET lien_org_id = holder_org_id WHERE lien_holder_ref IS NOT NULL")
    op.create_index(
        "ix_lot_lien",
        "lot",
        ["org_id", "security_id", "lien_org_id", "lien_holder_ref"],
        sqlite_where=sa.text("lien_holder_ref IS NOT NULL"),
        postgresql_where=sa.text("lien_holder_ref IS NOT NULL"),
    )


def _fill_held_reservations() -> None:
    op.execute(
        "INSERT INTO held_reservation SELECT org_id, transfer_id, registrar_org_id, security_id, taker_org_id,"
        " taker_ref, expires_at FROM reservation WHERE held"
    )


def _fill_affiliate_sales() -> None:
    op.execute(
        "INSERT INTO affiliate_sale SELECT t.registrar_org_id, t.security_id, t.org_id, t.seller_ref, t.id,"
        " t.trade_date, t.quantity FROM transfer t"
        " JOIN reservation r ON r.org_id = t.org_id AND r.transfer_id = t.id"
        " LEFT JOIN reservation_ending e ON e.org_id = t.org_id AND e.transfer_id = t.id"
        " WHERE t.seller_affiliate AND t.seller_ref IS NOT NULL AND t.action IN ('secondary', 'liquidation')"
        " AND (t.route IS NULL OR t.route LIKE 'rule144%') AND (e.state IS NULL OR e.state = 'settled')"
    )


def _forbid_changes(table: str) -> None:
    """Let the database itself refuse to change what has been written."""
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{table} rows never change'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION '% rows never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_change BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION forbid_change()"
    )
