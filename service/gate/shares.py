"""How a quantity is shared between the offerings that the lots were sold under. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from service.gate.effects import list_parents, spread
from service.gate.lots import Holdings, LotPart
from service.gate.transfer_models import TransferRequest

Share = tuple[Mapping[str, Any], int, Sequence[LotPart]]
"""An offering, the quantity that its lots carry, and those of its lots that may be taken."""


def split_by_offering(
    request: TransferRequest, holdings: Holdings, offerings: Sequence[Mapping[str, Any]]
) -> list[Share]:
    """Split the quantity over the free lots, longest held first; what is lacking stays with the first share."""
    if request.action == "distribution":
        return _split_distribution(request, holdings, offerings)
    known = {each["id"]: each for each in offerings}
    free: dict[str, list[LotPart]] = defaultdict(list)
    shares: dict[str, int] = defaultdict(int)
    left = int(request.quantity)
    for part in holdings.free:
        if part.lot.offering_id in known:
            free[part.lot.offering_id].append(part)
            taken = min(part.quantity, left)
            left -= taken
            if taken:
                shares[part.lot.offering_id] += taken
    if not shares:
        return [(offerings[0], left, ())]
    shares[next(iter(shares))] += left
    return [(known[offering_id], share, free[offering_id]) for offering_id, share in shares.items()]


def _split_distribution(
    request: TransferRequest, holdings: Holdings, offerings: Sequence[Mapping[str, Any]]
) -> list[Share]:
    """Split the quantity over the offerings of the lots on which it is distributed."""
    shares = defaultdict[str, int](int)
    for part in spread(list_parents(holdings.taker_lots, request.offering_id), int(request.quantity)):
        shares[part.lot.offering_id] += part.quantity
    if not shares:
        return [(offerings[0], int(request.quantity), ())]
    known = {each["id"]: each for each in offerings}
    return [(known[offering_id], share, ()) for offering_id, share in shares.items()]


def take(lots: Sequence[LotPart], quantity: int) -> list[LotPart]:
    """Return the parts of lots, in their order, that make up a quantity, or all of them if they are less."""
    taken = []
    for part in lots:
        share = min(part.quantity, quantity)
        if share:
            taken.append(LotPart(part.lot, share))
            quantity -= share
    return taken
