"""Reads and writes of the transparency log; what calls them decides what is signed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal, text, tuple_, update
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
from service.storage.core import upsert_rows
from service.storage.tables import AuditEntry, LogCheckpoint, LogTile

LARGEST_BATCH = 4096
_LOCK = int.from_bytes(b"goodslog", "big", signed=True)


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


async def take_log_lock(session: AsyncSession) -> bool:
    """Become the one who extends the log until this transaction ends; False if somebody else is.

    On SQLite every writing transaction is alone already.
    """
    if session.get_bind().dialect.name != "postgresql":
        return True
    connection = await session.connection()
    return bool((await connection.execute(text("SELECT pg_try_advisory_xact_lock(:n)"), {"n": _LOCK})).scalar_one())


async def read_newest_checkpoint(session: AsyncSession, *, published: bool) -> LogCheckpoint | None:
    """Return the largest checkpoint, or the largest of those that are out."""
    query = select(LogCheckpoint).order_by(col(LogCheckpoint.tree_size).desc()).limit(1)
    if published:
        query = query.where(col(LogCheckpoint.published_at).is_not(None))
    return (await session.exec(query)).first()


async def read_log_progress(session: AsyncSession) -> LogProgress:
    """Return how far the log is behind."""
    waiting = select(func.min(AuditEntry.recorded_at)).where(col(AuditEntry.idx).is_(None))
    newest = await read_newest_checkpoint(session, published=False)
    return LogProgress(
        waiting_since=(await session.exec(waiting)).one(),
        signed_at=newest.signed_at if newest else None,
        is_published=newest is None or newest.published_at is not None,
    )


async def list_waiting_entries(session: AsyncSession, *, limit: int = LARGEST_BATCH) -> list[WaitingEntry]:
    """Return entries without a place, oldest first.

    Never by "above the last id": a transaction that took its id early may commit late.
    """
    query = (
        select(AuditEntry.org_id, AuditEntry.id, AuditEntry.commitment)
        .where(col(AuditEntry.idx).is_(None))
        .order_by(col(AuditEntry.recorded_at), col(AuditEntry.id))
        .limit(limit)
    )
    return [WaitingEntry(*row) for row in (await session.exec(query)).all()]


async def read_tiles(session: AsyncSession, wanted: Collection[TileId]) -> dict[TileId, bytes]:
    """Return those of the wanted tiles that there are, as wide as they are."""
    if not wanted:
        return {}
    keys = [(tile.level, tile.index) for tile in wanted]
    query = select(LogTile).where(tuple_(col(LogTile.level), col(LogTile.idx)).in_(keys))
    return {TileId(row.level, row.idx): row.data for row in (await session.exec(query)).all()}


async def append_entries(session: AsyncSession, size: int, entries: Sequence[WaitingEntry]) -> bytes:
    """Give entries their places behind the first ``size`` leaves, extend the tiles, and return the new root.

    Raises:
        LogDamagedError: See ``code``.
    """
    growing = await _read_growing_tiles(session, size)
    leaves = [entry.commitment for entry in entries]
    changed = extend_tiles(size, growing, [hash_leaf(leaf) for leaf in leaves])
    await _write_tiles(session, changed | _extend_bundles(size, growing, leaves))
    places = [{"org_id": entry.org_id, "id": entry.id, "idx": size + n} for n, entry in enumerate(entries)]
    await session.run_sync(lambda sync: sync.execute(update(AuditEntry), places))
    return await compute_root(session, size + len(entries))


async def _read_growing_tiles(session: AsyncSession, size: int) -> dict[TileId, bytes]:
    wanted = list_growing_tiles(size)
    if size % TILE_WIDTH:
        wanted.append(TileId(ENTRIES, size // TILE_WIDTH))
    growing = await read_tiles(session, wanted)
    if len(growing) != len(wanted):
        raise LogDamagedError("A tile of the log is missing.")
    return growing


def _extend_bundles(size: int, growing: Mapping[TileId, bytes], leaves: Sequence[bytes]) -> dict[TileId, bytes]:
    changed: dict[TileId, bytes] = {}
    for place, leaf in enumerate(leaves, start=size):
        bundle = TileId(ENTRIES, place // TILE_WIDTH)
        changed[bundle] = changed.get(bundle, growing.get(bundle, b"")) + pack_entries([leaf])
    return changed


async def _write_tiles(session: AsyncSession, tiles: Mapping[TileId, bytes]) -> None:
    connection = await session.connection()
    rows = [{"level": tile.level, "idx": tile.index, "data": data} for tile, data in tiles.items()]
    await upsert_rows(connection, LogTile, rows)


async def hash_log_spans(session: AsyncSession, spans: Sequence[Span]) -> list[bytes]:
    """Return the hashes of spans of the log's leaves.

    Raises:
        LogDamagedError: See ``code``.
    """
    tiles = await read_tiles(session, find_tiles(spans))
    try:
        return [hash_span(span, tiles) for span in spans]
    except LookupError:
        raise LogDamagedError("A tile of the log is missing or too short.") from None


async def compute_root(session: AsyncSession, size: int) -> bytes:
    """Return the root of the first ``size`` leaves.

    Raises:
        LogDamagedError: See ``code``.
    """
    return EMPTY_ROOT if size == 0 else (await hash_log_spans(session, [Span(0, size)]))[0]


async def prove_inclusion(session: AsyncSession, *, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf ``index`` is in the tree of the first ``size`` leaves.

    Raises:
        LogDamagedError: See ``code``.
    """
    return await hash_log_spans(session, find_inclusion_spans(index, size))


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
