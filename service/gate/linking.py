"""The registrar says that an investor of a venue is somebody whom the register knows by another name.

Their lots become one holder's, and so do the counters, in every security of the registrar.

Source: api.md section 5; docs/decisions/0017-batch-pipeline.md.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.gate.counters import recount
from service.gate.counts import Category, shift_counts
from service.gate.holders import BY_REGISTRAR
from service.gate.purchases import add_offeree
from service.gate.register import Changes, Register
from service.gate.register_reading import (
    SecurityKey,
    VersionCache,
    add_lots_of,
    add_reservations,
    read_registers,
)
from service.gate.register_writing import write_changes
from service.gate.reservations import expire_overdue
from service.gate.rows import Holder
from service.gate.securities import Saved
from service.storage.audit import build_audit_entry
from service.storage.core import table_of, upsert_rows
from service.storage.tables import (
    AffiliateSale,
    HolderLink,
    HolderPerson,
    Offeree,
    Organization,
    Purchase,
    Security,
)
from service.web.instants import format_instant


class SelfLinkError(InvalidInputError):
    """An investor cannot be linked to the very same name."""

    code = "holder_link_invalid"


class HolderBusyError(ConflictError):
    """A transfer to or from one of the two is not settled; what it holds could not follow."""

    code = "holder_has_reservations"


class HolderLinkedError(ConflictError):
    """The investor is linked to somebody else; what became one cannot be taken apart."""

    code = "holder_linked"


async def link_holder(
    session: AsyncSession, registrar: str, investor: Holder, holder: Holder, *, now: datetime
) -> Saved:
    """Let an investor of a venue be a holder from now on; the same again changes nothing.

    Args:
        now: On the database's clock, on which reservations end.

    Raises:
        NotFoundError: Unknown organisation.
        SelfLinkError, HolderBusyError, HolderLinkedError: See ``code``.
    """
    connection, changes = await session.connection(), Changes()
    # Everything below is read under these locks, which batches and other links wait for.
    registers = await _lock_registers(connection, registrar, changes)
    target = await _check(session, registrar, investor, holder)
    known = await session.get(HolderLink, (registrar, *investor))
    if known is not None and Holder(known.holder_org_id, known.investor_ref) != target:
        raise HolderLinkedError("The investor is linked to somebody else already.")
    if known is not None and known.source == BY_REGISTRAR:
        return Saved(describe_link(known), created=False)
    await _merge(connection, registers, investor, target, now=now)
    row = HolderLink(
        org_id=registrar,
        venue_org_id=investor.org_id,
        venue_ref=investor.investor_ref,
        holder_org_id=target.org_id,
        investor_ref=target.investor_ref,
        source=BY_REGISTRAR,
        linked_at=now,
    )
    changes.audit.append(
        build_audit_entry(
            org_id=registrar, kind="holder.linked", subject_id=registrar, record=describe_link(row), recorded_at=now
        )
    )
    await write_changes(connection, changes)
    await _rename(connection, registrar, investor, target)
    await upsert_rows(connection, HolderLink, [row.model_dump()])
    return Saved(describe_link(row), created=known is None)


async def _check(session: AsyncSession, registrar: str, investor: Holder, holder: Holder) -> Holder:
    """Return who the holder is, should that be another's name as well."""
    for org_id in {investor.org_id, holder.org_id}:
        if await session.get(Organization, org_id) is None:
            raise NotFoundError
    known = await session.get(HolderLink, (registrar, *holder))
    target = Holder(known.holder_org_id, known.investor_ref) if known else holder
    if target == investor:
        raise SelfLinkError("The two are the same already.")
    return target


async def _lock_registers(connection: AsyncConnection, registrar: str, changes: Changes) -> dict[SecurityKey, Register]:
    """Return every register of the registrar; nobody else decides about them until the transaction ends."""
    table = table_of(Security)
    own = table.select().with_only_columns(table.c.id).where(table.c.org_id == registrar)
    keys = [(registrar, row.id) for row in (await connection.execute(own)).all()]
    return await read_registers(connection, keys, VersionCache(), changes, lock=True)


async def _merge(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    investor: Holder,
    target: Holder,
    *,
    now: datetime,
) -> None:
    """Give the investor's lots to the holder, in every security."""
    await add_reservations(connection, registers, (), now)
    both = {key: {investor, target, *register.list_takers()} for key, register in registers.items()}
    await add_lots_of(connection, registers, both)
    for register in registers.values():
        expire_overdue(register, now)
        if investor in register.holders:
            _merge_in(register, investor, target)


def _merge_in(register: Register, investor: Holder, target: Holder) -> None:
    merged, kept = register.find_count(investor), register.find_count(target)
    lots = register.list_lots(investor)
    if merged.pending or kept.pending or any(lot.reserved for lot in (*lots, *register.list_lots(target))):
        raise HolderBusyError("A transfer to or from one of the two is not settled; settle or void it first.")
    # Who was counted more strictly under either name stays so.
    held = [row for row in (merged, kept) if row.quantity > 0]
    strictest = Category(all(row.accredited for row in held), max((row.owners for row in held), default=1))
    for lot in lots:
        register.move_lot(lot, target)
    change = recount(register, [investor, target], acquired={target: strictest} if held else {})
    shift_counts(register.head, change, may_exceed=True)
    register.mark_head()


async def _rename(connection: AsyncConnection, registrar: str, investor: Holder, target: Holder) -> None:
    """Let what looks back at sales and offers know the holder by one name."""
    for model, org, ref in (
        (Purchase, "buyer_org_id", "buyer_ref"),
        (AffiliateSale, "holder_org_id", "investor_ref"),
        (HolderPerson, "holder_org_id", "investor_ref"),
        (HolderLink, "holder_org_id", "investor_ref"),
    ):
        table = table_of(model)
        own = (table.c.org_id == registrar, table.c[org] == investor.org_id, table.c[ref] == investor.investor_ref)
        await connection.execute(table.update().where(*own).values({org: target.org_id, ref: target.investor_ref}))
    table = table_of(Offeree)
    own = (
        table.c.org_id == registrar,
        table.c.offeree_org_id == investor.org_id,
        table.c.investor_ref == investor.investor_ref,
    )
    for row in (await connection.execute(table.select().where(*own))).mappings().all():
        renamed = {"offeree_org_id": target.org_id, "investor_ref": target.investor_ref}
        await add_offeree(connection, dict(row) | renamed)
    await connection.execute(table.delete().where(*own))


async def list_links(
    session: AsyncSession, registrar: str, *, after: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return up to ``limit`` links of a registrar, by id."""
    query = select(HolderLink).where(HolderLink.org_id == registrar)
    if after is not None:
        org_id, _, ref = after.partition("/")
        same = (col(HolderLink.venue_org_id) == org_id) & (col(HolderLink.venue_ref) > ref)
        query = query.where((col(HolderLink.venue_org_id) > org_id) | same)
    query = query.order_by(col(HolderLink.venue_org_id), col(HolderLink.venue_ref)).limit(limit)
    return [describe_link(row) for row in (await session.exec(query)).all()]


def describe_link(row: HolderLink) -> dict[str, Any]:
    """Return the published form."""
    return {
        "id": f"{row.venue_org_id}/{row.venue_ref}",
        "org_id": row.venue_org_id,
        "investor_ref": row.venue_ref,
        "holder": {"org_id": row.holder_org_id, "investor_ref": row.investor_ref},
        "source": row.source,
        "linked_at": format_instant(row.linked_at),
    }
