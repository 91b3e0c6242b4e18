"""Add up every register again from its rows, and compare with the counters that decisions rely on.

Source: gate.md section 3; the issue's "counters == sum of rows".
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.gate.counts import Counts, count, read_counts
from service.gate.register_reading import SecurityKey
from service.gate.rows import Head, Holder, HolderRow, LotRow, ReservationRow
from service.storage.core import read_rows, select_fields, table_of
from service.storage.tables import (
    HeldReservation,
    HolderCount,
    Lot,
    Purchase,
    Reservation,
    ReservationEnding,
    ReservedLot,
    Security,
    Transfer,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that is not what its rows add up to.

    Attributes:
        security: Registrar and id.
        what: The counter.
        kept, added_up: Its value, and what the rows say.
    """

    security: SecurityKey
    what: str
    kept: object
    added_up: object


@dataclass(slots=True)
class _Rows:
    """One register's rows."""

    head: Head
    lots: Sequence[LotRow]
    holders: Mapping[Holder, HolderRow]
    held: Sequence[ReservationRow]
    parts: Mapping[str, int]
    unended: set[tuple[str, str]]
    permits: set[tuple[str, str]]
    promised: set[str]
    reserved: set[tuple[str, str]] = field(default_factory=set)


async def reconcile(connection: AsyncConnection) -> tuple[int, list[Difference]]:
    """Check every register; return how many there are, and what is wrong."""
    heads = [Head(*row) for row in (await connection.execute(select_fields(Head, Security))).all()]
    found: list[Difference] = []
    for head in heads:
        rows = await _read(connection, head)
        found += [Difference((head.org_id, head.id), *each) for each in _compare(rows) if each[1] != each[2]]
    return len(heads), found


async def _read(connection: AsyncConnection, head: Head) -> _Rows:
    own = [(head.org_id, head.id)]
    lots = await read_rows(connection, LotRow, Lot, ("org_id", "security_id"), own)
    holders = await read_rows(connection, HolderRow, HolderCount, ("org_id", "security_id"), own)
    begun = await read_rows(connection, ReservationRow, Reservation, ("registrar_org_id", "security_id"), own)
    held_keys = await _list_keys(connection, HeldReservation, head)
    held = [row for row in begun if (row.org_id, row.transfer_id) in held_keys]
    ended, reserved = await _list_ended(connection, head), {(row.org_id, row.transfer_id) for row in begun}
    purchase = table_of(Purchase).c
    promised = select(purchase.id).where(
        purchase.org_id == head.org_id, purchase.security_id == head.id, purchase.expires_at.is_not(None)
    )
    return _Rows(
        head=head,
        lots=lots,
        holders={Holder(row.holder_org_id, row.investor_ref): row for row in holders},
        held=held,
        parts=await _sum_parts(connection, held),
        unended=reserved - ended,
        permits=await _list_keys(connection, Transfer, head, outcome="permit"),
        promised={row[0] for row in (await connection.execute(promised)).all()},
        reserved=reserved,
    )


async def _list_keys(
    connection: AsyncConnection, model: type[HeldReservation] | type[Transfer], head: Head, **equal: str
) -> set[tuple[str, str]]:
    columns = table_of(model).c
    identity = columns.id if model is Transfer else columns.transfer_id
    query = select(columns.org_id, identity).where(
        columns.registrar_org_id == head.org_id,
        columns.security_id == head.id,
        *(columns[name] == value for name, value in equal.items()),
    )
    return {(row[0], row[1]) for row in (await connection.execute(query)).all()}


async def _list_ended(connection: AsyncConnection, head: Head) -> set[tuple[str, str]]:
    ending, begun = table_of(ReservationEnding).c, table_of(Reservation).c
    query = select(ending.org_id, ending.transfer_id).where(
        begun.org_id == ending.org_id,
        begun.transfer_id == ending.transfer_id,
        begun.registrar_org_id == head.org_id,
        begun.security_id == head.id,
    )
    return {(row[0], row[1]) for row in (await connection.execute(query)).all()}


async def _sum_parts(connection: AsyncConnection, held: Sequence[ReservationRow]) -> Counter[str]:
    parts = table_of(ReservedLot).c
    sums: Counter[str] = Counter()
    for row in held:
        query = select(parts.lot_id, parts.quantity).where(
            parts.org_id == row.org_id, parts.transfer_id == row.transfer_id
        )
        for lot_id, quantity in (await connection.execute(query)).all():
            sums[lot_id] += quantity
    return sums


def _compare(rows: _Rows) -> Iterator[tuple[str, object, object]]:
    """Yield each counter with what it is and what it should be."""
    head = rows.head
    yield "outstanding", head.outstanding, sum(lot.quantity for lot in rows.lots)
    yield "outstanding_reserved", head.outstanding_reserved, sum(row.new_quantity for row in rows.held)
    for lot in rows.lots:
        yield f"lot {lot.id} reserved", lot.reserved, rows.parts.get(lot.id, 0)
    yield from _compare_holders(rows)
    summed = sum((count(row) for row in rows.holders.values()), Counts())
    for name in Counts.__slots__:
        yield name, getattr(read_counts(head), name), getattr(summed, name)
    yield "reservations without an ending", {(row.org_id, row.transfer_id) for row in rows.held}, rows.unended
    yield "permits with a reservation", rows.reserved, rows.permits
    # A regime without limits over time keeps no purchases, so promises are some of what is held.
    yield "promised sales not held", rows.promised - {row.transfer_id for row in rows.held}, set()


def _compare_holders(rows: _Rows) -> Iterator[tuple[str, object, object]]:
    positions: Counter[Holder] = Counter()
    for lot in rows.lots:
        positions[lot.holder] += lot.quantity
    awaited: dict[Holder, list[ReservationRow]] = defaultdict(list)
    for row in rows.held:
        if row.taker is not None:
            awaited[row.taker].append(row)
    for holder in sorted({*rows.holders, *positions, *awaited}):
        kept = rows.holders.get(holder) or HolderRow(rows.head.org_id, rows.head.id, *holder)
        coming, name = awaited[holder], f"holder {holder.org_id}/{holder.investor_ref}"
        yield f"{name} quantity", kept.quantity, positions[holder]
        yield f"{name} pending", kept.pending, len(coming)
        yield f"{name} pending_quantity", kept.pending_quantity, sum(row.quantity for row in coming)
        yield f"{name} holder_slots", kept.holder_slots, sum(row.holder_slots for row in coming)
        yield f"{name} nonaccredited_slots", kept.nonaccredited_slots, sum(row.nonaccredited_slots for row in coming)
        yield f"{name} owner_slots", kept.owner_slots, max((row.owner_slots for row in coming), default=0)
