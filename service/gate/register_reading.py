"""Read the parts of registers that some requests touch, with one query for each kind of row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
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
from service.storage.core import read_rows, select_fields, table_of
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
    heads = await _read_heads(connection, keys, lock=lock)
    offerings = await read_rows(connection, OfferingHead, Offering, ("org_id", "security_id"), heads)
    cache.note_own(heads)
    securities = [(*key, head.version) for key, head in heads.items()]
    terms = await _read_documents(connection, SecurityVersion, securities, cache.securities)
    versions = [_name_version(each) for each in offerings]
    documents = await _read_documents(connection, OfferingVersion, versions, cache.offerings)
    of_security: dict[SecurityKey, list[OfferingHead]] = {key: [] for key in heads}
    for each in sorted(offerings, key=lambda each: (each.position, each.id)):
        of_security[each.org_id, each.security_id].append(each)
    return {
        key: Register(
            head,
            terms[*key, head.version],
            of_security[key],
            {each.id: documents[_name_version(each)] for each in of_security[key]},
            changes,
        )
        for key, head in heads.items()
    }


def _name_version(offering: OfferingHead) -> _Version:
    return offering.org_id, offering.security_id, offering.id, offering.version


@cache
def _select_heads(*, lock: bool) -> Select[Any]:
    table = table_of(Security)
    query = select_fields(Head, Security).where(
        table.c.org_id == bindparam("org_id"), table.c.id.in_(bindparam("ids", expanding=True))
    )
    query = query.order_by(table.c.id)
    return query.with_for_update() if lock else query


async def _read_heads(
    connection: AsyncConnection, keys: Collection[SecurityKey], *, lock: bool
) -> dict[SecurityKey, Head]:
    found: dict[SecurityKey, Head] = {}
    for org_id in sorted({key[0] for key in keys}):
        parameters = {"org_id": org_id, "ids": sorted(each for owner, each in keys if owner == org_id)}
        heads = [Head(*row) for row in await fetch_all(connection, _select_heads(lock=lock), parameters)]
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
    table, fresh = table_of(model), {}
    for version in versions:
        if version not in found:
            own = zip(table.primary_key.columns, version, strict=True)
            query = select(table.c.document).where(*(column == value for column, value in own))
            fresh[version] = (await connection.execute(query)).scalar_one()
    if len(kept) > _TERMS_KEPT:
        kept.clear()
    kept |= fresh
    return found | fresh


async def add_lots_of(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    holders: Mapping[SecurityKey, Collection[Holder]],
) -> None:
    """Read all lots and the counted row of some holders."""
    keys = [(*key, *holder) for key, each in holders.items() for holder in each]
    columns = ("org_id", "security_id", "holder_org_id", "investor_ref")
    for lot in await read_rows(connection, LotRow, Lot, columns, keys):
        registers[lot.org_id, lot.security_id].put_lots([lot])
    for row in await read_rows(connection, HolderRow, HolderCount, columns, keys):
        register = registers[row.org_id, row.security_id]
        register.holders.setdefault(Holder(row.holder_org_id, row.investor_ref), row)


async def add_lots(
    connection: AsyncConnection, registers: Mapping[SecurityKey, Register], ids: Iterable[tuple[str, str, str]]
) -> None:
    """Read some lots, by registrar, security and id."""
    for lot in await read_rows(connection, LotRow, Lot, ("org_id", "security_id", "id"), ids):
        registers[lot.org_id, lot.security_id].put_lots([lot])


async def add_pledged_lots(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    pledgees: Mapping[SecurityKey, Collection[Holder]],
) -> None:
    """Read the lots on which some investors have a lien, each as its organisation knows it."""
    keys = [(*key, *pledgee) for key, each in pledgees.items() for pledgee in each]
    columns = ("org_id", "security_id", "lien_org_id", "lien_holder_ref")
    for lot in await read_rows(connection, LotRow, Lot, columns, keys):
        registers[lot.org_id, lot.security_id].put_lots([lot])


async def add_affiliate_sales(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    sellers: Mapping[SecurityKey, Collection[Holder]],
) -> None:
    """Read what some holders sold as affiliates."""
    keys = [(*key, *seller) for key, each in sellers.items() for seller in each]
    columns = ("org_id", "security_id", "holder_org_id", "investor_ref")
    for sale in await read_rows(connection, AffiliateSaleRow, AffiliateSale, columns, keys):
        seller = Holder(sale.holder_org_id, sale.investor_ref)
        registers[sale.org_id, sale.security_id].affiliate_sales[seller].append(sale)


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
def _select_overdue() -> Select[Any]:
    table = table_of(HeldReservation).c
    return select(table.org_id, table.transfer_id).where(
        table.registrar_org_id == bindparam("registrar"),
        table.security_id.in_(bindparam("securities", expanding=True)),
        table.expires_at <= bindparam("now", type_=table.expires_at.type),
    )


async def _list_overdue(
    connection: AsyncConnection, registers: Iterable[SecurityKey], now: datetime
) -> set[tuple[str, str]]:
    overdue: set[tuple[str, str]] = set()
    keys = list(registers)
    for registrar in sorted({key[0] for key in keys}):
        securities = sorted(each for owner, each in keys if owner == registrar)
        parameters = {"registrar": registrar, "securities": securities, "now": now}
        overdue |= {(row[0], row[1]) for row in await fetch_all(connection, _select_overdue(), parameters)}
    return overdue


async def _read_held(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> list[ReservationRow]:
    """Return those of the reservations that have not ended."""
    held = await read_rows(connection, _HeldRow, HeldReservation, ("org_id", "transfer_id"), keys)
    still = [(each.org_id, each.transfer_id) for each in held]
    return await read_rows(connection, ReservationRow, Reservation, ("org_id", "transfer_id"), still)


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
