"""Lots as transfers see them: parts of them, their age, and who holds which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from service.gate.rows import Holder, LotRow
from service.rules.packs.lots import TACKING


@dataclass(frozen=True, slots=True)
class LotPart:
    """What may be taken of one lot."""

    lot: LotRow
    quantity: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the register holds for the parties of one request.

    Attributes:
        owner: Whose lots are taken: the seller, or in a liquidation the pledgor; None if there is nobody.
        pledgor_ref: Of a liquidation's pledgor, as the organisation knows them that asked for the pledge.
        owner_position: All that the owner holds of the security.
        free: What this action may take, in the order in which it does.
        taker_lots: What the buyer already holds.
        pledged_on: Day of each pledge whose lots are liquidated, by its transfer's id.
    """

    owner: Holder | None
    owner_position: int
    free: Sequence[LotPart]
    taker_lots: Sequence[LotRow]
    pledged_on: Mapping[str, date] = field(default_factory=dict)
    pledgor_ref: str | None = None

    @property
    def may_only_hold(self) -> bool:
        """Whether the taker has a lot that is only to be held."""
        return any(lot.hold_only for lot in self.taker_lots)


def clock_start(lot: LotRow) -> date:
    """Return the day on which the lot's holding period began.

    Source: 17 CFR 230.144(d)(1), (d)(3).
    """
    if lot.acquired_from in TACKING and lot.tack_from:
        return lot.tack_from
    return max(lot.acquired_on, lot.paid_in_full_on or lot.acquired_on)
