"""What a permit holds, and how it ends: settled, void or expired, exactly once.

Every function expects the security's head row to be locked by the caller's transaction. Changes go through loaded
rows, so that a preview can make them and throw them away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.counters import end_promise, promise, recount
from service.gate.counts import Category, Counts, Slots, shift_counts
from service.gate.effects import ADDS_QUANTITY, KEEPS_OWNER, Settling, apply_effect, list_parents
from service.gate.lots import LotPart
from service.gate.purchases import give_up_sale, settle_sale
from service.gate.register import Holder, list_lots
from service.rules.rule import UNWILLED
from service.storage.audit import append_audit_entry
from service.storage.tables import Lot, Reservation, ReservationEnding, ReservedLot, Security, Transfer


@dataclass(frozen=True, slots=True)
class Ending:
    """How a reservation ends.

    Attributes:
        state: ``settled``, ``void`` or ``expired``.
        reference: The caller's reference of a settlement.
        reason: Why it is void.
    """

    state: str
    at: datetime
    reference: str | None = None
    reason: str | None = None


async def hold(
    session: AsyncSession, head: Security, transfer: Transfer, parts: Sequence[LotPart], *, slots: Slots
) -> Reservation:
    """Reserve what a permit promises: the seller's lots or new quantity, and the taker's slots among the holders."""
    new_quantity = transfer.quantity if transfer.action in ADDS_QUANTITY else 0
    taker = _find_taker(transfer)
    reservation = Reservation(
        org_id=transfer.org_id,
        transfer_id=transfer.id,
        registrar_org_id=head.org_id,
        security_id=head.id,
        taker_ref=taker.investor_ref if taker else None,
        quantity=transfer.quantity,
        holder_slots=slots.holder if taker else 0,
        nonaccredited_slots=slots.nonaccredited if taker else 0,
        owner_slots=slots.owners if taker else 0,
        new_quantity=new_quantity,
        expires_at=transfer.expires_at,
    )
    await promise(session, head, reservation, may_exceed=transfer.action in UNWILLED)
    head.outstanding_reserved += new_quantity
    session.add_all([head, reservation])
    for part in parts:
        part.lot.reserved += part.quantity
        session.add(part.lot)
        session.add(
            ReservedLot(org_id=transfer.org_id, transfer_id=transfer.id, lot_id=part.lot.id, quantity=part.quantity)
        )
    return reservation


async def expire_overdue(session: AsyncSession, head: Security, now: datetime) -> None:
    """End every reservation of the security whose time is over, and give back what it held."""
    query = select(Reservation).where(
        Reservation.registrar_org_id == head.org_id,
        Reservation.security_id == head.id,
        col(Reservation.held),
        col(Reservation.expires_at) <= now,
    )
    for reservation in (await session.exec(query)).all():
        await release(session, head, reservation, Ending("expired", reservation.expires_at))


async def release(session: AsyncSession, head: Security, reservation: Reservation, ending: Ending) -> None:
    """End a reservation without a transfer: everything that it held is free again."""
    for part in await list_reserved_parts(session, reservation):
        part.lot.reserved -= part.quantity
        session.add(part.lot)
    if reservation.new_quantity:
        await give_up_sale(session, head.org_id, reservation.transfer_id)
    shift_counts(head, await _close(session, head, reservation, ending))


async def list_reserved_parts(session: AsyncSession, reservation: Reservation) -> list[LotPart]:
    """Return the parts of lots that a reservation holds."""
    query = (
        select(ReservedLot, Lot)
        .join(Lot, col(Lot.id) == col(ReservedLot.lot_id))
        .where(
            ReservedLot.org_id == reservation.org_id,
            ReservedLot.transfer_id == reservation.transfer_id,
            Lot.org_id == reservation.registrar_org_id,
            Lot.security_id == reservation.security_id,
        )
        .order_by(col(ReservedLot.lot_id))
    )
    return [LotPart(lot, reserved.quantity) for reserved, lot in (await session.exec(query)).all()]


async def _close(session: AsyncSession, head: Security, reservation: Reservation, ending: Ending) -> Counts:
    """End a reservation; return by how much its end changes the security's counters."""
    change = await end_promise(session, head, reservation)
    reservation.held = False
    head.outstanding_reserved -= reservation.new_quantity
    session.add_all([head, reservation])
    session.add(
        ReservationEnding(
            org_id=reservation.org_id,
            transfer_id=reservation.transfer_id,
            state=ending.state,
            reference=ending.reference,
            reason=ending.reason,
            ended_at=ending.at,
        )
    )
    append_audit_entry(
        session,
        org_id=reservation.org_id,
        kind=f"transfer.{ending.state}",
        subject_id=reservation.transfer_id,
        record={"state": ending.state, "reference": ending.reference, "reason": ending.reason},
        recorded_at=ending.at,
    )
    return change


async def settle(
    session: AsyncSession,
    head: Security,
    transfer: Transfer,
    reservation: Reservation,
    ending: Ending,
    *,
    category: Category,
    today: date,
    hold_only: bool = False,
) -> None:
    """Let a reservation have its effect on the register.

    Args:
        category: What the taker counts as from now on.
        today: Civil date of the settlement, on which the buyer has paid.
        hold_only: The taker may hold what it gets, not acquire more.
    """
    parts = await list_reserved_parts(session, reservation)
    taker = _find_taker(transfer)
    held = await list_lots(session, head, taker) if taker else []
    parents = list_parents(held, transfer.request.get("offering_id")) if transfer.action == "distribution" else ()
    effect = Settling(head, transfer, parts, parents, today=today, now=ending.at, hold_only=hold_only)
    session.add_all(apply_effect(effect))
    if transfer.action == "primary":
        await settle_sale(session, head.org_id, transfer)
    change = await _close(session, head, reservation, ending)
    changed = {Holder(part.lot.holder_org_id, part.lot.investor_ref) for part in parts} | ({taker} if taker else set())
    change += await recount(session, head, changed, acquired={taker: category} if taker else {})
    shift_counts(head, change, may_exceed=transfer.action in UNWILLED)


def _find_taker(transfer: Transfer) -> Holder | None:
    """Return who receives lots: nobody in a redemption or conversion, and a pledgee only gets a lien."""
    if transfer.buyer_ref is None or transfer.action in KEEPS_OWNER:
        return None
    return Holder(transfer.org_id, transfer.buyer_ref)
