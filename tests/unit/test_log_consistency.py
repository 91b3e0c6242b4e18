"""Consistency proofs from the tiles that a log answers with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.merkle import EMPTY_ROOT, ConsistencyProofError, Span, hash_leaf
from service.credentials.signed_note import Checkpoint
from service.credentials.tlog_tiles import TileId, cut_tile, extend_tiles, hash_span
from service.log.consistency import TileMissingError, check_consistency

LARGEST = 1200
LEAVES = [hash_leaf(n.to_bytes(2, "big")) for n in range(LARGEST)]
TILES = extend_tiles(0, {}, LEAVES)


class KeptLog:
    """A log whose tiles lie in memory."""

    def __init__(self, tiles: dict[TileId, bytes]) -> None:
        self._tiles = tiles
        self.read: list[TileId] = []

    async def read_checkpoint(self) -> bytes | None:
        return None

    async def read_tile(self, tile: TileId, width: int) -> bytes | None:
        self.read.append(tile)
        return cut_tile(tile, self._tiles.get(tile, b""), width)


def head(size: int) -> Checkpoint:
    root = hash_span(Span(0, size), extend_tiles(0, {}, LEAVES[:size])) if size else EMPTY_ROOT
    return Checkpoint("log.example", size, root)


@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
async def test_every_smaller_log_is_continued_by_every_larger(first: int, second: int) -> None:
    old, new = sorted((first, second))
    log = KeptLog(TILES)
    proof = await check_consistency(log, head(old), head(new))
    assert len(proof) <= 12
    assert len(log.read) <= 4
    if old != new:
        with pytest.raises(ConsistencyProofError, match="smaller"):
            await check_consistency(log, head(new), head(old))


@pytest.mark.parametrize(("old", "new"), [(1, 2), (255, 256), (256, 257), (300, 1200), (1024, 1200), (700, 700)])
async def test_another_root_is_found(old: int, new: int) -> None:
    other = Checkpoint("log.example", old, bytes(32))
    with pytest.raises(ConsistencyProofError):
        await check_consistency(KeptLog(TILES), other, head(new))
    with pytest.raises(ConsistencyProofError):
        await check_consistency(KeptLog(TILES), head(old), Checkpoint("log.example", new, bytes(32)))


async def test_a_missing_tile_proves_nothing() -> None:
    without = {tile: data for tile, data in TILES.items() if tile != TileId(0, 4)}
    with pytest.raises(TileMissingError, match=r"0/004\.p/176"):
        await check_consistency(KeptLog(without), head(300), head(1200))
