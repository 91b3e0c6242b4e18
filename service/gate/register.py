"""The register: lots, positions and the counters that every transfer of a security shares."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.securities import find_security
from service.storage.tables import Lot, Security


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds: an investor as one organisation knows them."""

    org_id: str
    investor_ref: str


async def list_lots(session: AsyncSession, security: Security, *holders: Holder) -> Sequence[Lot]:
    """Return the lots of a security, or only of some holders, in the order in which they are sold: first in, first
    out.
    """
    query = select(Lot).where(Lot.org_id == security.org_id, Lot.security_id == security.id)
    if holders:
        key = tuple_(col(Lot.holder_org_id), col(Lot.investor_ref))
        query = query.where(key.in_([(holder.org_id, holder.investor_ref) for holder in holders]))
    rows = (await session.exec(query.order_by(col(Lot.acquired_on), col(Lot.id)))).all()
    return [row for row in rows if row.quantity > 0]


def sum_position(lots: Iterable[Lot]) -> int:
    """Return how much the lots hold, promised or not."""
    return sum(lot.quantity for lot in lots)


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
    return describe_positions(await list_lots(session, security))


def describe_positions(lots: Iterable[Lot]) -> list[dict[str, Any]]:
    """Return the published form of lots, by holder."""
    by_holder: dict[tuple[str, str], list[Lot]] = defaultdict(list)
    for lot in lots:
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
