"""Opening positions: what was held before the register came here."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError, NotFoundError
from service.gate.cap_table import describe_lot
from service.gate.counters import recount
from service.gate.counts import Category, shift_counts
from service.gate.holders import HolderNames, read_links
from service.gate.purchases import add_offeree, book_sale
from service.gate.register import Changes, Register
from service.gate.register_reading import VersionCache, add_lots_of, read_registers
from service.gate.register_writing import write_changes
from service.gate.rows import Holder, LotRow
from service.gate.security_models import OpeningLot
from service.gate.values import key_of_name
from service.gate.windows import MONTHS, counts_offerees, keeps_purchases, lock_issuers
from service.rules.dates import add_months
from service.storage.audit import build_audit_entry
from service.storage.core import insert_rows
from service.storage.ids import new_id
from service.storage.tables import Purchase

FROM_ISSUER = "issuer"


class IssuedQuantityExceededError(InvalidInputError):
    """The lots would add up to more than was issued."""

    code = "issued_quantity_exceeded"


class InvalidLotError(InvalidInputError):
    """A lot names an unknown offering, or was acquired in the future."""

    code = "invalid_lot"


async def add_opening_lots(
    session: AsyncSession, org_id: str, security_id: str, lots: Sequence[OpeningLot], *, now: datetime, today: date
) -> list[dict[str, Any]]:
    """Enter opening balances; all lots or none.

    Raises:
        NotFoundError: The caller has no such security.
        InvalidLotError: See ``code``.
        IssuedQuantityExceededError: See ``code``.
    """
    connection, changes = await session.connection(), Changes()
    registers = await read_registers(connection, [(org_id, security_id)], VersionCache(), changes, lock=True)
    if not registers:
        raise NotFoundError
    [register] = registers.values()
    _check_opening_lots(register, lots, today)
    register.head.outstanding += sum(int(lot.quantity) for lot in lots)
    if register.head.outstanding + register.head.outstanding_reserved > register.head.issued:
        raise IssuedQuantityExceededError("The lots would exceed the issued quantity.")
    holders = await _find_holders(connection, register, {lot.investor_ref for lot in lots})
    acquired = {holders[lot.investor_ref]: Category(lot.accredited, lot.beneficial_owners) for lot in lots}
    rows = [_open_lot(register, lot, holders[lot.investor_ref], now) for lot in lots]
    for row in rows:
        register.mark_lot(row)
    # The register is the registrar's word, so the issuer's caps give way to it.
    shift_counts(register.head, recount(register, acquired, acquired=acquired), may_exceed=True)
    register.mark_head()
    await _remember_sales(connection, register, list(zip(lots, rows, strict=True)), now=now, today=today)
    changes.audit.append(_describe_entry(register, rows, now))
    await write_changes(connection, changes)
    return [describe_lot(row) for row in rows]


async def _find_holders(connection: AsyncConnection, register: Register, refs: set[str]) -> dict[str, Holder]:
    """Return who the registrar's own investors are in the register, with all that they have there already."""
    own = {ref: Holder(register.head.org_id, ref) for ref in refs}
    links = await read_links(connection, [(register.head.org_id, each) for each in own.values()])
    await add_lots_of(connection, {register.key: register}, {register.key: {*own.values(), *links.values()}})
    names = HolderNames(links, persons={}, known_as={})
    return {ref: names.find(register, each) for ref, each in own.items()}


def _describe_entry(register: Register, rows: Sequence[LotRow], now: datetime) -> dict[str, Any]:
    return build_audit_entry(
        org_id=register.head.org_id,
        kind="positions.opened",
        subject_id=register.head.id,
        record={"lots": [{"id": row.id, "quantity": str(row.quantity)} for row in rows]},
        recorded_at=now,
    )


def _check_opening_lots(register: Register, lots: Sequence[OpeningLot], today: date) -> None:
    known = {offering.id for offering in register.offerings}
    errors = []
    for index, lot in enumerate(lots):
        if lot.offering_id not in known:
            errors.append({"path": f"/body/lots/{index}/offering_id", "detail": "no such offering"})
        if lot.acquired_on > today:
            errors.append({"path": f"/body/lots/{index}/acquired_on", "detail": "must not be in the future"})
    if errors:
        raise InvalidLotError("A lot cannot be entered.", errors=errors)


def _open_lot(register: Register, lot: OpeningLot, holder: Holder, now: datetime) -> LotRow:
    return LotRow(
        org_id=register.head.org_id,
        security_id=register.head.id,
        id=new_id("lot"),
        offering_id=lot.offering_id,
        holder_org_id=holder.org_id,
        investor_ref=holder.investor_ref,
        quantity=int(lot.quantity),
        acquired_on=lot.acquired_on,
        paid_in_full_on=lot.paid_in_full_on,
        acquired_from=lot.from_,
        tack_from=lot.tack_from,
        issued_on=lot.issued_on,
        created_at=now,
    )


async def _remember_sales(
    connection: AsyncConnection,
    register: Register,
    entered: Sequence[tuple[OpeningLot, LotRow]],
    *,
    now: datetime,
    today: date,
) -> None:
    """Remember what the issuer sold so recently that a limit over time may look back at it."""
    issuer, offerings = register.terms["issuer"], {each["id"]: each for each in register.list_offerings()}
    issuers = {key_of_name(each["issuer"] or issuer) for each in offerings.values()}
    await lock_issuers(connection, register.head.org_id, issuers)
    for lot, row in entered:
        if lot.from_ != FROM_ISSUER:
            continue
        register.mark_issued(lot.offering_id, lot.acquired_on)
        offering = offerings[lot.offering_id]
        sale = _describe_sale(row, key_of_name(offering["issuer"] or issuer), offering["regime"])
        if counts_offerees(offering["regime"]):
            await add_offeree(connection, sale | _describe_offeree(row, lot, now))
        if keeps_purchases(offering["regime"]) and lot.acquired_on >= add_months(today, -MONTHS - 1):
            purchase = sale | _describe_purchase(row, lot, register.terms["currency"])
            await insert_rows(connection, Purchase, [purchase])
            await book_sale(connection, purchase)


def _describe_sale(row: LotRow, issuer: str, regime: str) -> dict[str, Any]:
    names = ("org_id", "security_id", "offering_id")
    return {name: getattr(row, name) for name in names} | {"issuer": issuer, "regime": regime}


def _describe_offeree(row: LotRow, lot: OpeningLot, now: datetime) -> dict[str, Any]:
    return {
        "offeree_org_id": row.holder_org_id,
        "investor_ref": row.investor_ref,
        "country": lot.country,
        "qualified": lot.qualified,
        "offered_on": lot.acquired_on,
        "recorded_at": now,
    }


def _describe_purchase(row: LotRow, lot: OpeningLot, currency: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "buyer_org_id": row.holder_org_id,
        "buyer_ref": row.investor_ref,
        "currency": currency,
        "bought_on": lot.acquired_on,
        "amount": None if lot.consideration is None else Decimal(lot.consideration),
        "nonaccredited": not lot.accredited,
        "expires_at": None,
    }
