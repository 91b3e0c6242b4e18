"""What the register holds for the parties of a request: which lots its action takes, and whose they are."""

from collections.abc import Sequence
from datetime import date

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.lots import Holdings, LotPart, clock_start
from service.gate.register import Holder, list_lots, sum_position
from service.gate.requests import InvalidTransferError
from service.gate.transfer_models import PartyRef, TransferRequest
from service.storage.tables import Lot, Security, Transfer

_LIENS_STAY = frozenset({"secondary", "gift", "pledge", "redemption", "conversion"})
"""Actions for which the owner's word is not enough while somebody has a lien on the lot."""


async def read_holdings(session: AsyncSession, head: Security, org_id: str, request: TransferRequest) -> Holdings:
    """Read the lots of the request's parties.

    Raises:
        InvalidTransferError: Several investors have pledged lots to the seller of a liquidation, or only a part of a
            position is to be recovered.
    """
    taker_lots = await _list_lots_of(session, head, org_id, request.buyer)
    if request.action == "liquidation":
        return await _read_pledged(session, head, org_id, request, taker_lots)
    lots = await _list_lots_of(session, head, org_id, request.seller)
    position = sum_position(lots)
    if request.action == "recovery" and int(request.quantity) < position:
        # Else one subject would be counted as two holders.
        raise InvalidTransferError.at("quantity", f"must be the whole position, {position}")
    owner_ref = request.seller.investor_ref if request.seller else None
    return Holdings(owner_ref, position, _list_free(request, lots), taker_lots)


async def _list_lots_of(session: AsyncSession, head: Security, org_id: str, party: PartyRef | None) -> Sequence[Lot]:
    return await list_lots(session, head, Holder(org_id, party.investor_ref)) if party else ()


async def _read_pledged(
    session: AsyncSession, head: Security, org_id: str, request: TransferRequest, taker_lots: Sequence[Lot]
) -> Holdings:
    assert request.seller is not None
    pledgee, pledgor = request.seller.investor_ref, request.pledgor
    query = select(Lot).where(
        Lot.org_id == head.org_id,
        Lot.security_id == head.id,
        Lot.holder_org_id == org_id,
        Lot.lien_holder_ref == pledgee,
    )
    if pledgor is not None:
        query = query.where(Lot.investor_ref == pledgor.investor_ref)
    pledged = [lot for lot in (await session.exec(query.order_by(col(Lot.id)))).all() if lot.quantity > 0]
    owners: set[str | None] = {lot.investor_ref for lot in pledged}
    owners = owners or {pledgor.investor_ref if pledgor else None}
    if len(owners) > 1:
        raise InvalidTransferError.at("pledgor", "must be named: several investors have pledged lots to the seller")
    (owner_ref,) = owners
    owned = await list_lots(session, head, Holder(org_id, owner_ref)) if owner_ref else ()
    return Holdings(
        owner_ref, sum_position(owned), _list_free(request, pledged), taker_lots, await _date_pledges(session, pledged)
    )


async def _date_pledges(session: AsyncSession, pledged: Sequence[Lot]) -> dict[str, date]:
    ids = {lot.lien_transfer_id for lot in pledged}
    query = select(Transfer).where(col(Transfer.id).in_(ids))
    return {pledge.id: pledge.trade_date for pledge in (await session.exec(query)).all()} if ids else {}


def _list_free(request: TransferRequest, lots: Sequence[Lot]) -> list[LotPart]:
    """Return what is not promised elsewhere, longest held first, and what nobody has a lien on before the rest."""
    ordered = sorted(lots, key=lambda lot: (lot.lien_transfer_id is not None, clock_start(lot)))
    free = [LotPart(lot, lot.quantity - lot.reserved) for lot in ordered if _is_open_to(request, lot)]
    return [part for part in free if part.quantity > 0]


def _is_open_to(request: TransferRequest, lot: Lot) -> bool:
    if request.action == "release":
        return request.buyer is not None and lot.lien_holder_ref == request.buyer.investor_ref
    return lot.lien_transfer_id is None or request.action not in _LIENS_STAY
