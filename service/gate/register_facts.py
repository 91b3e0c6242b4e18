"""From the register's counters and windows to the rules' facts. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any

from service.gate.counts import Counts
from service.gate.fact_sheet import FactSheet, Source

REGISTER: Source = {"kind": "register"}
_PCT_STEP = Decimal("0.0000000001")
_DIGITS = 80
_INVESTMENTS = "buyer.cf_purchases"


@dataclass(frozen=True, slots=True)
class RegisterState:
    """The register as one transfer finds it, its own reservation left out.

    Attributes:
        others: What everybody but the buyer is counted for, with what is promised to them.
        buyer: What the buyer is counted for before this transfer.
        buyer_after: What the buyer will have, with all that is on its way to them.
        owner: What the owner of the lots is counted for.
        owner_awaits: Something is on its way to the owner, who does not leave by selling all that is there.
        unissued: Quantity that primary sales may still create.
        outstanding: Sum of all lots, with those that this transfer creates.
        windows: Facts about sales and offers, by path.
    """

    others: Counts
    buyer: Counts
    buyer_after: int
    owner: Counts
    owner_awaits: bool
    unissued: int
    outstanding: int
    windows: Mapping[str, Any] = field(default_factory=dict)

    def raise_cap(self, name: str, cap: int) -> int:
        """Return a cap of the issuer's, or what is counted already: a lower one only keeps the count from rising."""
        return max(cap, (self.others + self.buyer).total(name))


def put_counts(sheet: FactSheet, register: RegisterState, *, exits: bool) -> None:
    """Set the counts of holders. The rules add the buyer unless they hold already, and take off a seller who leaves.

    They do so for one holder who is one owner, and by what is known of the seller today. Where the register counted
    otherwise, the difference is in the count.
    """
    others, owner, held = register.others, register.owner, register.buyer.holders
    seller = sheet.values.get("seller", {})
    taken_off = int(seller.get("accredited") is False)
    nonaccredited = others.total("nonaccredited_holders") + held
    owners = others.total("beneficial_owners") + held
    if exits:
        nonaccredited += taken_off - owner.nonaccredited_holders
        owners += 1 - owner.beneficial_owners
    sheet.put("state.holders_of_record", others.total("holders") + held, REGISTER)
    sheet.put("state.nonaccredited_holders", nonaccredited, REGISTER)
    sheet.put("state.beneficial_owners", owners, REGISTER)
    sheet.put("state.unissued", register.unissued, REGISTER)


def put_voting_share(sheet: FactSheet, register: RegisterState, *, voting: bool) -> None:
    """Set what the buyer will hold of the voting securities, in per cent, never rounded down."""
    held = register.buyer_after if voting else 0
    with localcontext(prec=_DIGITS):
        share = Decimal(held) * 100 / max(register.outstanding, held, 1)
        pct = share.quantize(_PCT_STEP, rounding=ROUND_CEILING).normalize()
    sheet.put("buyer.pct_voting_after", pct, REGISTER)


def put_windows(sheet: FactSheet, windows: Mapping[str, Any]) -> None:
    """Set the facts about sales and offers."""
    for path, value in windows.items():
        sheet.put(path, value, REGISTER)


def add_investments(sheet: FactSheet, elsewhere: Sequence[Mapping[str, Any]], source: Source) -> None:
    """Add what the buyer says to have bought elsewhere to what the register knows."""
    known = sheet.values.get("buyer", {}).get("cf_purchases")
    if known is not None:
        sheet.put(_INVESTMENTS, [*known, *elsewhere], {**REGISTER, "and": dict(source)})
