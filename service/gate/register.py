"""A security's register as one transaction works on it. Changed in memory, written at once. No I/O here."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from service.gate.lots import LotPart
from service.gate.rows import (
    AffiliateSaleRow,
    GrantRow,
    Head,
    Holder,
    HolderRow,
    LotRow,
    OfferingHead,
    ReservationRow,
)

TransferKey = tuple[str, str]
"""Organisation that asked, and the transfer's id."""


@dataclass(slots=True)
class Held:
    """A reservation that has not ended, with the parts of lots that it holds."""

    row: ReservationRow
    parts: Sequence[LotPart]

    @property
    def key(self) -> TransferKey:
        """Identify it."""
        return self.row.org_id, self.row.transfer_id


@dataclass(slots=True)
class Changes:
    """What a transaction has to write, in the form in which it is written."""

    heads: dict[tuple[str, str], Head] = field(default_factory=dict)
    offerings: dict[tuple[str, str, str], OfferingHead] = field(default_factory=dict)
    lots: dict[str, LotRow] = field(default_factory=dict)
    new_lots: dict[str, LotRow] = field(default_factory=dict)
    holders: dict[tuple[str, str, str, str], HolderRow] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    endings: list[dict[str, Any]] = field(default_factory=list)
    affiliate_sales: list[AffiliateSaleRow] = field(default_factory=list)
    given_up: list[Held] = field(default_factory=list)
    transfers: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Register:
    """The part of a register that the requests at hand touch.

    Attributes:
        terms: Of the newest version.
        documents: Terms of each offering's newest version, by id.
        changes: Shared by all registers of a transaction.
        loaded: Holders all of whose lots are here.
    """

    head: Head
    terms: Mapping[str, Any]
    offerings: Sequence[OfferingHead]
    documents: Mapping[str, Mapping[str, Any]]
    changes: Changes
    lots: dict[str, LotRow] = field(default_factory=dict)
    holders: dict[Holder, HolderRow] = field(default_factory=dict)
    held: dict[TransferKey, Held] = field(default_factory=dict)
    affiliate_sales: dict[Holder, list[AffiliateSaleRow]] = field(default_factory=lambda: defaultdict(list))
    by_holder: dict[Holder, list[LotRow]] = field(default_factory=lambda: defaultdict(list))

    @property
    def key(self) -> tuple[str, str]:
        """Identify the security: registrar and id."""
        return self.head.org_id, self.head.id

    def put_lots(self, lots: Iterable[LotRow]) -> None:
        """Add lots as they were read; one that is here already stays as it is."""
        for lot in lots:
            if lot.id not in self.lots:
                self.lots[lot.id] = lot
                self.by_holder[lot.holder].append(lot)

    def list_lots(self, holder: Holder) -> list[LotRow]:
        """Return a holder's lots in the order in which they are sold: first in, first out."""
        lots = [lot for lot in self.by_holder.get(holder, ()) if lot.quantity > 0]
        return sorted(lots, key=lambda lot: (lot.acquired_on, lot.id))

    def list_pledged_to(self, pledgee: Holder) -> list[LotRow]:
        """Return the lots on which an investor, as its organisation knows it, has a lien."""
        pledged = [lot for lot in self.lots.values() if lot.quantity > 0 and lot.pledgee == pledgee]
        return sorted(pledged, key=lambda lot: lot.id)

    def list_takers(self) -> set[Holder]:
        """Return to whom something is promised, by the reservations that are here."""
        return {held.row.taker for held in self.held.values() if held.row.taker}

    def find_count(self, holder: Holder) -> HolderRow:
        """Return an investor's row; one of zeros for whom there is none."""
        row = self.holders.get(holder)
        if row is None:
            row = self.holders[holder] = HolderRow(*self.key, *holder)
        return row

    def list_offerings(self) -> list[dict[str, Any]]:
        """Return the published form of the offerings, in the order in which they were made."""
        return [_describe_offering(each, self.documents[each.id]) for each in self.offerings]

    def list_affiliate_sales(self, seller: Holder, *, since: date, except_id: str | None) -> list[AffiliateSaleRow]:
        """Return what a seller sold as an affiliate, settled or still promised."""
        sales = self.affiliate_sales.get(seller, ())
        return [each for each in sales if each.sold_on >= since and each.transfer_id != except_id]

    def mark_head(self) -> None:
        """Have the counters written."""
        self.changes.heads[self.key] = self.head

    def mark_lot(self, lot: LotRow) -> None:
        """Have a lot written, new or changed."""
        if lot.id not in self.lots:
            self.put_lots([lot])
            self.changes.new_lots[lot.id] = lot
        elif lot.id not in self.changes.new_lots:
            self.changes.lots[lot.id] = lot

    def move_lot(self, lot: LotRow, holder: Holder) -> None:
        """Let a lot be somebody else's, as it is."""
        self.by_holder[lot.holder].remove(lot)
        lot.holder_org_id, lot.investor_ref = holder
        self.by_holder[holder].append(lot)
        self.mark_lot(lot)

    def mark_count(self, row: HolderRow) -> None:
        """Have an investor's row written."""
        self.changes.holders[*self.key, row.holder_org_id, row.investor_ref] = row

    def mark_issued(self, offering_id: str, on: date) -> None:
        """Remember the latest day on which the issuer sold a lot of an offering."""
        offering = next(each for each in self.offerings if each.id == offering_id)
        offering.last_issued_on = max(offering.last_issued_on or on, on)
        self.changes.offerings[*self.key, offering.id] = offering


@dataclass(frozen=True, slots=True)
class Access:
    """A security that a caller may address; ``grant`` is None for the registrar itself."""

    register: Register
    grant: GrantRow | None


def _describe_offering(head: OfferingHead, terms: Mapping[str, Any]) -> dict[str, Any]:
    last = head.last_issued_on
    own = {"id": head.id, "security_id": head.security_id, "version": head.version}
    return own | {"last_issued_on": last and last.isoformat()} | dict(terms)


def sum_position(lots: Collection[LotRow]) -> int:
    """Return how much lots hold, promised or not."""
    return sum(lot.quantity for lot in lots)
