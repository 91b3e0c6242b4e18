"""Write what happened to registers, with one statement for each kind of row."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncConnection

from service.gate.purchases import give_up_sales
from service.gate.register import Changes, Held
from service.storage.core import insert_rows, read_values, table_of, update_rows, upsert_rows
from service.storage.tables import (
    AffiliateSale,
    AuditEntry,
    HeldReservation,
    HolderCount,
    Lot,
    Offering,
    Reservation,
    ReservationEnding,
    ReservedLot,
    Security,
    Transfer,
)


async def write_changes(connection: AsyncConnection, changes: Changes) -> None:
    """Write everything; the database's own checks are the last to look at it.

    Raises:
        IntegrityError: A check failed, or a key is taken.
    """
    await update_rows(connection, Security, [read_values(each) for each in changes.heads.values()])
    await update_rows(connection, Offering, [read_values(each) for each in changes.offerings.values()])
    await update_rows(connection, Lot, [read_values(each) for each in changes.lots.values()])
    await insert_rows(connection, Lot, [read_values(each) for each in changes.new_lots.values()])
    await upsert_rows(connection, HolderCount, [read_values(each) for each in changes.holders.values()])
    await insert_rows(connection, Transfer, changes.transfers)
    await _write_held(connection, changes.held)
    await insert_rows(connection, AffiliateSale, [read_values(each) for each in changes.affiliate_sales])
    await _write_endings(connection, changes)
    await insert_rows(connection, AuditEntry, changes.audit)


async def _write_held(connection: AsyncConnection, begun: Sequence[Held]) -> None:
    rows = [read_values(held.row) for held in begun]
    await insert_rows(connection, Reservation, rows)
    names = ("org_id", "transfer_id", "registrar_org_id", "security_id", "taker_org_id", "taker_ref", "expires_at")
    await insert_rows(connection, HeldReservation, [{name: row[name] for name in names} for row in rows])
    parts = [
        {
            "org_id": held.row.org_id,
            "transfer_id": held.row.transfer_id,
            "lot_id": part.lot.id,
            "quantity": part.quantity,
        }
        for held in begun
        for part in held.parts
    ]
    await insert_rows(connection, ReservedLot, parts)


async def _write_endings(connection: AsyncConnection, changes: Changes) -> None:
    if not changes.endings:
        return
    await insert_rows(connection, ReservationEnding, changes.endings)
    held = table_of(HeldReservation)
    ended = held.delete().where(held.c.org_id == bindparam("venue"), held.c.transfer_id == bindparam("transfer"))
    keys = [{"venue": each["org_id"], "transfer": each["transfer_id"]} for each in changes.endings]
    await connection.execute(ended, keys)
    await _give_up(connection, changes.given_up)


async def _give_up(connection: AsyncConnection, given_up: Iterable[Held]) -> None:
    """Take what will not happen out of the windows that look back at sales."""
    keys = [(held.row.registrar_org_id, held.row.security_id, held.row.transfer_id) for held in given_up]
    if not keys:
        return
    sales = table_of(AffiliateSale)
    delete = sales.delete().where(
        sales.c.org_id == bindparam("registrar"),
        sales.c.security_id == bindparam("security"),
        sales.c.transfer_id == bindparam("transfer"),
    )
    named = [{"registrar": each[0], "security": each[1], "transfer": each[2]} for each in keys]
    await connection.execute(delete, named)
    await give_up_sales(connection, [(each[0], each[2]) for each in keys])
