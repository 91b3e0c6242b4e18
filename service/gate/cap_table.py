"""The cap table: who holds which lots, and the counters against the issuer's caps."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.counts import LIMITS
from service.gate.rows import Holder, LotRow
from service.gate.securities import find_security, read_security_terms
from service.storage.core import read_rows
from service.storage.tables import HolderCount, Lot


def describe_lot(lot: Lot | LotRow) -> dict[str, Any]:
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


def _describe_lien(lot: Lot | LotRow) -> dict[str, Any] | None:
    if lot.lien_transfer_id is None:
        return None
    return {"transfer_id": lot.lien_transfer_id, "holder_ref": lot.lien_holder_ref, "recourse": lot.lien_recourse}


async def list_positions(session: AsyncSession, org_id: str, security_id: str) -> list[dict[str, Any]]:
    """Return the cap table: each holder with its lots, by organisation and ref.

    Raises:
        NotFoundError: The caller is not the registrar of such a security.
    """
    security = await find_security(session, org_id, security_id)
    key = (security.org_id, security.id)
    return describe_positions(
        await read_rows(await session.connection(), LotRow, Lot, ("org_id", "security_id"), [key])
    )


async def page_positions(
    session: AsyncSession, org_id: str, security_id: str, *, after: Holder | None, limit: int
) -> list[dict[str, Any]]:
    """Return up to ``limit`` holders behind ``after`` with their lots, in the form of ``list_positions``.

    Raises:
        NotFoundError: The caller is not the registrar of such a security.
    """
    await find_security(session, org_id, security_id)
    name = (col(HolderCount.holder_org_id), col(HolderCount.investor_ref))
    query = select(*name).where(
        HolderCount.org_id == org_id, HolderCount.security_id == security_id, col(HolderCount.quantity) > 0
    )
    if after is not None:
        query = query.where(tuple_(*name) > (after.org_id, after.investor_ref))
    holders = (await session.exec(query.order_by(*name).limit(limit))).all()
    keys = [(org_id, security_id, *each) for each in holders]
    columns = ("org_id", "security_id", "holder_org_id", "investor_ref")
    return describe_positions(await read_rows(await session.connection(), LotRow, Lot, columns, keys))


def describe_positions(lots: Iterable[Lot | LotRow]) -> list[dict[str, Any]]:
    """Return the published form of lots, by holder."""
    by_holder: dict[Holder, list[Lot | LotRow]] = defaultdict(list)
    for lot in sorted(lots, key=lambda each: (each.acquired_on, each.id)):
        if lot.quantity > 0:
            by_holder[Holder(lot.holder_org_id, lot.investor_ref)].append(lot)
    return [
        {
            "org_id": holder_org_id,
            "investor_ref": ref,
            "quantity": str(sum(lot.quantity for lot in lots)),
            "reserved": str(sum(lot.reserved for lot in lots)),
            "lots": [describe_lot(lot) for lot in lots],
        }
        for (holder_org_id, ref), lots in sorted(by_holder.items())
    ]


async def describe_holders(session: AsyncSession, org_id: str, security_id: str) -> dict[str, Any]:
    """Return the counters of a security, by category against the issuer's caps.

    Raises:
        NotFoundError: The caller is not the registrar of such a security.
    """
    head = await find_security(session, org_id, security_id)
    caps = (await read_security_terms(session, head))["caps"]
    return {
        "holders": head.holders,
        "reserved": head.holders_reserved,
        "categories": {
            name: {"held": getattr(head, name), "reserved": getattr(head, f"{name}_reserved"), "cap": caps.get(name)}
            for name, _ in LIMITS
        },
        "issued_quantity": str(head.issued),
        "outstanding_quantity": str(head.outstanding),
        "reserved_quantity": str(head.outstanding_reserved),
    }
