"""The rows behind a security's counters of holders.

Every function expects the security's head row to be locked, or its changes to be thrown away.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.counts import LIMITS, Category, Counts, count, read_counts, shift_counts
from service.gate.register import Holder, list_lots
from service.gate.securities import find_security, read_security_terms
from service.storage.tables import HolderCount, Reservation, Security


async def find_count(session: AsyncSession, head: Security, holder: Holder) -> HolderCount:
    """Return the row of an investor; a new one, not yet part of the session, for whom there is none."""
    key = (head.org_id, head.id, holder.org_id, holder.investor_ref)
    return await session.get(HolderCount, key) or _begin_count(head, holder)


def _begin_count(head: Security, holder: Holder) -> HolderCount:
    return HolderCount(
        org_id=head.org_id, security_id=head.id, holder_org_id=holder.org_id, investor_ref=holder.investor_ref
    )


@dataclass(frozen=True, slots=True)
class CountedParties:
    """A security's counters as one transfer finds them.

    Attributes:
        others: Everybody's part but the buyer's.
        buyer: A row of zeros for whom there is none.
        owner: Whose lots are taken; None if there is nobody.
    """

    others: Counts
    buyer: HolderCount
    owner: HolderCount | None


async def read_counted(
    session: AsyncSession, head: Security, org_id: str, *, buyer_ref: str | None, owner_ref: str | None
) -> CountedParties:
    """Read the counters, and the rows of the parties that change them."""
    buyer = await find_count(session, head, Holder(org_id, buyer_ref or ""))
    owner = await find_count(session, head, Holder(org_id, owner_ref)) if owner_ref is not None else None
    return CountedParties(read_counts(head) - count(buyer), buyer, owner)


async def promise(session: AsyncSession, head: Security, reservation: Reservation, *, may_exceed: bool) -> None:
    """Count a reservation that begins."""
    taker = _find_taker(reservation)
    if taker is None:
        return
    row = await find_count(session, head, taker)
    before = count(row)
    row.pending += 1
    row.pending_quantity += reservation.quantity
    row.holder_slots += reservation.holder_slots
    row.nonaccredited_slots += reservation.nonaccredited_slots
    row.owner_slots = max(row.owner_slots, reservation.owner_slots)
    session.add(row)
    shift_counts(head, count(row) - before, may_exceed=may_exceed)


async def end_promise(session: AsyncSession, head: Security, reservation: Reservation) -> Counts:
    """Take a reservation that ends out of its taker's row; return by how much the security's counters change."""
    taker = _find_taker(reservation)
    if taker is None:
        return Counts()
    row = await find_count(session, head, taker)
    before = count(row)
    owner_slots = await _find_other_owner_slots(session, row, reservation)
    row.pending -= 1
    row.pending_quantity -= reservation.quantity
    row.holder_slots -= reservation.holder_slots
    row.nonaccredited_slots -= reservation.nonaccredited_slots
    row.owner_slots = owner_slots
    session.add(row)
    return count(row) - before


async def _find_other_owner_slots(session: AsyncSession, row: HolderCount, ending: Reservation) -> int:
    """Return the most owners that another reservation for the same taker holds."""
    if row.pending == 1:
        return 0
    others_hold_one = row.holder_slots > ending.holder_slots
    if ending.owner_slots < row.owner_slots or (ending.owner_slots <= 1 and others_hold_one):
        return row.owner_slots
    query = select(Reservation).where(
        Reservation.registrar_org_id == row.org_id,
        Reservation.security_id == row.security_id,
        Reservation.org_id == row.holder_org_id,
        Reservation.taker_ref == row.investor_ref,
        col(Reservation.held),
    )
    # In a preview, the database doesn't know yet what has ended; the loaded rows do.
    others = [each for each in (await session.exec(query)).all() if each.held and each is not ending]
    return max((each.owner_slots for each in others), default=0)


async def recount(
    session: AsyncSession, head: Security, holders: Collection[Holder], *, acquired: Mapping[Holder, Category]
) -> Counts:
    """Add up the lots of investors again; return by how much the security's counters change.

    Args:
        acquired: Those of them who acquired, and what they count as from now on.
    """
    rows = await _list_counts(session, head, holders)
    positions = dict.fromkeys(holders, 0)
    for lot in await list_lots(session, head, *holders) if holders else ():
        positions[Holder(lot.holder_org_id, lot.investor_ref)] += lot.quantity
    change = Counts()
    for holder, quantity in positions.items():
        row = rows.get(holder) or _begin_count(head, holder)
        before = count(row)
        row.quantity = quantity
        if holder in acquired:
            row.accredited, row.owners = acquired[holder].accredited, acquired[holder].owners
        session.add(row)
        change += count(row) - before
    return change


async def _list_counts(session: AsyncSession, head: Security, holders: Collection[Holder]) -> dict[Holder, HolderCount]:
    key = tuple_(col(HolderCount.holder_org_id), col(HolderCount.investor_ref))
    query = select(HolderCount).where(
        HolderCount.org_id == head.org_id,
        HolderCount.security_id == head.id,
        key.in_([(holder.org_id, holder.investor_ref) for holder in holders]),
    )
    return {Holder(row.holder_org_id, row.investor_ref): row for row in (await session.exec(query)).all()}


def _find_taker(reservation: Reservation) -> Holder | None:
    return Holder(reservation.org_id, reservation.taker_ref) if reservation.taker_ref is not None else None


async def describe_holders(session: AsyncSession, org_id: str, security_id: str) -> dict[str, Any]:
    """Return the counters of a security, by category against the issuer's caps.

    Raises:
        NotFoundError: The caller is not the registrar of such a security.
    """
    head = await find_security(session, org_id, security_id)
    caps = (await read_security_terms(session, head))["caps"]
    return {
        "holders": head.holders,
        "reserved": head.holders_reserved,
        "categories": {
            name: {"held": getattr(head, name), "reserved": getattr(head, f"{name}_reserved"), "cap": caps.get(name)}
            for name, _ in LIMITS
        },
        "issued_quantity": str(head.issued),
        "outstanding_quantity": str(head.outstanding),
        "reserved_quantity": str(head.outstanding_reserved),
    }
