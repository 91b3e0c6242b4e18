"""What settling does to the lots, action by action. Expects the security's head row to be locked.

Quantities move in new lots of their own; whether a lot's dates move with it is what Rule 144 calls tacking.

Source: 17 CFR 230.144(d)(3); rules.yaml, actions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from service.gate.lots import LotPart, clock_start
from service.gate.rows import Head, Holder, LotRow, TransferRow
from service.storage.core import read_values
from service.storage.ids import new_id

ADDS_QUANTITY = frozenset({"primary", "distribution"})
KEEPS_OWNER = frozenset({"pledge", "release"})
_NO_LIEN = MappingProxyType(
    {"lien_transfer_id": None, "lien_org_id": None, "lien_holder_ref": None, "lien_recourse": None}
)


@dataclass(frozen=True, slots=True)
class Settling:
    """One settlement.

    Attributes:
        taker: Who gets lots; None if nobody does.
        parts: What the reservation holds of the lots.
        parents: The lots on which a distribution is made; empty for every other action.
        today: Civil date of the settlement, on which the buyer has paid.
        hold_only: The taker may hold what it gets, not acquire more.
    """

    head: Head
    transfer: TransferRow
    taker: Holder | None
    parts: Sequence[LotPart]
    parents: Sequence[LotRow]
    today: date
    now: datetime
    hold_only: bool


def apply_effect(settling: Settling) -> list[LotRow]:
    """Change the reserved lots and the security's outstanding quantity; return the lots that change or are new."""
    for part in settling.parts:
        part.lot.reserved -= part.quantity
    return _EFFECTS[settling.transfer.action](settling)


def list_parents(lots: Sequence[LotRow], offering_id: str | None) -> Sequence[LotRow]:
    """Return the lots on which a distribution is made: all of the holder's, or those of the offering that it names."""
    return [lot for lot in lots if offering_id in (None, lot.offering_id)]


def spread(parents: Sequence[LotRow], quantity: int) -> list[LotPart]:
    """Spread a distribution over the lots on which it is made; what doesn't divide goes to the youngest ones."""
    if not parents:
        return []
    held = sum(lot.quantity for lot in parents)
    shares = [quantity * lot.quantity // held for lot in parents]
    left = quantity - sum(shares)
    youngest = sorted(range(len(parents)), key=lambda index: clock_start(parents[index]), reverse=True)
    for index in youngest[:left]:
        shares[index] += 1
    return [LotPart(lot, share) for lot, share in zip(parents, shares, strict=True) if share]


def _issue(settling: Settling) -> list[LotRow]:
    head, transfer, taker = settling.head, settling.transfer, settling.taker
    assert taker is not None  # the request's check lets no sale through without a buyer
    head.outstanding += transfer.quantity
    bought = LotRow(
        org_id=head.org_id,
        security_id=head.id,
        id=new_id("lot"),
        offering_id=transfer.offering_id or "",
        holder_org_id=taker.org_id,
        investor_ref=taker.investor_ref,
        quantity=transfer.quantity,
        acquired_on=transfer.trade_date,
        paid_in_full_on=settling.today,
        acquired_from="issuer",
        issued_on=transfer.trade_date,
        source_transfer_id=transfer.id,
        created_at=settling.now,
    )
    return [bought]


def _sell(settling: Settling) -> list[LotRow]:
    """Pass lots on. Unless the seller is known to be no affiliate, the holding period starts again."""
    tacks = settling.transfer.seller_affiliate is False
    return _move(settling, lambda lot: _acquire(settling, lot, "nonaffiliate" if tacks else "affiliate", tacks=tacks))


def _give(settling: Settling) -> list[LotRow]:
    """Pass lots on as a gift, which tacks even from an affiliate; for a price it is a sale. Source: (d)(3)(v)."""
    if _is_paid_for(settling.transfer):
        return _sell(settling)
    return _move(settling, lambda lot: _acquire(settling, lot, "gift", tacks=True))


def _liquidate(settling: Settling) -> list[LotRow]:
    """Pass pledged lots on. Only a pledge with recourse tacks, and not from an affiliate. Source: (d)(3)(iv)."""

    def describe(lot: LotRow) -> dict[str, Any]:
        tacks = lot.lien_recourse is True and settling.transfer.seller_affiliate is False
        return _acquire(settling, lot, "pledge_recourse" if tacks else "pledge_nonrecourse", tacks=tacks) | _NO_LIEN

    return _move(settling, describe)


def _pledge(settling: Settling) -> list[LotRow]:
    transfer = settling.transfer
    recourse = transfer.request.get("trade", {}).get("recourse")
    lien = {
        "lien_transfer_id": transfer.id,
        "lien_org_id": transfer.org_id,
        "lien_holder_ref": transfer.buyer_ref,
        "lien_recourse": recourse is True,
    }
    return [lot for part in settling.parts for lot in _change(settling, part, lien)]


def _release(settling: Settling) -> list[LotRow]:
    return [lot for part in settling.parts for lot in _change(settling, part, _NO_LIEN)]


def _inherit(settling: Settling) -> list[LotRow]:
    """Source: (d)(3)(vii)."""
    return _move(
        settling, lambda lot: _acquire(settling, lot, "estate", tacks=True) | {"hold_only": settling.hold_only}
    )


def _force(settling: Settling) -> list[LotRow]:
    return _move(settling, lambda lot: {"hold_only": lot.hold_only or settling.hold_only})


def _recover(settling: Settling) -> list[LotRow]:
    return _move(settling, lambda _lot: {})


def _redeem(settling: Settling) -> list[LotRow]:
    settling.head.outstanding -= settling.transfer.quantity
    return _take_out(settling.parts)


def _distribute(settling: Settling) -> list[LotRow]:
    """Add lots that count as acquired together with those on which they are distributed. Source: (d)(3)(i)."""
    settling.head.outstanding += settling.transfer.quantity
    return [_copy(settling, part, part.lot.holder) for part in spread(settling.parents, settling.transfer.quantity)]


def _convert(settling: Settling) -> list[LotRow]:
    """Replace lots by those of another offering, as old as they were unless more was paid. Source: (d)(3)(ii)."""
    transfer = settling.transfer
    terms: dict[str, Any] = {"offering_id": transfer.offering_id}
    if _is_paid_for(transfer):
        terms |= {
            "acquired_on": transfer.trade_date,
            "paid_in_full_on": settling.today,
            "acquired_from": "issuer",
            "tack_from": None,
            "issued_on": transfer.trade_date,
        }
    converted = [_copy(settling, part, part.lot.holder, **terms) for part in settling.parts]
    return [*_take_out(settling.parts), *converted]


def _is_paid_for(transfer: TransferRow) -> bool:
    return Decimal(transfer.request["price"]["amount"]) != 0


def _acquire(settling: Settling, lot: LotRow, origin: str, *, tacks: bool) -> dict[str, Any]:
    return {
        "acquired_on": settling.transfer.trade_date,
        "paid_in_full_on": settling.today,
        "acquired_from": origin,
        "tack_from": clock_start(lot) if tacks else None,
        "hold_only": False,
    }


def _move(settling: Settling, describe: Callable[[LotRow], Mapping[str, Any]]) -> list[LotRow]:
    """Take the parts out of their lots and give the buyer new ones; ``describe`` says what differs."""
    taker = settling.taker
    assert taker is not None  # the request's check lets nothing move without a buyer
    moved = [_copy(settling, part, taker, **describe(part.lot)) for part in settling.parts]
    return [*_take_out(settling.parts), *moved]


def _take_out(parts: Sequence[LotPart]) -> list[LotRow]:
    for part in parts:
        part.lot.quantity -= part.quantity
    return [part.lot for part in parts]


def _change(settling: Settling, part: LotPart, changes: Mapping[str, Any]) -> list[LotRow]:
    """Change a lot where it is; a part of it becomes a lot of its own."""
    if part.quantity < part.lot.quantity:
        return [*_take_out([part]), _copy(settling, part, part.lot.holder, **changes)]
    for name, value in changes.items():
        setattr(part.lot, name, value)
    return [part.lot]


def _copy(settling: Settling, part: LotPart, holder: Holder, **changes: Any) -> LotRow:
    """Make a lot of a part of another, with the same dates unless ``changes`` say otherwise."""
    own = {
        "id": new_id("lot"),
        "holder_org_id": holder.org_id,
        "investor_ref": holder.investor_ref,
        "quantity": part.quantity,
        "reserved": 0,
        "source_transfer_id": settling.transfer.id,
        "created_at": settling.now,
    }
    return LotRow(**(read_values(part.lot) | own | changes))


_EFFECTS: Mapping[str, Callable[[Settling], list[LotRow]]] = MappingProxyType(
    {
        "primary": _issue,
        "secondary": _sell,
        "gift": _give,
        "pledge": _pledge,
        "release": _release,
        "liquidation": _liquidate,
        "inheritance": _inherit,
        "forced": _force,
        "recovery": _recover,
        "redemption": _redeem,
        "distribution": _distribute,
        "conversion": _convert,
    }
)
