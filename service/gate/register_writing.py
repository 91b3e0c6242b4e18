"""Write what happened to registers, with one statement for each kind of row."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.ext.asyncio import AsyncConnection

from service.gate.purchases import give_up_sales
from service.gate.register import Changes, Held
from service.storage.core import (
    Change,
    insert_rows,
    plan_inserts,
    plan_updates,
    plan_upserts,
    read_values,
    table_of,
)
from service.storage.outbox import plan_events
from service.storage.prepared import execute_together
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
    TransferReason,
)


async def write_changes(connection: AsyncConnection, changes: Changes) -> None:
    """Write everything; the database's own checks are the last to look at it.

    Raises:
        IntegrityError: A check failed, or a key is taken.
    """
    planned = [
        plan_updates(Security, _read_all(changes.heads.values())),
        plan_updates(Offering, _read_all(changes.offerings.values())),
        plan_updates(Lot, _read_all(changes.lots.values())),
        plan_inserts(Lot, _read_all(changes.new_lots.values())),
        plan_upserts(HolderCount, _read_all(changes.holders.values()), connection.dialect.name),
        plan_inserts(Transfer, changes.transfers),
        plan_inserts(TransferReason, changes.reasons),
        *_plan_held(changes.held),
        plan_inserts(AffiliateSale, _read_all(changes.affiliate_sales)),
        plan_inserts(AuditEntry, changes.audit),
        plan_events(changes.events),
    ]
    await execute_together(connection, planned)
    await _write_endings(connection, changes)


def _read_all(rows: Iterable[object]) -> list[dict[str, Any]]:
    return [read_values(each) for each in rows]


def _plan_held(begun: Sequence[Held]) -> list[Change]:
    rows = [read_values(held.row) for held in begun]
    names = ("org_id", "transfer_id", "registrar_org_id", "security_id", "taker_org_id", "taker_ref", "expires_at")
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
    return [
        plan_inserts(Reservation, rows),
        plan_inserts(HeldReservation, [{name: row[name] for name in names} for row in rows]),
        plan_inserts(ReservedLot, parts),
    ]


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
