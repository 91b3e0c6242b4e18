"""The rows behind a security's counters of holders. Pure: everything happens to the register in memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from service.gate.counts import Category, Counts, count, read_counts, shift_counts
from service.gate.register import Held, Register, sum_position
from service.gate.rows import Holder, HolderRow, ReservationRow


@dataclass(frozen=True, slots=True)
class CountedParties:
    """A security's counters as one transfer finds them.

    Attributes:
        others: Everybody's part but the buyer's.
        buyer: A row of zeros for whom there is none.
        owner: Whose lots are taken; None if there is nobody.
    """

    others: Counts
    buyer: HolderRow
    owner: HolderRow | None


def find_counted(register: Register, *, buyer: Holder, owner: Holder | None) -> CountedParties:
    """Find the counters, and the rows of the parties that change them."""
    row = register.find_count(buyer)
    return CountedParties(
        read_counts(register.head) - count(row), row, register.find_count(owner) if owner is not None else None
    )


def promise(register: Register, reservation: ReservationRow, *, may_exceed: bool) -> None:
    """Count a reservation that begins."""
    if reservation.taker is None:
        return
    row = register.find_count(reservation.taker)
    before = count(row)
    row.pending += 1
    row.pending_quantity += reservation.quantity
    row.holder_slots += reservation.holder_slots
    row.nonaccredited_slots += reservation.nonaccredited_slots
    row.owner_slots = max(row.owner_slots, reservation.owner_slots)
    register.mark_count(row)
    shift_counts(register.head, count(row) - before, may_exceed=may_exceed)


def end_promise(register: Register, ending: Held) -> Counts:
    """Take a reservation that ends out of its taker's row; return by how much the security's counters change.

    Expects the register to have every reservation for the same taker.
    """
    reservation = ending.row
    if reservation.taker is None:
        return Counts()
    row = register.find_count(reservation.taker)
    before = count(row)
    others = [each.row for each in register.held.values() if each is not ending]
    row.pending -= 1
    row.pending_quantity -= reservation.quantity
    row.holder_slots -= reservation.holder_slots
    row.nonaccredited_slots -= reservation.nonaccredited_slots
    row.owner_slots = max((each.owner_slots for each in others if each.taker == reservation.taker), default=0)
    register.mark_count(row)
    return count(row) - before


def recount(register: Register, holders: Collection[Holder], *, acquired: Mapping[Holder, Category]) -> Counts:
    """Add up the lots of investors again; return by how much the security's counters change.

    Args:
        acquired: Those of them who acquired, and what they count as from now on.
    """
    change = Counts()
    for holder in holders:
        row = register.find_count(holder)
        before = count(row)
        row.quantity = sum_position(register.list_lots(holder))
        if holder in acquired:
            row.accredited, row.owners = acquired[holder].accredited, acquired[holder].owners
        register.mark_count(row)
        change += count(row) - before
    return change
