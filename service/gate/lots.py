"""Lots as transfers see them: parts of them, their age, and who holds which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from service.storage.tables import Lot

TACKING = frozenset({"nonaffiliate", "gift", "estate", "pledge_recourse"})


@dataclass(frozen=True, slots=True)
class LotPart:
    """What may be taken of one lot."""

    lot: Lot
    quantity: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the register holds for the parties of one request.

    Attributes:
        owner_ref: Whose lots are taken: the seller, or in a liquidation the pledgor; None if there is nobody.
        owner_position: All that the owner holds of the security.
        free: What this action may take, in the order in which it does.
        taker_lots: What the buyer already holds.
        pledged_on: Day of each pledge whose lots are liquidated, by its transfer's id.
    """

    owner_ref: str | None
    owner_position: int
    free: Sequence[LotPart]
    taker_lots: Sequence[Lot]
    pledged_on: Mapping[str, date] = field(default_factory=dict)

    @property
    def may_only_hold(self) -> bool:
        """Whether the taker has a lot that is only to be held."""
        return any(lot.hold_only for lot in self.taker_lots)


def clock_start(lot: Lot) -> date:
    """Return the day on which the lot's holding period began.

    Source: 17 CFR 230.144(d)(1), (d)(3).
    """
    if lot.acquired_from in TACKING and lot.tack_from:
        return lot.tack_from
    return max(lot.acquired_on, lot.paid_in_full_on or lot.acquired_on)
