"""Who held what at an instant: the lots of now, with everything undone that was settled since.

Lots keep their dates, and settling only takes quantities out of them or puts a lien on them, so that the parts that
each settlement took say what there was before. Nothing but what the register holds anyway is needed for that.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.cap_table import describe_positions
from service.gate.effects import KEEPS_OWNER
from service.gate.securities import find_security
from service.storage.tables import Lot, Reservation, ReservationEnding, ReservedLot, Security, Transfer

_PLEDGE = "pledge"


@dataclass(frozen=True, slots=True)
class _Settled:
    """A transfer that was settled, with the parts that it took, in the order in which it took them."""

    transfer: Transfer
    at: datetime
    parts: Sequence[ReservedLot]


@dataclass(slots=True)
class _Undone:
    """What has to be undone on one lot.

    Attributes:
        taken: Quantity that has gone since.
        in_place: The first pledge or release since that changed the lot itself.
    """

    taken: int = 0
    in_place: Transfer | None = None


async def list_positions_as_of(
    session: AsyncSession, org_id: str, security_id: str, at: datetime
) -> list[dict[str, Any]]:
    """Return the cap table as it stood; the form is that of ``list_positions``.

    Raises:
        NotFoundError: The caller is not the registrar of such a security.
    """
    security = await find_security(session, org_id, security_id)
    return describe_positions(await list_lots_as_of(session, security, at))


async def list_lots_as_of(session: AsyncSession, security: Security, at: datetime) -> list[Lot]:
    """Return the lots of a security as they stood, outside the session, first in, first out."""
    query = select(Lot).where(Lot.org_id == security.org_id, Lot.security_id == security.id)
    lots = (await session.exec(query.order_by(col(Lot.acquired_on), col(Lot.id)))).all()
    settled = await _list_settled(session, security)
    undone = _undo([each for each in settled if each.at > at], lots)
    reserved = await _sum_reserved(session, security, at)
    earlier = [each for each in settled if each.at <= at]
    past = [_restore(lot, undone[lot.id], reserved[lot.id], earlier) for lot in lots if lot.created_at <= at]
    return [lot for lot in past if lot.quantity > 0]


async def _list_settled(session: AsyncSession, security: Security) -> list[_Settled]:
    """Return what was settled, in the order in which it was, with the parts of lots that it took."""
    query = (
        select(Transfer, ReservationEnding.ended_at)
        .join(
            ReservationEnding,
            (col(ReservationEnding.org_id) == col(Transfer.org_id))
            & (col(ReservationEnding.transfer_id) == col(Transfer.id)),
        )
        .where(
            Transfer.registrar_org_id == security.org_id,
            Transfer.security_id == security.id,
            ReservationEnding.state == "settled",
        )
        .order_by(col(ReservationEnding.ended_at), col(Transfer.id))
    )
    rows = (await session.exec(query)).all()
    parts = await _list_parts(session, security)
    return [_Settled(transfer, ended_at, parts[transfer.org_id, transfer.id]) for transfer, ended_at in rows]


async def _list_parts(session: AsyncSession, security: Security) -> Mapping[tuple[str, str], list[ReservedLot]]:
    query = (
        select(ReservedLot)
        .join(Lot, col(Lot.id) == col(ReservedLot.lot_id))
        .where(Lot.org_id == security.org_id, Lot.security_id == security.id)
        .order_by(col(ReservedLot.lot_id))
    )
    parts: dict[tuple[str, str], list[ReservedLot]] = defaultdict(list)
    for part in (await session.exec(query)).all():
        parts[part.org_id, part.transfer_id].append(part)
    return parts


async def _sum_reserved(session: AsyncSession, security: Security, at: datetime) -> Mapping[str, int]:
    """Return how much of each lot was promised: by decisions made by then whose reservations had not ended."""
    query = (
        select(ReservedLot)
        .join(
            Reservation,
            (col(Reservation.org_id) == col(ReservedLot.org_id))
            & (col(Reservation.transfer_id) == col(ReservedLot.transfer_id)),
        )
        .join(
            Transfer,
            (col(Transfer.org_id) == col(ReservedLot.org_id)) & (col(Transfer.id) == col(ReservedLot.transfer_id)),
        )
        .outerjoin(
            ReservationEnding,
            (col(ReservationEnding.org_id) == col(ReservedLot.org_id))
            & (col(ReservationEnding.transfer_id) == col(ReservedLot.transfer_id)),
        )
        .where(
            Reservation.registrar_org_id == security.org_id,
            Reservation.security_id == security.id,
            Transfer.decided_at <= at,
            Reservation.expires_at > at,
            or_(col(ReservationEnding.ended_at).is_(None), col(ReservationEnding.ended_at) > at),
        )
    )
    reserved: dict[str, int] = defaultdict(int)
    for part in (await session.exec(query)).all():
        reserved[part.lot_id] += part.quantity
    return reserved


def _undo(settled: Sequence[_Settled], lots: Sequence[Lot]) -> Mapping[str, _Undone]:
    """Go back from settlement to settlement, so that what is known of each lot is how it was right after each."""
    undone: dict[str, _Undone] = defaultdict(_Undone)
    made: dict[str | None, list[Lot]] = defaultdict(list)
    for lot in lots:
        made[lot.source_transfer_id].append(lot)
    quantities = {lot.id: lot.quantity for lot in lots}
    for each in reversed(settled):
        split = _find_split(each, quantities, len(made[each.transfer.id]))
        for part in each.parts:
            if part.lot_id in split:
                undone[part.lot_id].taken += part.quantity
                quantities[part.lot_id] += part.quantity
            else:
                undone[part.lot_id].in_place = each.transfer
    return undone


def _find_split(settled: _Settled, after: Mapping[str, int], made: int) -> Collection[str]:
    """Return the lots out of which parts were taken.

    A pledge or release makes a lot of the part of a larger one, and changes a whole lot where it is. What is left of a
    lot tells them apart, but for a half: then the number of lots that were made does.
    """
    if settled.transfer.action not in KEEPS_OWNER:
        return {part.lot_id for part in settled.parts}
    split = [part.lot_id for part in settled.parts if after[part.lot_id] != part.quantity]
    halves = [part.lot_id for part in settled.parts if after[part.lot_id] == part.quantity]
    return {*split, *halves[: made - len(split)]}


def _restore(lot: Lot, undone: _Undone, reserved: int, earlier: Sequence[_Settled]) -> Lot:
    changes: dict[str, Any] = {"quantity": lot.quantity + undone.taken, "reserved": reserved}
    if undone.in_place is not None:
        changes |= _find_lien(lot, undone.in_place, earlier)
    return Lot(**(lot.model_dump() | changes))


def _find_lien(lot: Lot, first: Transfer, earlier: Sequence[_Settled]) -> dict[str, Any]:
    """Return the lien before the first pledge or release of the whole lot: none before a pledge, and before a
    release that of the last pledge to whom it released, of this lot if there is one.
    """
    pledges: list[Transfer] = []
    if first.action != _PLEDGE:
        given = [
            each for each in earlier if each.transfer.action == _PLEDGE and each.transfer.buyer_ref == first.buyer_ref
        ]
        own = [each for each in given if each.transfer.id == lot.source_transfer_id or _touches(each, lot)]
        pledges = [each.transfer for each in own or given]
    if not pledges:
        return {"lien_transfer_id": None, "lien_holder_ref": None, "lien_recourse": None}
    recourse = pledges[-1].request.get("trade", {}).get("recourse") is True
    return {"lien_transfer_id": pledges[-1].id, "lien_holder_ref": first.buyer_ref, "lien_recourse": recourse}


def _touches(settled: _Settled, lot: Lot) -> bool:
    return any(part.lot_id == lot.id for part in settled.parts)
