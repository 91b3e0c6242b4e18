"""Check a whole log: every entry, every tile and the head, with nothing taken on trust but the log's key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from service.credentials.cosignature import verify_cosignature
from service.credentials.merkle import EMPTY_ROOT, HASH_SIZE, Span, hash_leaf
from service.credentials.signed_note import (
    Checkpoint,
    MalformedNoteError,
    NoteSignatureError,
    VerifierKey,
    open_checkpoint,
    parse_note,
)
from service.credentials.tlog_tiles import (
    ENTRIES,
    TILE_WIDTH,
    EntryBundleError,
    TileId,
    format_tile_path,
    hash_span,
    hash_tile,
    list_tiles,
    unpack_entries,
)


class LogSource(Protocol):
    """Where a log is read from: its address, or the database."""

    async def read_checkpoint(self) -> bytes | None:
        """Return the published checkpoint, None if there is none."""

    async def read_tile(self, tile: TileId, width: int) -> bytes | None:
        """Return a tile of hashes or a bundle of entries, None if it is not there."""


@dataclass(slots=True)
class LogReport:
    """What was found.

    Attributes:
        checkpoint: The verified head; None if there is none.
        note: The signed note that it came in.
        entries: Every entry, by index, as far as they could be read.
        problems: One sentence each; empty if all is well.
    """

    checkpoint: Checkpoint | None = None
    note: str = ""
    entries: list[bytes] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def verify_log(
    source: LogSource,
    *,
    expected_keys: list[VerifierKey],
    saved: Checkpoint | None,
    expected_cosigners: Sequence[VerifierKey] = (),
) -> LogReport:
    """Read all of a log and check it.

    Args:
        source: Where to read.
        expected_keys: Keys that may have signed the head.
        saved: The head that was seen last time, which this one must continue.
        expected_cosigners: Keys of witnesses who must have cosigned the head.

    Raises:
        UnavailableError: As the source does.
    """
    report = LogReport()
    data = await source.read_checkpoint()
    try:
        if data is not None:
            report.checkpoint, report.note = open_checkpoint(data, expected_keys), data.decode()
    except (MalformedNoteError, NoteSignatureError) as error:
        report.problems.append(f"checkpoint: {error.detail}")
        return report
    _check_cosigners(report, expected_cosigners)
    size = report.checkpoint.size if report.checkpoint else 0
    if saved is not None and saved.size > size:
        report.problems.append(f"checkpoint: the log has {size} entries and had {saved.size}.")
    tiles = await _read_tiles(source, size, report.problems)
    report.entries = await _read_entries(source, size, tiles, report.problems)
    _check_upper_levels(tiles, report.problems)
    if report.checkpoint:
        _check_root(report.checkpoint, "the checkpoint", tiles, report.problems)
    if saved is not None and saved.size <= size:
        _check_root(saved, "the checkpoint seen before", tiles, report.problems)
    return report


def _check_cosigners(report: LogReport, expected: Sequence[VerifierKey]) -> None:
    if not report.checkpoint and expected:
        report.problems.append("checkpoint: there is none that witnesses could have cosigned.")
        return
    for key in expected:
        try:
            verify_cosignature(parse_note(report.note.encode()), key)
        except NoteSignatureError as error:
            report.problems.append(f"checkpoint: {error.detail}")


async def _read_tiles(source: LogSource, size: int, problems: list[str]) -> dict[TileId, bytes]:
    tiles: dict[TileId, bytes] = {}
    for tile, width in list_tiles(size):
        data = await source.read_tile(tile, width)
        if data is None or len(data) != width * HASH_SIZE:
            problems.append(f"tile {format_tile_path(tile, width)}: missing or of the wrong length.")
        else:
            tiles[tile] = data
    return tiles


async def _read_entries(source: LogSource, size: int, tiles: dict[TileId, bytes], problems: list[str]) -> list[bytes]:
    """Return all entries, after comparing each with its hash in the lowest tiles."""
    found: list[bytes] = []
    for start in range(0, size, TILE_WIDTH):
        bundle, width = TileId(ENTRIES, start // TILE_WIDTH), min(TILE_WIDTH, size - start)
        data = await source.read_tile(bundle, width)
        try:
            entries = unpack_entries(data or b"")
        except EntryBundleError:
            entries = []
        if len(entries) != width:
            problems.append(f"bundle {format_tile_path(bundle, width)}: missing or of the wrong length.")
            entries = [b""] * width
        hashes = tiles.get(TileId(0, bundle.index), b"")
        for place, entry in enumerate(entries):
            if hash_leaf(entry) != hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]:
                problems.append(f"entry {start + place}: it is not the one that its tile has a hash of.")
        found += entries
    return found


def _check_upper_levels(tiles: dict[TileId, bytes], problems: list[str]) -> None:
    for tile, data in tiles.items():
        for place in range(len(data) // HASH_SIZE if tile.level else 0):
            below = tiles.get(TileId(tile.level - 1, tile.index * TILE_WIDTH + place), b"")
            expected = data[place * HASH_SIZE : (place + 1) * HASH_SIZE]
            if len(below) != TILE_WIDTH * HASH_SIZE or hash_tile(below) != expected:
                problems.append(f"tile {format_tile_path(tile)}: hash {place} is not that of the tile below.")


def _check_root(checkpoint: Checkpoint, name: str, tiles: dict[TileId, bytes], problems: list[str]) -> None:
    try:
        root = hash_span(Span(0, checkpoint.size), tiles) if checkpoint.size else EMPTY_ROOT
    except LookupError:
        return  # the missing tile is among the problems already
    if root != checkpoint.root:
        problems.append(f"checkpoint: the entries do not lead to the root of {name}.")
