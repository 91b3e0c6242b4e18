"""Read the parts of registers that some requests touch, with one query for each kind of row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.gate.lots import LotPart
from service.gate.parties import TrustCache
from service.gate.register import Changes, Held, Register
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
from service.storage.core import is_among, read_rows, select_fields, table_of
from service.storage.prepared import fetch_all
from service.storage.tables import (
    AffiliateSale,
    Grant,
    HeldReservation,
    HolderCount,
    Lot,
    Offering,
    OfferingVersion,
    Reservation,
    ReservedLot,
    Security,
    SecurityVersion,
)
from service.storage.together import read_together

SecurityKey = tuple[str, str]
_Version = tuple[str | int, ...]
_TERMS_KEPT = 10_000


@dataclass(slots=True)
class VersionCache:
    """What was read before and never changes: versions, and which securities are an organisation's own."""

    securities: dict[_Version, Mapping[str, Any]] = field(default_factory=dict)
    offerings: dict[_Version, Mapping[str, Any]] = field(default_factory=dict)
    own: set[SecurityKey] = field(default_factory=set)
    trust: TrustCache = field(default_factory=TrustCache)

    def note_own(self, keys: Collection[SecurityKey]) -> None:
        """Remember securities that there are."""
        if len(self.own) > _TERMS_KEPT:
            self.own.clear()
        self.own |= set(keys)


async def read_grants(connection: AsyncConnection, asked: Iterable[SecurityKey]) -> dict[SecurityKey, list[GrantRow]]:
    """Return the grants of venues, by venue and security."""
    found: dict[SecurityKey, list[GrantRow]] = {}
    for grant in await read_rows(connection, GrantRow, Grant, ("venue_org_id", "security_id"), asked):
        found.setdefault((grant.venue_org_id, grant.security_id), []).append(grant)
    return found


async def read_registers(
    connection: AsyncConnection, keys: Collection[SecurityKey], cache: VersionCache, changes: Changes, *, lock: bool
) -> dict[SecurityKey, Register]:
    """Return the registers of those securities that there are, with counters and terms and nothing else yet.

    Args:
        changes: Gathers what will have to be written.
        lock: Nobody else may decide about them until this transaction ends; in this order, whoever locks several.
    """
    return await open_registers(connection, await read_heads(connection, keys, lock=lock), cache, changes)


async def open_registers(
    connection: AsyncConnection, heads: Mapping[SecurityKey, Head], cache: VersionCache, changes: Changes
) -> dict[SecurityKey, Register]:
    """Return the registers of securities whose counters were read; see ``read_registers``."""
    offerings = await read_rows(connection, OfferingHead, Offering, ("org_id", "security_id"), heads)
    cache.note_own(heads)
    versions = [_name_version(each) for each in offerings]
    terms, documents = await read_together(
        connection,
        lambda one: _read_documents(
            one, SecurityVersion, [_name_terms(each) for each in heads.values()], cache.securities
        ),
        lambda one: _read_documents(one, OfferingVersion, versions, cache.offerings),
    )
    of_security: dict[SecurityKey, list[OfferingHead]] = {key: [] for key in heads}
    for each in sorted(offerings, key=lambda each: (each.position, each.id)):
        of_security[each.org_id, each.security_id].append(each)
    return {
        key: Register(
            head,
            terms[_name_terms(head)],
            of_security[key],
            {each.id: documents[_name_version(each)] for each in of_security[key]},
            changes,
        )
        for key, head in heads.items()
    }


def _name_terms(head: Head) -> _Version:
    return head.org_id, head.id, head.version


def _name_version(offering: OfferingHead) -> _Version:
    return offering.org_id, offering.security_id, offering.id, offering.version


@cache
def _select_heads(dialect: str, *, lock: bool) -> Select[Any]:
    table = table_of(Security)
    query = select_fields(Head, Security).where(
        table.c.org_id == bindparam("org_id"), is_among(table.c.id, "ids", dialect)
    )
    query = query.order_by(table.c.id)
    return query.with_for_update() if lock else query


async def read_heads(
    connection: AsyncConnection, keys: Collection[SecurityKey], *, lock: bool
) -> dict[SecurityKey, Head]:
    """Return the counters and limits of those securities that there are; ``lock`` as in ``read_registers``."""
    query, found = _select_heads(connection.dialect.name, lock=lock), dict[SecurityKey, Head]()
    for org_id in sorted({key[0] for key in keys}):
        parameters = {"org_id": org_id, "ids": sorted(each for owner, each in keys if owner == org_id)}
        heads = [Head(*row) for row in await fetch_all(connection, query, parameters)]
        found |= {(head.org_id, head.id): head for head in heads}
    return found


async def _read_documents(
    connection: AsyncConnection,
    model: type[SecurityVersion] | type[OfferingVersion],
    versions: Collection[_Version],
    kept: dict[_Version, Mapping[str, Any]],
) -> dict[_Version, Mapping[str, Any]]:
    """Return the terms of versions, named by their primary keys. Others empty the cache meanwhile, so look once."""
    found = {each: terms for each in versions if (terms := kept.get(each)) is not None}
    missing = [each for each in versions if each not in found]
    query, names = _select_document(model), [column.name for column in table_of(model).primary_key]
    parameters = [dict(zip(names, each, strict=True)) for each in missing]
    read = await read_together(connection, *(partial(fetch_all, query=query, parameters=each) for each in parameters))
    fresh = {version: document for version, [[document]] in zip(missing, read, strict=True)}
    if len(kept) > _TERMS_KEPT:
        kept.clear()
    kept |= fresh
    return found | fresh


@cache
def _select_document(model: type[SecurityVersion] | type[OfferingVersion]) -> Select[Any]:
    table = table_of(model)
    return select(table.c.document).where(*(column == bindparam(column.name) for column in table.primary_key))


@dataclass(frozen=True, slots=True)
class Holdings:
    """All lots, the counted row and affiliate sales of some holders."""

    lots: Sequence[LotRow]
    counts: Sequence[HolderRow]
    sales: Sequence[AffiliateSaleRow]

    def put_into(self, registers: Mapping[SecurityKey, Register]) -> None:
        """Add to registers what they don't have yet; affiliate sales of each holder only once."""
        for lot in self.lots:
            registers[lot.org_id, lot.security_id].put_lots([lot])
        for row in self.counts:
            register = registers[row.org_id, row.security_id]
            register.holders.setdefault(Holder(row.holder_org_id, row.investor_ref), row)
        for sale in self.sales:
            seller = Holder(sale.holder_org_id, sale.investor_ref)
            registers[sale.org_id, sale.security_id].affiliate_sales[seller].append(sale)


Holders = Mapping[SecurityKey, Collection[Holder]]


async def read_holdings(connection: AsyncConnection, holders: Holders, sellers: Holders) -> Holdings:
    """Read what some holders have, and what some sold as affiliates."""
    columns = ("org_id", "security_id", "holder_org_id", "investor_ref")
    keys, selling = ([(*key, *holder) for key, each in whom.items() for holder in each] for whom in (holders, sellers))
    lots, counts, sales = await read_together(
        connection,
        lambda one: read_rows(one, LotRow, Lot, columns, keys),
        lambda one: read_rows(one, HolderRow, HolderCount, columns, keys),
        lambda one: read_rows(one, AffiliateSaleRow, AffiliateSale, columns, selling),
    )
    return Holdings(lots, counts, sales)


async def add_lots_of(connection: AsyncConnection, registers: Mapping[SecurityKey, Register], holders: Holders) -> None:
    """Read all lots and the counted row of some holders."""
    (await read_holdings(connection, holders, {})).put_into(registers)


async def add_lots(
    connection: AsyncConnection, registers: Mapping[SecurityKey, Register], ids: Iterable[tuple[str, str, str]]
) -> None:
    """Read some lots, by registrar, security and id."""
    for lot in await read_rows(connection, LotRow, Lot, ("org_id", "security_id", "id"), ids):
        registers[lot.org_id, lot.security_id].put_lots([lot])


async def read_pledged_lots(connection: AsyncConnection, pledgees: Holders) -> list[LotRow]:
    """Read the lots on which some investors have a lien, each as its organisation knows it."""
    keys = [(*key, *pledgee) for key, each in pledgees.items() for pledgee in each]
    return await read_rows(connection, LotRow, Lot, ("org_id", "security_id", "lien_org_id", "lien_holder_ref"), keys)


async def add_reservations(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    wanted: Iterable[tuple[str, str]],
    now: datetime | None,
) -> None:
    """Read reservations that have not ended, with their parts of lots, and all others for the same takers.

    Args:
        wanted: By organisation that asked, and transfer.
        now: Read also what is overdue then.
    """
    keys = set(wanted) | (await _list_overdue(connection, registers, now) if now else set())
    if not keys:
        return
    rows = await _read_held(connection, keys)
    rows += await _read_rivals(connection, rows)
    parts = await _read_parts(connection, registers, {(row.org_id, row.transfer_id): row for row in rows})
    for key, row in {(row.org_id, row.transfer_id): row for row in rows}.items():
        registers[row.registrar_org_id, row.security_id].held[key] = Held(row, parts[key])


@cache
def _select_overdue(dialect: str) -> Select[Any]:
    table = table_of(HeldReservation).c
    return select(table.org_id, table.transfer_id).where(
        table.registrar_org_id == bindparam("registrar"),
        is_among(table.security_id, "securities", dialect),
        table.expires_at <= bindparam("now", type_=table.expires_at.type),
    )


async def _list_overdue(
    connection: AsyncConnection, registers: Iterable[SecurityKey], now: datetime
) -> set[tuple[str, str]]:
    query, overdue = _select_overdue(connection.dialect.name), set[tuple[str, str]]()
    keys = list(registers)
    for registrar in sorted({key[0] for key in keys}):
        securities = sorted(each for owner, each in keys if owner == registrar)
        parameters = {"registrar": registrar, "securities": securities, "now": now}
        overdue |= {(row[0], row[1]) for row in await fetch_all(connection, query, parameters)}
    return overdue


async def _read_held(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> list[ReservationRow]:
    """Return those of the reservations that have not ended."""
    columns = ("org_id", "transfer_id")
    held, begun = await read_together(
        connection,
        lambda one: read_rows(one, _HeldRow, HeldReservation, columns, keys),
        lambda one: read_rows(one, ReservationRow, Reservation, columns, keys),
    )
    still = {(each.org_id, each.transfer_id) for each in held}
    return [each for each in begun if (each.org_id, each.transfer_id) in still]


@dataclass(frozen=True, slots=True)
class _HeldRow:
    """See ``tables.HeldReservation``."""

    org_id: str
    transfer_id: str


async def _read_rivals(connection: AsyncConnection, rows: Sequence[ReservationRow]) -> list[ReservationRow]:
    """Return the reservations for the same takers: what they hold does not end with these."""
    takers = [(row.registrar_org_id, row.security_id, *row.taker) for row in rows if row.taker]
    columns = ("registrar_org_id", "security_id", "taker_org_id", "taker_ref")
    found = await read_rows(connection, _HeldRow, HeldReservation, columns, takers)
    known = {(row.org_id, row.transfer_id) for row in rows}
    rivals = [key for each in found if (key := (each.org_id, each.transfer_id)) not in known]
    return await read_rows(connection, ReservationRow, Reservation, ("org_id", "transfer_id"), rivals)


@dataclass(frozen=True, slots=True)
class _PartRow:
    """See ``tables.ReservedLot``."""

    org_id: str
    transfer_id: str
    lot_id: str
    quantity: int


async def _read_parts(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    rows: Mapping[tuple[str, str], ReservationRow],
) -> dict[tuple[str, str], list[LotPart]]:
    found = await read_rows(connection, _PartRow, ReservedLot, ("org_id", "transfer_id"), rows)
    owners = {key: (row.registrar_org_id, row.security_id) for key, row in rows.items()}
    await add_lots(connection, registers, [(*owners[each.org_id, each.transfer_id], each.lot_id) for each in found])
    parts: dict[tuple[str, str], list[LotPart]] = {key: [] for key in rows}
    for each in sorted(found, key=lambda part: part.lot_id):
        key = each.org_id, each.transfer_id
        parts[key].append(LotPart(registers[owners[key]].lots[each.lot_id], each.quantity))
    return parts
