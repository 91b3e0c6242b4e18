"""Whom a security counts among its holders, as what, and what unsettled transfers may still add. Pure.

A holder is who has more than nothing. An unsettled transfer holds a slot for whom it goes to, but two of them to the
same investor hold one slot, and one whose seller leaves by it holds none: it makes nobody more. So a security's
counters are the sum of ``count`` over its rows, whatever happens in whatever order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from service.gate.rows import Head, HolderRow
from service.rules.packs.holder_counts import LOOK_THROUGH_PCT
from service.storage.tables import Security

LIMITS = (
    ("holders", "holder_limit"),
    ("nonaccredited_holders", "nonaccredited_limit"),
    ("beneficial_owners", "owner_limit"),
)


@dataclass(frozen=True, slots=True)
class Category:
    """What somebody counts as once they hold."""

    accredited: bool
    owners: int


@dataclass(frozen=True, slots=True)
class Slots:
    """What a transfer may add to each count, over what its seller frees by leaving."""

    holder: int
    nonaccredited: int
    owners: int


@dataclass(frozen=True, slots=True)
class Counts:
    """A security's counters, or one investor's part of them: held, and promised on top."""

    holders: int = 0
    holders_reserved: int = 0
    nonaccredited_holders: int = 0
    nonaccredited_holders_reserved: int = 0
    beneficial_owners: int = 0
    beneficial_owners_reserved: int = 0

    def total(self, name: str) -> int:
        """Return a category's count with what is promised on top."""
        return int(getattr(self, name) + getattr(self, f"{name}_reserved"))

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) - getattr(other, name) for name in Counts.__slots__))

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in Counts.__slots__))


def count(row: HolderRow) -> Counts:
    """Return what an investor is counted for."""
    holds = row.quantity > 0
    is_nonaccredited = holds and not row.accredited
    owners = row.owners if holds else 0
    return Counts(
        holders=int(holds),
        holders_reserved=int(not holds and row.holder_slots > 0),
        nonaccredited_holders=int(is_nonaccredited),
        nonaccredited_holders_reserved=int(not is_nonaccredited and row.nonaccredited_slots > 0),
        beneficial_owners=owners,
        beneficial_owners_reserved=max(0, row.owner_slots - owners),
    )


def read_counts(head: Head | Security) -> Counts:
    """Return the security's counters."""
    return Counts(**{name: getattr(head, name) for name in Counts.__slots__})


def shift_counts(head: Head | Security, change: Counts, *, may_exceed: bool = False) -> None:
    """Change the security's counters.

    Args:
        may_exceed: The law or the registrar's own entry decides, so the issuer's caps give way.
    """
    for name in Counts.__slots__:
        setattr(head, name, getattr(head, name) + getattr(change, name))
    for name, limit in LIMITS if may_exceed else ():
        if getattr(head, limit) is not None:
            setattr(head, limit, max(getattr(head, limit), read_counts(head).total(name)))


def set_limits(head: Head | Security, caps: Mapping[str, int | None]) -> None:
    """Let the database keep the issuer's caps; one that is exceeded already only keeps the count from rising."""
    for name, limit in LIMITS:
        cap = caps.get(name)
        setattr(head, limit, None if cap is None else max(cap, read_counts(head).total(name)))


def read_category(buyer: Mapping[str, Any]) -> Category:
    """Return what a buyer counts as, from the facts about them: not accredited, and one owner, unless they say more.

    A fund whose owners nobody stated counts as one: where their number matters, the rules ask for it and nothing is
    reserved.
    """
    owners = max(1, int(buyer.get("own_owners", 1))) if _is_looked_through(buyer) else 1
    return Category(accredited=buyer.get("accredited") is True, owners=owners)


def _is_looked_through(buyer: Mapping[str, Any]) -> bool:
    """Source: 15 U.S.C. 80a-3(c)(1)(A)."""
    return buyer.get("is_fund") is True and Decimal(buyer.get("pct_voting_after", 0)) >= LOOK_THROUGH_PCT


def claim_slots(taker: Category, leaving: HolderRow | None) -> Slots:
    """Return the slots of a transfer.

    Args:
        leaving: The seller, if it sells all that it has and nothing is on its way to it.
    """
    freed = count(leaving) if leaving else Counts()
    return Slots(
        holder=1 - freed.holders,
        nonaccredited=max(0, int(not taker.accredited) - freed.nonaccredited_holders),
        owners=max(0, taker.owners - freed.beneficial_owners),
    )
