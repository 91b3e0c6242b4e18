"""The register: lots, positions and the counters that every transfer of a security shares."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError
from service.gate.securities import find_security, list_offering_heads
from service.gate.security_models import OpeningLot
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import Lot, Security


class IssuedQuantityExceededError(InvalidInputError):
    """The lots would add up to more than was issued."""

    code = "issued_quantity_exceeded"


class InvalidLotError(InvalidInputError):
    """A lot names an unknown offering, or was acquired in the future."""

    code = "invalid_lot"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds: an investor as one organisation knows them."""

    org_id: str
    investor_ref: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A part of one lot."""

    lot: Lot
    quantity: int


async def list_lots(session: AsyncSession, security: Security, holder: Holder | None = None) -> Sequence[Lot]:
    """Return the lots of a security, or of one holder, in the order in which they are sold: first in, first out."""
    query = select(Lot).where(Lot.org_id == security.org_id, Lot.security_id == security.id)
    if holder is not None:
        query = query.where(Lot.holder_org_id == holder.org_id, Lot.investor_ref == holder.investor_ref)
    rows = (await session.exec(query.order_by(col(Lot.acquired_on), col(Lot.id)))).all()
    return [row for row in rows if row.quantity > 0]


def sum_position(lots: Iterable[Lot]) -> int:
    """Return how much the lots hold, promised or not."""
    return sum(lot.quantity for lot in lots)


def take_first_in(lots: Iterable[Lot], quantity: int) -> list[Taken]:
    """Choose free parts of ``lots``, in their order, until ``quantity`` is reached or nothing is left."""
    taken: list[Taken] = []
    for lot in lots:
        part = min(lot.quantity - lot.reserved, quantity)
        if part > 0:
            taken.append(Taken(lot, part))
            quantity -= part
    return taken


async def is_holder(session: AsyncSession, security: Security, holder: Holder) -> bool:
    """Tell whether a position above zero exists."""
    return bool(await list_lots(session, security, holder))


async def add_opening_lots(
    session: AsyncSession, org_id: str, security_id: str, lots: Sequence[OpeningLot], *, now: datetime, today: date
) -> list[dict[str, Any]]:
    """Enter opening balances; all lots or none.

    Raises:
        NotFoundError: The caller has no such security.
        InvalidLotError: See ``code``.
        IssuedQuantityExceededError: See ``code``.
    """
    security = await find_security(session, org_id, security_id, lock=True)
    await _check_opening_lots(session, security, lots, today)
    security.outstanding += sum(int(lot.quantity) for lot in lots)
    if security.outstanding + security.outstanding_reserved > security.issued:
        raise IssuedQuantityExceededError("The lots would exceed the issued quantity.")
    for ref in {lot.investor_ref for lot in lots}:
        if not await is_holder(session, security, Holder(org_id, ref)):
            security.holders += 1
    rows = [_open_lot(security, lot, now) for lot in lots]
    session.add_all([security, *rows])
    append_audit_entry(
        session,
        org_id=org_id,
        kind="positions.opened",
        subject_id=security_id,
        record={"lots": [{"id": row.id, "quantity": str(row.quantity)} for row in rows]},
        recorded_at=now,
    )
    return [describe_lot(row) for row in rows]


async def _check_opening_lots(
    session: AsyncSession, security: Security, lots: Sequence[OpeningLot], today: date
) -> None:
    known = {offering.id for offering in await list_offering_heads(session, security.org_id, security.id)}
    errors = []
    for index, lot in enumerate(lots):
        if lot.offering_id not in known:
            errors.append({"path": f"/body/lots/{index}/offering_id", "detail": "no such offering"})
        if lot.acquired_on > today:
            errors.append({"path": f"/body/lots/{index}/acquired_on", "detail": "must not be in the future"})
    if errors:
        raise InvalidLotError("A lot cannot be entered.", errors=errors)


def _open_lot(security: Security, lot: OpeningLot, now: datetime) -> Lot:
    return Lot(
        org_id=security.org_id,
        security_id=security.id,
        id=new_id("lot"),
        offering_id=lot.offering_id,
        holder_org_id=security.org_id,
        investor_ref=lot.investor_ref,
        quantity=int(lot.quantity),
        acquired_on=lot.acquired_on,
        paid_in_full_on=lot.paid_in_full_on,
        acquired_from=lot.from_,
        tack_from=lot.tack_from,
        issued_on=lot.issued_on,
        created_at=now,
    )


def describe_lot(lot: Lot) -> dict[str, Any]:
    """Return the published form of a lot."""
    return {
        "id": lot.id,
        "offering_id": lot.offering_id,
        "quantity": str(lot.quantity),
        "reserved": str(lot.reserved),
        "acquired_on": lot.acquired_on.isoformat(),
        "from": lot.acquired_from,
        "tack_from": lot.tack_from and lot.tack_from.isoformat(),
        "paid_in_full_on": lot.paid_in_full_on and lot.paid_in_full_on.isoformat(),
        "hold_only": lot.hold_only,
        "lien": _describe_lien(lot),
    }


def _describe_lien(lot: Lot) -> dict[str, Any] | None:
    if lot.lien_transfer_id is None:
        return None
    return {"transfer_id": lot.lien_transfer_id, "holder_ref": lot.lien_holder_ref, "recourse": lot.lien_recourse}


async def list_positions(session: AsyncSession, org_id: str, security_id: str) -> list[dict[str, Any]]:
    """Return the cap table: each holder with its lots, by organisation and ref.

    Raises:
        NotFoundError: The caller is not the registrar of such a security.
    """
    security = await find_security(session, org_id, security_id)
    by_holder: dict[tuple[str, str], list[Lot]] = defaultdict(list)
    for lot in await list_lots(session, security):
        by_holder[lot.holder_org_id, lot.investor_ref].append(lot)
    return [
        {
            "org_id": holder_org_id,
            "investor_ref": ref,
            "quantity": str(sum_position(lots)),
            "reserved": str(sum(lot.reserved for lot in lots)),
            "lots": [describe_lot(lot) for lot in lots],
        }
        for (holder_org_id, ref), lots in sorted(by_holder.items())
    ]


async def count_holders(session: AsyncSession, org_id: str, security_id: str) -> dict[str, Any]:
    """Return the counters of a security.

    Raises:
        NotFoundError: The caller is not the registrar of such a security.
    """
    security = await find_security(session, org_id, security_id)
    return {
        "holders": security.holders,
        "reserved": security.holders_reserved,
        "issued_quantity": str(security.issued),
        "outstanding_quantity": str(security.outstanding),
        "reserved_quantity": str(security.outstanding_reserved),
    }
