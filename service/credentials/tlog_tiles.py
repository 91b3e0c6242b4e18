"""A Merkle tree kept as tiles: 256 hashes wide, of which only the rightmost of each level still grows.

Source: C2SP tlog-tiles.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.credentials.merkle import HASH_SIZE, Span, hash_children, split_point
from service.errors import MalformedError

TILE_WIDTH = 256
TILE_HEIGHT = 8
HIGHEST_LEVEL = 63
ENTRIES = -1  # stands for the level of the bundles of entries, which the paths call "entries"
LARGEST_ENTRY = 0xFFFF
_INDEX = re.compile(r"(?:x[0-9]{3}/){0,5}[0-9]{3}")  # below 2^63
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}")


class TilePathError(MalformedError):
    """Not the path of a tile."""

    code = "malformed"


class EntryBundleError(MalformedError):
    """Not a sequence of length-prefixed entries."""

    code = "malformed"


@dataclass(frozen=True, slots=True, order=True)
class TileId:
    """Level, from 0 or ``ENTRIES``, and index within the level."""

    level: int
    index: int


Tiles = Mapping[TileId, bytes]


def format_tile_path(tile: TileId, width: int = TILE_WIDTH) -> str:
    """Return what follows ``tile/`` in the address of a tile, for example ``0/x001/234.p/17``.

    Args:
        width: 1 to 256; below 256 the path is that of a partial tile.

    Source: C2SP tlog-tiles, "Merkle Tree".
    """
    digits = f"{tile.index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    level = "entries" if tile.level == ENTRIES else str(tile.level)
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join([level, *(f"x{group}" for group in groups[:-1]), groups[-1]]) + suffix


def parse_tile_path(path: str) -> tuple[TileId, int]:
    """Return the tile and the width that a path names; exactly one path names each.

    Raises:
        TilePathError: Anything that ``format_tile_path`` would not have written.
    """
    level, _, rest = path.partition("/")
    digits, partial, width = rest.partition(".p/")
    known = level == "entries" or (_NUMBER.fullmatch(level) and int(level) <= HIGHEST_LEVEL)
    if not known or not _INDEX.fullmatch(digits) or (partial and not _NUMBER.fullmatch(width)):
        raise TilePathError("Not the path of a tile.")
    tile = TileId(ENTRIES if level == "entries" else int(level), int(digits.replace("x", "").replace("/", "")))
    wide = int(width) if partial else TILE_WIDTH
    if not 1 <= wide <= TILE_WIDTH or format_tile_path(tile, wide) != path:
        raise TilePathError("Not the path of a tile.")
    return tile, wide


def pack_entries(entries: Iterable[bytes]) -> bytes:
    """Return a bundle.

    Args:
        entries: At most 65,535 bytes each.

    Source: C2SP tlog-tiles, "Log entries".
    """
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unpack_entries(bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        EntryBundleError: It ends within an entry.
    """
    entries: list[bytes] = []
    place = 0
    while place < len(bundle):
        start = place + 2
        place = start + int.from_bytes(bundle[place:start], "big")
        if len(bundle) < start or len(bundle) < place:
            raise EntryBundleError("The bundle ends within an entry.")
        entries.append(bundle[start:place])
    return entries


def cut_tile(tile: TileId, data: bytes, width: int) -> bytes | None:
    """Return the first ``width`` hashes or entries of a tile, None if it does not have as many.

    Since a tile only grows at its end, what this returns never changes.
    """
    if tile.level != ENTRIES:
        return data[: width * HASH_SIZE] if len(data) >= width * HASH_SIZE else None
    entries = unpack_entries(data)
    return pack_entries(entries[:width]) if len(entries) >= width else None


def list_tiles(size: int) -> list[tuple[TileId, int]]:
    """Return every tile of hashes of a tree with its width, level by level.

    Source: C2SP tlog-tiles, "Partial Tiles".
    """
    found: list[tuple[TileId, int]] = []
    level, count = 0, size
    while count:
        full, rest = divmod(count, TILE_WIDTH)
        found += [(TileId(level, index), TILE_WIDTH) for index in range(full)]
        if rest:
            found.append((TileId(level, full), rest))
        level, count = level + 1, full
    return found


def tile_width(tile: TileId, size: int) -> int:
    """Return how many hashes a tile has in a tree of ``size`` leaves, at most 256; 0 or less if it has none.

    Source: C2SP tlog-tiles, "Partial Tiles".
    """
    return min(TILE_WIDTH, (size >> TILE_HEIGHT * tile.level) - tile.index * TILE_WIDTH)


def list_growing_tiles(size: int) -> list[TileId]:
    """Return the tiles that the next leaf may extend: the rightmost unfilled one of each level."""
    tiles: list[TileId] = []
    level, count = 0, size
    while count:
        if count % TILE_WIDTH:
            tiles.append(TileId(level, count // TILE_WIDTH))
        level, count = level + 1, count // TILE_WIDTH
    return tiles


def extend_tiles(size: int, growing: Tiles, leaf_hashes: Sequence[bytes]) -> dict[TileId, bytes]:
    """Append leaves; return the tiles of hashes that became new or longer.

    Args:
        size: How many leaves the tree has.
        growing: Its ``list_growing_tiles``.
        leaf_hashes: At least one.
    """
    changed: dict[TileId, bytes] = {}
    level, added = 0, list(leaf_hashes)
    while added:
        filled: list[bytes] = []
        for place, node in enumerate(added, start=size):
            tile = TileId(level, place // TILE_WIDTH)
            # The tile that was growing is there; a new one begins empty.
            changed[tile] = changed.get(tile, growing.get(tile, b"")) + node
            if place % TILE_WIDTH == TILE_WIDTH - 1:
                filled.append(hash_tile(changed[tile]))
        level, size, added = level + 1, size // TILE_WIDTH, filled
    return changed


def hash_tile(data: bytes) -> bytes:
    """Return the hash of the tree whose leaves are a tile's hashes, a power of two of them."""
    nodes = [data[place : place + HASH_SIZE] for place in range(0, len(data), HASH_SIZE)]
    while len(nodes) > 1:
        nodes = [hash_children(nodes[place], nodes[place + 1]) for place in range(0, len(nodes), 2)]
    return nodes[0]


def _locate(start: int, height: int) -> tuple[TileId, int, int]:
    """Return the tile that holds a complete subtree, and where its hashes begin and end there."""
    level, above = divmod(height, TILE_HEIGHT)
    first = start >> (TILE_HEIGHT * level)
    offset = first % TILE_WIDTH
    return TileId(level, first // TILE_WIDTH), offset, offset + (1 << above)


def _complete_subtrees(span: Span) -> list[tuple[int, int]]:
    """Return start and height of the complete subtrees that a span of a Merkle tree is made of, left to right."""
    subtrees: list[tuple[int, int]] = []
    start = span.start
    while start < span.end:
        height = (span.end - start).bit_length() - 1
        subtrees.append((start, height))
        start += 1 << height
    return subtrees


def find_tiles(spans: Iterable[Span]) -> set[TileId]:
    """Return the tiles that ``hash_span`` reads for these spans."""
    return {_locate(start, height)[0] for span in spans for start, height in _complete_subtrees(span)}


def hash_span(span: Span, tiles: Tiles) -> bytes:
    """Return the Merkle tree hash of a span that begins where a proof or a root lets one begin.

    Args:
        span: Not empty.
        tiles: At least what ``find_tiles`` names, as wide as the tree made them.

    Raises:
        KeyError: A tile is not there.
    """
    size = span.end - span.start
    if size & (size - 1) == 0:
        tile, begin, end = _locate(span.start, size.bit_length() - 1)
        return hash_tile(tiles[tile][begin * HASH_SIZE : end * HASH_SIZE])
    middle = span.start + split_point(size)
    return hash_children(hash_span(Span(span.start, middle), tiles), hash_span(Span(middle, span.end), tiles))
