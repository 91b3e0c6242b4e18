"""Reads and writes of the transparency log; what calls them decides what is signed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, Select, bindparam, func, literal, literal_column, text
from sqlalchemy import select as select_columns
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.merkle import EMPTY_ROOT, Span, find_inclusion_spans, hash_leaf
from service.credentials.tlog_tiles import (
    ENTRIES,
    TILE_WIDTH,
    TileId,
    extend_tiles,
    find_tiles,
    hash_span,
    list_growing_tiles,
    pack_entries,
)
from service.errors import ServiceError
from service.storage.audit import PERSONAL_DATA_ACCESSED
from service.storage.core import insert_rows, read_rows, read_values, select_fields, table_of, update_rows, upsert_rows
from service.storage.prepared import fetch_all
from service.storage.tables import AuditEntry, LogCheckpoint, LogTile

LARGEST_BATCH = 4096
Database = AsyncConnection | AsyncSession
_LOCK = int.from_bytes(b"goodslog", "big", signed=True)
_TAKE_LOCK = (
    text("SELECT pg_try_advisory_xact_lock(:number) AS taken")
    .bindparams(bindparam("number", type_=BigInteger))
    .columns(taken=Boolean)
)


class LogDamagedError(ServiceError):
    """A tile that the log needs is missing or too short."""

    code = "log_damaged"


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """A committed audit entry without a place in the log."""

    org_id: str
    id: str
    commitment: bytes


@dataclass(frozen=True, slots=True)
class LogProgress:
    """How far the log is behind.

    Attributes:
        waiting_since: When the oldest entry that waits was recorded; None if none waits.
        signed_at: When the newest checkpoint was signed; None if there is none.
        is_published: Whether the newest checkpoint is out, or there is none.
    """

    waiting_since: datetime | None
    signed_at: datetime | None
    is_published: bool


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """See ``tables.LogCheckpoint``."""

    tree_size: int
    previous_size: int
    root: bytes
    note: str
    signed_at: datetime
    published_at: datetime | None


async def _connect(database: Database) -> AsyncConnection:
    """Return a session's connection, to which what was added to the session has gone."""
    if isinstance(database, AsyncSession):
        await database.flush()
        return await database.connection()
    return database


async def take_log_lock(connection: AsyncConnection) -> bool:
    """Become the one who extends the log until this transaction ends; False if somebody else is.

    On SQLite every writing transaction is alone already.
    """
    if connection.dialect.name != "postgresql":
        return True
    [row] = await fetch_all(connection, _TAKE_LOCK, {"number": _LOCK})
    return bool(row[0])


@cache
def _select_newest(*, published: bool) -> Select[Any]:
    table = table_of(LogCheckpoint)
    query = select_fields(CheckpointRow, LogCheckpoint).order_by(table.c.tree_size.desc())
    return _limit(query.where(table.c.published_at.is_not(None)) if published else query)


def _limit(query: Select[Any]) -> Select[Any]:
    """Leave the number of rows to a parameter; for SQLite, an offset that isn't given would be another one."""
    return query.limit(bindparam("limit", type_=Integer)).offset(literal_column("0"))


async def read_newest_checkpoint(database: Database, *, published: bool) -> CheckpointRow | None:
    """Return the largest checkpoint, or the largest of those that are out."""
    found = await fetch_all(await _connect(database), _select_newest(published=published), {"limit": 1})
    return CheckpointRow(*found[0]) if found else None


async def add_checkpoint(connection: AsyncConnection, checkpoint: CheckpointRow) -> None:
    """Add a signed head.

    Raises:
        IntegrityError: Another one extends the same.
    """
    await insert_rows(connection, LogCheckpoint, [read_values(checkpoint)])


async def publish_note(connection: AsyncConnection, *, size: int, note: str, published_at: datetime) -> None:
    """Let readers see a checkpoint, with the cosignatures that its note has now."""
    row = {"tree_size": size, "note": note, "published_at": published_at}
    await update_rows(connection, LogCheckpoint, [row])


@cache
def _select_oldest_waiting() -> Select[Any]:
    table = table_of(AuditEntry)
    return select_columns(func.min(table.c.recorded_at)).where(table.c.idx.is_(None))


async def read_log_progress(database: Database) -> LogProgress:
    """Return how far the log is behind."""
    connection = await _connect(database)
    [[waiting_since]] = await fetch_all(connection, _select_oldest_waiting(), {})
    newest = await read_newest_checkpoint(connection, published=False)
    return LogProgress(
        waiting_since=waiting_since,
        signed_at=newest.signed_at if newest else None,
        is_published=newest is None or newest.published_at is not None,
    )


@cache
def _select_waiting() -> Select[Any]:
    table = table_of(AuditEntry)
    query = select_fields(WaitingEntry, AuditEntry).where(table.c.idx.is_(None))
    return _limit(query.order_by(table.c.recorded_at, table.c.id))


async def list_waiting_entries(connection: AsyncConnection, *, limit: int = LARGEST_BATCH) -> list[WaitingEntry]:
    """Return entries without a place, oldest first.

    Never by "above the last id": a transaction that took its id early may commit late.
    """
    return [WaitingEntry(*row) for row in await fetch_all(connection, _select_waiting(), {"limit": limit})]


@dataclass(frozen=True, slots=True)
class _TileRow:
    """See ``tables.LogTile``."""

    level: int
    idx: int
    data: bytes


async def read_tiles(database: Database, wanted: Collection[TileId]) -> dict[TileId, bytes]:
    """Return those of the wanted tiles that there are, as wide as they are."""
    keys = [(tile.level, tile.index) for tile in wanted]
    rows = await read_rows(await _connect(database), _TileRow, LogTile, ("level", "idx"), keys)
    return {TileId(row.level, row.idx): row.data for row in rows}


async def append_entries(connection: AsyncConnection, size: int, entries: Sequence[WaitingEntry]) -> bytes:
    """Give entries their places behind the first ``size`` leaves, extend the tiles, and return the new root.

    Raises:
        LogDamagedError: See ``code``.
    """
    growing = await _read_growing_tiles(connection, size)
    leaves = [entry.commitment for entry in entries]
    changed = extend_tiles(size, growing, [hash_leaf(leaf) for leaf in leaves])
    await _write_tiles(connection, changed | _extend_bundles(size, growing, leaves))
    places = [{"org_id": entry.org_id, "id": entry.id, "idx": size + n} for n, entry in enumerate(entries)]
    await update_rows(connection, AuditEntry, places)
    return await compute_root(connection, size + len(entries))


async def _read_growing_tiles(connection: AsyncConnection, size: int) -> dict[TileId, bytes]:
    wanted = list_growing_tiles(size)
    if size % TILE_WIDTH:
        wanted.append(TileId(ENTRIES, size // TILE_WIDTH))
    growing = await read_tiles(connection, wanted)
    if len(growing) != len(wanted):
        raise LogDamagedError("A tile of the log is missing.")
    return growing


def _extend_bundles(size: int, growing: Mapping[TileId, bytes], leaves: Sequence[bytes]) -> dict[TileId, bytes]:
    changed: dict[TileId, bytes] = {}
    for place, leaf in enumerate(leaves, start=size):
        bundle = TileId(ENTRIES, place // TILE_WIDTH)
        changed[bundle] = changed.get(bundle, growing.get(bundle, b"")) + pack_entries([leaf])
    return changed


async def _write_tiles(connection: AsyncConnection, tiles: Mapping[TileId, bytes]) -> None:
    rows = [{"level": tile.level, "idx": tile.index, "data": data} for tile, data in tiles.items()]
    await upsert_rows(connection, LogTile, rows)


async def hash_log_spans(database: Database, spans: Sequence[Span]) -> list[bytes]:
    """Return the hashes of spans of the log's leaves.

    Raises:
        LogDamagedError: See ``code``.
    """
    tiles = await read_tiles(database, find_tiles(spans))
    try:
        return [hash_span(span, tiles) for span in spans]
    except LookupError:
        raise LogDamagedError("A tile of the log is missing or too short.") from None


async def compute_root(database: Database, size: int) -> bytes:
    """Return the root of the first ``size`` leaves.

    Raises:
        LogDamagedError: See ``code``.
    """
    return EMPTY_ROOT if size == 0 else (await hash_log_spans(database, [Span(0, size)]))[0]


async def prove_inclusion(database: Database, *, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf ``index`` is in the tree of the first ``size`` leaves.

    Raises:
        LogDamagedError: See ``code``.
    """
    return await hash_log_spans(database, find_inclusion_spans(index, size))


async def find_log_entry(session: AsyncSession, *, org_id: str, kind: str, subject_id: str) -> AuditEntry | None:
    """Return the audit entry about something that happens once, such as a decision."""
    query = select(AuditEntry).where(
        AuditEntry.org_id == org_id, AuditEntry.subject_id == subject_id, AuditEntry.kind == kind
    )
    return (await session.exec(query)).first()


async def list_accesses(
    session: AsyncSession, org_id: str, *, subject_id: str | None, after: str | None, limit: int
) -> Sequence[AuditEntry]:
    """Return an organisation's accesses to personal data in the order of their ids, of one person or of all."""
    kind = literal(PERSONAL_DATA_ACCESSED, literal_execute=True)  # as text, or SQLite would not use the partial index
    query = select(AuditEntry).where(AuditEntry.org_id == org_id, col(AuditEntry.kind) == kind)
    query = query.where(col(AuditEntry.record) != "")  # an erased person's are empty
    if subject_id is not None:
        query = query.where(AuditEntry.subject_id == subject_id)
    if after is not None:
        query = query.where(AuditEntry.id > after)
    return (await session.exec(query.order_by(col(AuditEntry.id)).limit(limit))).all()
