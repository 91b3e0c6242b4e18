"""Load investors, each with credentials, places in status lists, a lot and an entry of the log."""

import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlmodel import col, select

from service.log.sequencer import extend_log
from service.settings import Settings
from service.storage.tables import AuditEntry, HolderCount, Security
from service.web.context import Context
from tests.bench.population.bulk import Bulk
from tests.bench.population.casting import begin_chunk, casting_process
from tests.bench.population.entries import EntryMold, extend_loaded_log, read_size
from tests.bench.population.layout import KNOWN, check_layout
from tests.bench.population.mold import Model, Rows
from tests.bench.population.molds import Molds

CHUNK = 2**15
"""Investors of one transaction: the two credentials of each at one issuer then fill one status list."""

_PREFIX = "inv-"


def name_investor(number: int) -> str:
    """Return the ref of the loaded investor of this number, from 0."""
    return f"{_PREFIX}{number:07d}"


async def count_loaded(context: Context, model: Model) -> int:
    """Return how many investors are loaded: those whose numbers are smaller."""
    newest = (
        select(HolderCount.investor_ref)
        .where(
            HolderCount.org_id == model.platform_id,
            HolderCount.security_id == model.security_id,
            HolderCount.holder_org_id == model.platform_id,
            col(HolderCount.investor_ref).like(f"{_PREFIX}%"),
        )
        .order_by(col(HolderCount.investor_ref).desc())
        .limit(1)
    )
    async with context.database.reading() as session:
        ref = (await session.exec(newest)).first()
    return 0 if ref is None else int(ref.removeprefix(_PREFIX)) + 1


async def load(context: Context, settings: Settings, model: Model, target: int, say: Callable[[str], None]) -> float:
    """Load until there are ``target`` investors; may be stopped at any time and called again.

    Args:
        context: A deployment that no service runs on meanwhile.
        settings: What it was opened with.
        model: Whose rows are copied.
        target: No more than 10^7.
        say: Told of progress.

    Returns:
        Seconds that it took.

    Raises:
        LayoutChangedError: The tables are not those that the loader knows.
    """
    check_layout()
    while await extend_log(context):  # entries that wait would otherwise be overtaken
        pass
    started, first = time.perf_counter(), await count_loaded(context, model)
    if first < target:
        with _paused_garbage_collection(), casting_process(settings) as pool:
            async for done in _load_chunks(context, pool, model, range(first, target)):
                rate = (done - first) / (time.perf_counter() - started)
                say(f"loaded {done:,} of {target:,} investors, {rate:,.0f} a second")
        await _tidy(context)
    return time.perf_counter() - started


async def _load_chunks(context: Context, pool: ProcessPoolExecutor, model: Model, numbers: range) -> AsyncIterator[int]:
    async with context.database.transaction() as session:
        bulk = await Bulk.open(session)
        molds, entries = await Molds.read(bulk, context.signer, model), await _read_entry_mold(bulk, model)
    parts = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
    chunks = (begin_chunk(pool, molds, [name_investor(number) for number in part]) for part in parts)
    coming = next(chunks, None)
    for part in parts:
        assert coming is not None
        chunk, rows = coming, await coming.rows
        coming = next(chunks, None)  # cast while this one is inserted
        await _insert_chunk(context, model, chunk.lot_ids, rows, entries)
        yield part.stop


async def _insert_chunk(
    context: Context, model: Model, lot_ids: Sequence[str], rows: Sequence[tuple[str, Rows]], entries: EntryMold
) -> None:
    async with context.database.transaction() as session:
        bulk = await Bulk.open(session)
        for table, values in rows:
            await bulk.insert(table, KNOWN[table].split(), values)
        size = await read_size(bulk)
        audit_rows, leaves = entries.cast(lot_ids, size)
        await bulk.insert("audit_entry", KNOWN["audit_entry"].split(), audit_rows)
        await extend_loaded_log(bulk, context, size, leaves)
        await _count_holders(bulk, model, len(lot_ids))


async def _read_entry_mold(bulk: Bulk, model: Model) -> EntryMold:
    query = select(AuditEntry).where(
        AuditEntry.org_id == model.platform_id,
        AuditEntry.kind == "positions.opened",
        AuditEntry.subject_id == model.security_id,
    )
    entry = (await bulk.session.exec(query.order_by(col(AuditEntry.id)).limit(1))).one()
    [row] = await bulk.fetch(f"SELECT * FROM audit_entry WHERE org_id = '{entry.org_id}' AND id = '{entry.id}'")
    return EntryMold(entry, row)


async def _count_holders(bulk: Bulk, model: Model, count: int) -> None:
    """Count the loaded investors as the service counted the model, which is an accredited one."""
    key = (model.platform_id, model.security_id)
    head = await bulk.session.get_one(Security, key, with_for_update=True)
    one = await bulk.session.get_one(HolderCount, (*key, model.platform_id, model.ref))
    head.outstanding += one.quantity * count
    head.holders += count
    head.nonaccredited_holders += 0 if one.accredited else count
    head.beneficial_owners += one.owners * count
    bulk.session.add(head)


async def _tidy(context: Context) -> None:
    """Do at once what either database would do by itself during the measurement."""
    statements = (
        ["PRAGMA wal_checkpoint(TRUNCATE)"] if context.database.is_sqlite else ["VACUUM (ANALYZE)", "CHECKPOINT"]
    )
    async with context.database.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        for statement in statements:
            if context.database.is_sqlite:
                await raw.execute(statement)
            else:
                await raw.execute(statement, timeout=600)


@contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
