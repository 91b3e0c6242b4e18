"""What a permit holds, and how it ends: settled, void or expired, exactly once.

Every function expects the security's head row to be locked by the caller's transaction. Changes go through loaded
rows, so that a preview can make them and throw them away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.facts import LotPart
from service.gate.register import Holder, is_holder, list_lots, sum_position
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import Lot, Reservation, ReservationEnding, ReservedLot, Security, Transfer

_TACKING = frozenset({"nonaffiliate", "gift", "estate", "pledge_recourse"})


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


def hold(
    session: AsyncSession, head: Security, transfer: Transfer, parts: Sequence[LotPart], *, holder_slots: int
) -> Reservation:
    """Reserve what a permit promises: the seller's lots or new quantity, and a holder slot."""
    new_quantity = transfer.quantity if transfer.action == "primary" else 0
    reservation = Reservation(
        org_id=transfer.org_id,
        transfer_id=transfer.id,
        registrar_org_id=head.org_id,
        security_id=head.id,
        holder_slots=holder_slots,
        new_quantity=new_quantity,
        expires_at=transfer.expires_at,
    )
    head.holders_reserved += holder_slots
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
    _close(session, head, reservation, ending)


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


def _close(session: AsyncSession, head: Security, reservation: Reservation, ending: Ending) -> None:
    reservation.held = False
    head.holders_reserved -= reservation.holder_slots
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


async def settle(
    session: AsyncSession, head: Security, transfer: Transfer, reservation: Reservation, ending: Ending, *, today: date
) -> None:
    """Turn a reservation into the buyer's lots.

    Args:
        today: Civil date of the settlement, on which the buyer has paid.
    """
    assert transfer.buyer_ref is not None  # the request's check lets no sale through without a buyer
    buyer = Holder(transfer.org_id, transfer.buyer_ref)
    buyer_held = await is_holder(session, head, buyer)
    parts = await list_reserved_parts(session, reservation)
    for part in parts:
        part.lot.quantity -= part.quantity
        part.lot.reserved -= part.quantity
        session.add_all([part.lot, _pass_on(transfer, part, today=today, now=ending.at)])
    if reservation.new_quantity:
        session.add(_issue(head, transfer, reservation.new_quantity, today=today, now=ending.at))
        head.outstanding += reservation.new_quantity
    _close(session, head, reservation, ending)
    head.holders += 0 if buyer_held else 1
    if transfer.seller_ref is not None:
        left = await list_lots(session, head, Holder(transfer.org_id, transfer.seller_ref))
        head.holders -= 0 if sum_position(left) else 1


def clock_start(lot: Lot) -> date:
    """Return the day on which the lot's holding period began.

    Source: 17 CFR 230.144(d)(1), (d)(3).
    """
    if lot.acquired_from in _TACKING and lot.tack_from:
        return lot.tack_from
    return max(lot.acquired_on, lot.paid_in_full_on or lot.acquired_on)


def _pass_on(transfer: Transfer, part: LotPart, *, today: date, now: datetime) -> Lot:
    """Make the buyer's lot. Unless the seller is known to be no affiliate, the holding period starts again."""
    tacks = transfer.seller_affiliate is False
    return Lot(
        org_id=part.lot.org_id,
        security_id=part.lot.security_id,
        id=new_id("lot"),
        offering_id=part.lot.offering_id,
        holder_org_id=transfer.org_id,
        investor_ref=transfer.buyer_ref or "",
        quantity=part.quantity,
        acquired_on=transfer.trade_date,
        paid_in_full_on=today,
        acquired_from="nonaffiliate" if tacks else "affiliate",
        tack_from=clock_start(part.lot) if tacks else None,
        issued_on=part.lot.issued_on,
        source_transfer_id=transfer.id,
        created_at=now,
    )


def _issue(head: Security, transfer: Transfer, quantity: int, *, today: date, now: datetime) -> Lot:
    return Lot(
        org_id=head.org_id,
        security_id=head.id,
        id=new_id("lot"),
        offering_id=transfer.offering_id or "",
        holder_org_id=transfer.org_id,
        investor_ref=transfer.buyer_ref or "",
        quantity=quantity,
        acquired_on=transfer.trade_date,
        paid_in_full_on=today,
        acquired_from="issuer",
        issued_on=transfer.trade_date,
        source_transfer_id=transfer.id,
        created_at=now,
    )
