"""What the register holds for the parties of a request: which lots its action takes, and whose they are. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date

from service.gate.lots import Holdings, LotPart, clock_start
from service.gate.register import Register, sum_position
from service.gate.requests import InvalidTransferError
from service.gate.rows import Holder, LotRow, PledgeRow
from service.gate.transfer_models import PartyRef, TransferRequest

_LIENS_STAY = frozenset({"secondary", "gift", "pledge", "redemption", "conversion"})
"""Actions for which the owner's word is not enough while somebody has a lien on the lot."""


def find_holdings(
    register: Register,
    org_id: str,
    request: TransferRequest,
    holders: Mapping[str, Holder],
    pledges: Mapping[str, PledgeRow],
) -> Holdings:
    """Find the lots of the request's parties.

    Args:
        org_id: Who asks.
        holders: By investor ref of the request, who that is in the register.
        pledges: By id, the pledges of a liquidation's lots.

    Raises:
        InvalidTransferError: Several investors have pledged lots to the seller of a liquidation, or only a part of a
            position is to be recovered.
    """
    taker_lots = _list_lots_of(register, holders, request.buyer)
    if request.action == "liquidation":
        return _find_pledged(register, org_id, request, taker_lots, pledges)
    lots = _list_lots_of(register, holders, request.seller)
    position = sum_position(lots)
    if request.action == "recovery" and int(request.quantity) < position:
        # Else one subject would be counted as two holders.
        raise InvalidTransferError.at("quantity", f"must be the whole position, {position}")
    owner = holders[request.seller.investor_ref] if request.seller else None
    return Holdings(owner, position, _list_free(org_id, request, lots), taker_lots)


def _list_lots_of(register: Register, holders: Mapping[str, Holder], party: PartyRef | None) -> Sequence[LotRow]:
    return register.list_lots(holders[party.investor_ref]) if party else ()


def _find_pledged(
    register: Register,
    org_id: str,
    request: TransferRequest,
    taker_lots: Sequence[LotRow],
    pledges: Mapping[str, PledgeRow],
) -> Holdings:
    # Who asks about eligibility need not name a seller.
    pledged = register.list_pledged_to(Holder(org_id, request.seller.investor_ref)) if request.seller else []
    named = request.pledgor.investor_ref if request.pledgor else None
    if named is not None:
        pledged = [lot for lot in pledged if _find_pledgor_ref(lot, pledges) == named]
    owners = {lot.holder: _find_pledgor_ref(lot, pledges) for lot in pledged}
    if len(owners) > 1:
        raise InvalidTransferError.at("pledgor", "must be named: several investors have pledged lots to the seller")
    owner, pledgor_ref = next(iter(owners.items()), (None, named))
    position = sum_position(register.list_lots(owner)) if owner else 0
    free = _list_free(org_id, request, pledged)
    return Holdings(owner, position, free, taker_lots, _date_pledges(pledged, pledges), pledgor_ref)


def _find_pledgor_ref(lot: LotRow, pledges: Mapping[str, PledgeRow]) -> str | None:
    pledge = pledges.get(lot.lien_transfer_id or "")
    return pledge.seller_ref if pledge else None


def _date_pledges(pledged: Sequence[LotRow], pledges: Mapping[str, PledgeRow]) -> dict[str, date]:
    ids = {lot.lien_transfer_id for lot in pledged if lot.lien_transfer_id}
    return {each: pledges[each].trade_date for each in ids if each in pledges}


def _list_free(org_id: str, request: TransferRequest, lots: Sequence[LotRow]) -> list[LotPart]:
    """Return what is not promised elsewhere, longest held first, and what nobody has a lien on before the rest."""
    ordered = sorted(lots, key=lambda lot: (lot.lien_transfer_id is not None, clock_start(lot)))
    free = [LotPart(lot, lot.quantity - lot.reserved) for lot in ordered if _is_open_to(org_id, request, lot)]
    return [part for part in free if part.quantity > 0]


def _is_open_to(org_id: str, request: TransferRequest, lot: LotRow) -> bool:
    if request.action == "release":
        return request.buyer is not None and lot.pledgee == Holder(org_id, request.buyer.investor_ref)
    return lot.lien_transfer_id is None or request.action not in _LIENS_STAY
