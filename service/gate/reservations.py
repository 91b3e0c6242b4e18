"""What a permit holds, and how it ends: settled, void or expired, exactly once. Pure.

Everything happens to the register in memory, whose security is locked, or whose changes are thrown away.
"""

from dataclasses import dataclass
from datetime import date, datetime

from service.gate.counters import end_promise, promise, recount
from service.gate.counts import Category, Counts, Slots, shift_counts
from service.gate.effects import ADDS_QUANTITY, KEEPS_OWNER, Settling, apply_effect, list_parents
from service.gate.events import build_ending_events
from service.gate.lots import LotPart
from service.gate.register import Held, Register
from service.gate.rows import AffiliateSaleRow, Holder, ReservationRow, TransferRow
from service.rules.rule import UNWILLED
from service.storage.audit import build_audit_entry

SETTLED, VOID, EXPIRED, HELD = "settled", "void", "expired", "held"


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


@dataclass(frozen=True, slots=True)
class Promise:
    """What a permit promises.

    Attributes:
        parts: Of the owner's lots.
        taker: Who is to get lots.
        slots: What that may add to the counts.
        affiliate: Who sells as an affiliate under Rule 144, or may; None for nobody.
    """

    parts: list[LotPart]
    taker: Holder | None
    slots: Slots
    affiliate: Holder | None


def hold(register: Register, transfer: TransferRow, promised: Promise) -> None:
    """Reserve what a permit promises: the seller's lots or new quantity, and the taker's slots among the holders."""
    new_quantity = transfer.quantity if transfer.action in ADDS_QUANTITY else 0
    # In a redemption or conversion nobody receives lots, and a pledgee only gets a lien.
    taker = None if transfer.action in KEEPS_OWNER else promised.taker
    reservation = ReservationRow(
        org_id=transfer.org_id,
        transfer_id=transfer.id,
        registrar_org_id=register.head.org_id,
        security_id=register.head.id,
        taker_org_id=taker.org_id if taker else None,
        taker_ref=taker.investor_ref if taker else None,
        quantity=transfer.quantity,
        holder_slots=promised.slots.holder if taker else 0,
        nonaccredited_slots=promised.slots.nonaccredited if taker else 0,
        owner_slots=promised.slots.owners if taker else 0,
        new_quantity=new_quantity,
        expires_at=transfer.expires_at,
    )
    promise(register, reservation, may_exceed=transfer.action in UNWILLED)
    register.head.outstanding_reserved += new_quantity
    register.mark_head()
    for part in promised.parts:
        part.lot.reserved += part.quantity
        register.mark_lot(part.lot)
    held = Held(reservation, promised.parts)
    register.held[held.key] = held
    register.changes.held.append(held)
    if promised.affiliate is not None:
        _count_affiliate_sale(register, transfer, promised.affiliate)


def _count_affiliate_sale(register: Register, transfer: TransferRow, seller: Holder) -> None:
    sale = AffiliateSaleRow(*register.key, *seller, transfer.id, transfer.trade_date, transfer.quantity)
    register.affiliate_sales[seller].append(sale)
    register.changes.affiliate_sales.append(sale)


def list_overdue(register: Register, now: datetime) -> list[Held]:
    """Return the reservations whose time is over."""
    return [held for held in register.held.values() if held.row.expires_at <= now]


def expire_overdue(register: Register, now: datetime) -> list[Held]:
    """End every reservation whose time is over, give back what it held, and return them."""
    overdue = list_overdue(register, now)
    for held in overdue:
        release(register, held, Ending(EXPIRED, held.row.expires_at))
    return overdue


def release(register: Register, held: Held, ending: Ending) -> None:
    """End a reservation without a transfer: everything that it held is free again."""
    for part in held.parts:
        part.lot.reserved -= part.quantity
        register.mark_lot(part.lot)
    for holder, sales in register.affiliate_sales.items():
        given_up = [sale for sale in sales if sale.transfer_id == held.row.transfer_id]
        register.affiliate_sales[holder] = [sale for sale in sales if sale not in given_up]
    register.changes.given_up.append(held)
    shift_counts(register.head, _close(register, held, ending))


def _close(register: Register, held: Held, ending: Ending) -> Counts:
    """End a reservation; return by how much its end changes the security's counters."""
    change = end_promise(register, held)
    reservation = held.row
    del register.held[held.key]
    register.head.outstanding_reserved -= reservation.new_quantity
    register.mark_head()
    register.changes.endings.append(
        {
            "org_id": reservation.org_id,
            "transfer_id": reservation.transfer_id,
            "state": ending.state,
            "reference": ending.reference,
            "reason": ending.reason,
            "ended_at": ending.at,
        }
    )
    register.changes.audit.append(
        build_audit_entry(
            org_id=reservation.org_id,
            kind=f"transfer.{ending.state}",
            subject_id=reservation.transfer_id,
            record={"state": ending.state, "reference": ending.reference, "reason": ending.reason},
            recorded_at=ending.at,
        )
    )
    register.changes.events += build_ending_events(
        venue_org_id=reservation.org_id,
        registrar_org_id=reservation.registrar_org_id,
        security_id=reservation.security_id,
        transfer_id=reservation.transfer_id,
        state=ending.state,
        now=ending.at,
    )
    return change


def settle(
    register: Register,
    transfer: TransferRow,
    held: Held,
    ending: Ending,
    *,
    category: Category,
    today: date,
    taker: Holder | None,
    hold_only: bool = False,
) -> None:
    """Let a reservation have its effect on the register.

    Args:
        category: What the taker counts as from now on.
        today: Civil date of the settlement, on which the buyer has paid.
        taker: The buyer, who in a pledge or its release gets no lots.
        hold_only: The taker may hold what it gets, not acquire more.
    """
    gets = held.row.taker
    owned = register.list_lots(gets) if gets else []
    parents = list_parents(owned, transfer.request.get("offering_id")) if transfer.action == "distribution" else ()
    effect = Settling(
        register.head, transfer, taker, held.parts, parents, today=today, now=ending.at, hold_only=hold_only
    )
    owners = {part.lot.holder for part in held.parts}
    for lot in apply_effect(effect):
        register.mark_lot(lot)
    if transfer.action == "primary":
        register.mark_issued(transfer.offering_id or "", transfer.trade_date)
    change = _close(register, held, ending)
    change += recount(register, owners | ({gets} if gets else set()), acquired={gets: category} if gets else {})
    shift_counts(register.head, change, may_exceed=transfer.action in UNWILLED)
    register.mark_head()
