"""Opening positions: what was held before the register came here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError
from service.gate.counters import recount
from service.gate.counts import Category, shift_counts
from service.gate.purchases import add_offeree, book_sale
from service.gate.register import Holder, describe_lot
from service.gate.securities import find_security, list_offering_heads, list_offerings, read_security_terms
from service.gate.security_models import OpeningLot
from service.gate.values import key_of_name
from service.gate.windows import MONTHS, counts_offerees, keeps_purchases, lock_issuers
from service.rules.dates import add_months
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import Lot, Offeree, Purchase, Security

FROM_ISSUER = "issuer"


class IssuedQuantityExceededError(InvalidInputError):
    """The lots would add up to more than was issued."""

    code = "issued_quantity_exceeded"


class InvalidLotError(InvalidInputError):
    """A lot names an unknown offering, or was acquired in the future."""

    code = "invalid_lot"


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sold an opening lot, and how."""

    issuer: str
    regime: str
    currency: str


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
    rows = [_open_lot(security, lot, now) for lot in lots]
    session.add_all([security, *rows])
    await _count_holders(session, security, lots)
    await _remember_sales(session, security, list(zip(lots, rows, strict=True)), now=now, today=today)
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


async def _count_holders(session: AsyncSession, security: Security, lots: Sequence[OpeningLot]) -> None:
    """Count the holders; the register is the registrar's word, so the issuer's caps give way to it."""
    acquired = {
        Holder(security.org_id, lot.investor_ref): Category(lot.accredited, lot.beneficial_owners) for lot in lots
    }
    shift_counts(security, await recount(session, security, acquired, acquired=acquired), may_exceed=True)


async def _remember_sales(
    session: AsyncSession,
    security: Security,
    entered: Sequence[tuple[OpeningLot, Lot]],
    *,
    now: datetime,
    today: date,
) -> None:
    """Remember what the issuer sold so recently that a limit over time may look back at it."""
    terms = await read_security_terms(session, security)
    offerings = {each["id"]: each for each in await list_offerings(session, security.org_id, security.id)}
    heads = {each.id: each for each in await list_offering_heads(session, security.org_id, security.id)}
    await lock_issuers(
        session, security.org_id, {key_of_name(each["issuer"] or terms["issuer"]) for each in offerings.values()}
    )
    for lot, row in entered:
        if lot.from_ != FROM_ISSUER:
            continue
        head = heads[lot.offering_id]
        head.last_issued_on = max(head.last_issued_on or lot.acquired_on, lot.acquired_on)
        session.add(head)
        offering = offerings[lot.offering_id]
        seller = Seller(key_of_name(offering["issuer"] or terms["issuer"]), offering["regime"], terms["currency"])
        if counts_offerees(seller.regime):
            await add_offeree(session, _describe_offeree(row, lot, seller, now))
        if keeps_purchases(seller.regime) and lot.acquired_on >= add_months(today, -MONTHS - 1):
            await _remember_purchase(session, row, lot, seller)


def _describe_offeree(row: Lot, lot: OpeningLot, seller: Seller, now: datetime) -> Offeree:
    return Offeree(
        org_id=row.org_id,
        security_id=row.security_id,
        offering_id=row.offering_id,
        offeree_org_id=row.holder_org_id,
        investor_ref=row.investor_ref,
        issuer=seller.issuer,
        regime=seller.regime,
        country=lot.country,
        qualified=lot.qualified,
        offered_on=lot.acquired_on,
        recorded_at=now,
    )


async def _remember_purchase(session: AsyncSession, row: Lot, lot: OpeningLot, seller: Seller) -> None:
    purchase = Purchase(
        org_id=row.org_id,
        id=row.id,
        security_id=row.security_id,
        offering_id=row.offering_id,
        buyer_org_id=row.holder_org_id,
        buyer_ref=row.investor_ref,
        issuer=seller.issuer,
        regime=seller.regime,
        currency=seller.currency,
        bought_on=lot.acquired_on,
        amount=None if lot.consideration is None else Decimal(lot.consideration),
        nonaccredited=not lot.accredited,
    )
    session.add(purchase)
    await book_sale(session, purchase)
