"""Find recorded decisions: by security, party, outcome, reason and time, newest first, a page at a time.

Each part of a search walks one index from its newest end and stops at a page, so that it takes as long among a hundred
decisions as among a million. Reasons are looked up among those that the reader may see: the same search by somebody
without the ``compliance`` view finds nothing by a sanctions code, and no other decisions by ``RESTRICTED``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, tuple_, union
from sqlalchemy import select as select_columns
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError
from service.gate.reason_rows import READERS
from service.gate.reservations import EXPIRED, HELD
from service.storage.core import read_rows, table_of
from service.storage.tables import Grant, ReservationEnding, Security, Transfer, TransferReason
from service.web.instants import format_instant

OUTCOMES = ("permit", "deny", "review")


@dataclass(frozen=True, slots=True)
class _TransferRow:
    """What a list reads of a decision, whose payloads and bundle stay where they are; see ``tables.Transfer``."""

    org_id: str
    id: str
    security_id: str
    action: str
    quantity: int
    seller_ref: str | None
    buyer_ref: str | None
    outcome: str
    decided_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _ReasonRow:
    """See ``tables.TransferReason``."""

    org_id: str
    transfer_id: str
    readers: str
    code: str
    place: int


@dataclass(frozen=True, slots=True)
class _EndingRow:
    """See ``tables.ReservationEnding``."""

    org_id: str
    transfer_id: str
    state: str


class CursorInvalidError(InvalidInputError):
    """The place to go on from is none that a list named."""

    code = "cursor_invalid"


@dataclass(frozen=True, slots=True)
class DecisionSearch:
    """What to look for; what is None does not restrict.

    Attributes:
        security_id: Of a security that the organisation keeps, the decisions of every venue; else its own.
        since: First instant.
        until: First instant that is too late.
        after: Where the page before ended, from ``DecisionPage.following``.
    """

    security_id: str | None = None
    outcome: str | None = None
    code: str | None = None
    investor_ref: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class ListedDecision:
    """A decision as a list shows it.

    Attributes:
        seller_ref: None for nobody, and for investors of other venues, whose names are theirs.
        codes: Of the reasons that the reader may see, most fundamental first.
        state: Of the reservation; None if nothing was reserved.
    """

    org_id: str
    id: str
    security_id: str
    action: str
    quantity: int
    seller_ref: str | None
    buyer_ref: str | None
    outcome: str
    decided_at: datetime
    codes: tuple[str, ...]
    state: str | None


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """One page, and where the next one begins; None at the end."""

    decisions: Sequence[ListedDecision]
    following: str | None


async def list_decisions(
    session: AsyncSession, org_id: str, search: DecisionSearch, *, sees_all: bool, limit: int, now: datetime
) -> DecisionPage:
    """Return decisions that an organisation asked for, or that were made on a security that it keeps.

    Args:
        sees_all: Whether the reader may see AML and sanctions reasons.

    Raises:
        CursorInvalidError: See ``code``.
    """
    parts = await _plan(session, org_id, search, READERS[sees_all])
    found = union(*(select_columns(each.limit(limit + 1).subquery()) for each in parts)).subquery()
    newest = select_columns(found).order_by(found.c.decided_at.desc(), found.c.id.desc()).limit(limit + 1)
    connection = await session.connection()
    names = [(row.org_id, row.id) for row in (await connection.execute(newest)).all()]
    rows = await read_rows(connection, _TransferRow, Transfer, ("org_id", "id"), names[:limit])
    rows.sort(key=lambda row: (row.decided_at, row.id), reverse=True)
    listed = await _describe(connection, org_id, rows, READERS[sees_all], now)
    following = f"{format_instant(rows[-1].decided_at)}~{rows[-1].id}" if len(names) > limit else None
    return DecisionPage(listed, following)


async def _plan(
    session: AsyncSession, org_id: str, search: DecisionSearch, readers: tuple[str, ...]
) -> list[Select[Any]]:
    """Return queries that together find the decisions, each in the order of one index."""
    if search.code is not None and search.security_id is None and search.investor_ref is None:
        return [_select_by_code(org_id, search, readers)]
    more = [] if search.code is None else [_gives_reason(search.code, readers)]
    if search.investor_ref is not None:
        own = [col(Transfer.org_id) == org_id, *more, *await _restrict(session, org_id, search)]
        sides = (col(Transfer.seller_ref), col(Transfer.buyer_ref))
        return [_select(search, [*own, side == search.investor_ref]) for side in sides]
    owners = [col(Transfer.org_id) == org_id]
    if search.security_id is not None:
        owners = await _find_register(session, org_id, search.security_id)
    outcomes = OUTCOMES if search.outcome is None else (search.outcome,)
    return [_select(search, [*owners, *more, col(Transfer.outcome) == each]) for each in outcomes]


async def _restrict(session: AsyncSession, org_id: str, search: DecisionSearch) -> list[ColumnElement[bool]]:
    outcome = [] if search.outcome is None else [col(Transfer.outcome) == search.outcome]
    if search.security_id is None:
        return outcome
    return [*outcome, *await _find_register(session, org_id, search.security_id)]


async def _find_register(session: AsyncSession, org_id: str, security_id: str) -> list[ColumnElement[bool]]:
    """Return the condition that a decision is about a security as the organisation means its id."""
    same = col(Transfer.security_id) == security_id
    if await session.get(Security, (org_id, security_id)) is not None:
        return [col(Transfer.registrar_org_id) == org_id, same]
    query = select(Grant.org_id).where(Grant.venue_org_id == org_id, Grant.security_id == security_id)
    registrars = (await session.exec(query)).all()
    return [col(Transfer.registrar_org_id).in_(registrars), same, col(Transfer.org_id) == org_id]


def _gives_reason(code: str, readers: tuple[str, ...]) -> ColumnElement[bool]:
    same = and_(col(TransferReason.org_id) == col(Transfer.org_id), col(TransferReason.transfer_id) == col(Transfer.id))
    return exists().where(same, col(TransferReason.code) == code, col(TransferReason.readers).in_(readers))


def _select(search: DecisionSearch, conditions: list[ColumnElement[bool]]) -> Select[Any]:
    table = table_of(Transfer)
    at, name = table.c.decided_at, table.c.id
    return (
        select_columns(table.c.org_id, name, at)
        .where(*conditions, *_bound(search, at, name))
        .order_by(at.desc(), name.desc())
    )


def _select_by_code(org_id: str, search: DecisionSearch, readers: tuple[str, ...]) -> Select[Any]:
    table = table_of(TransferReason)
    at, name = table.c.decided_at, table.c.transfer_id
    conditions: list[ColumnElement[bool]] = [table.c.org_id == org_id, table.c.code == search.code]
    if search.outcome is not None:
        same = and_(col(Transfer.org_id) == table.c.org_id, col(Transfer.id) == name)
        conditions.append(exists().where(same, col(Transfer.outcome) == search.outcome))
    columns = select_columns(table.c.org_id, name.label("id"), at)
    query = columns.where(*conditions, table.c.readers.in_(readers), *_bound(search, at, name))
    return query.order_by(at.desc(), name.desc())


def _bound(search: DecisionSearch, at: Any, name: Any) -> list[ColumnElement[bool]]:
    bounds = []
    if search.since is not None:
        bounds.append(at >= search.since)
    if search.until is not None:
        bounds.append(at < search.until)
    if search.after is not None:
        last_at, last_name = _read_cursor(search.after)
        bounds.append(tuple_(at, name) < (last_at, last_name))
    return bounds


def _read_cursor(text: str) -> tuple[datetime, str]:
    instant, _, name = text.partition("~")
    try:
        at = datetime.fromisoformat(instant)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not name:
        raise CursorInvalidError("The list does not go on from there.")
    return at, name


async def _describe(
    connection: AsyncConnection, org_id: str, rows: Sequence[_TransferRow], readers: tuple[str, ...], now: datetime
) -> list[ListedDecision]:
    names = [(row.org_id, row.id) for row in rows]
    codes = await _read_codes(connection, names, readers)
    endings = await _read_endings(connection, names)
    return [
        ListedDecision(
            org_id=row.org_id,
            id=row.id,
            security_id=row.security_id,
            action=row.action,
            quantity=row.quantity,
            seller_ref=row.seller_ref if row.org_id == org_id else None,
            buyer_ref=row.buyer_ref if row.org_id == org_id else None,
            outcome=row.outcome,
            decided_at=row.decided_at,
            codes=tuple(codes.get((row.org_id, row.id), ())),
            state=_name_state(row, endings.get((row.org_id, row.id)), now),
        )
        for row in rows
    ]


async def _read_codes(
    connection: AsyncConnection, names: Sequence[tuple[str, str]], readers: tuple[str, ...]
) -> dict[tuple[str, str], list[str]]:
    rows = await read_rows(connection, _ReasonRow, TransferReason, ("org_id", "transfer_id"), names)
    codes: dict[tuple[str, str], list[str]] = {}
    for row in sorted(rows, key=lambda each: each.place):
        if row.readers in readers:
            codes.setdefault((row.org_id, row.transfer_id), []).append(row.code)
    return codes


async def _read_endings(connection: AsyncConnection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    rows = await read_rows(connection, _EndingRow, ReservationEnding, ("org_id", "transfer_id"), names)
    return {(row.org_id, row.transfer_id): row.state for row in rows}


def _name_state(row: _TransferRow, ending: str | None, now: datetime) -> str | None:
    if row.outcome != "permit":
        return None
    return ending or (HELD if now < row.expires_at else EXPIRED)
