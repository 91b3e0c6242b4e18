"""Addresses of tiles and bundles of entries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.tlog_tiles import (
    ENTRIES,
    EntryBundleError,
    TileId,
    TilePathError,
    cut_tile,
    format_tile_path,
    list_tiles,
    pack_entries,
    parse_tile_path,
    tile_width,
    unpack_entries,
)


@pytest.mark.parametrize(
    ("tile", "width", "path"),
    [
        (TileId(0, 1_234_067), 256, "0/x001/x234/067"),  # C2SP tlog-tiles, "Merkle Tree"
        (TileId(0, 0), 256, "0/000"),
        (TileId(0, 273), 112, "0/273.p/112"),
        (TileId(63, 999), 1, "63/999.p/1"),
        (TileId(1, 1000), 256, "1/x001/000"),
        (TileId(ENTRIES, 5), 255, "entries/005.p/255"),
        (TileId(ENTRIES, 12_345), 256, "entries/x012/345"),
    ],
)
def test_every_tile_has_one_path(tile: TileId, width: int, path: str) -> None:
    assert format_tile_path(tile, width) == path
    assert parse_tile_path(path) == (tile, width)


@given(st.integers(-1, 63), st.integers(0, 10**18 - 1), st.integers(1, 256))
def test_paths_are_read_as_they_are_written(level: int, index: int, width: int) -> None:
    assert parse_tile_path(format_tile_path(TileId(level, index), width)) == (TileId(level, index), width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/001",
        "0/001/002",
        "0/x001",
        "0/x001/x002",
        "00/000",
        "64/000",
        "-1/000",
        "data/000",
        "entries/",
        "0/000.p/",
        "0/000.p/0",
        "0/000.p/01",
        "0/000.p/256",
        "0/000.p/-1",
        "0/000.p/1/",
        "0/000.p",
        "0/../000",
        "0/０００",  # digits, though not of ASCII
        "0/000\n",
        "0/000 ",
    ],
)
def test_other_paths_lead_nowhere(path: str) -> None:
    with pytest.raises(TilePathError):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    bundle = pack_entries(entries)
    assert unpack_entries(bundle) == entries
    for width in range(1, len(entries) + 1):
        assert cut_tile(TileId(ENTRIES, 0), bundle, width) == pack_entries(entries[:width])
    assert cut_tile(TileId(ENTRIES, 0), bundle, len(entries) + 1) is None


@pytest.mark.parametrize("bundle", ["00", "0001", "0002aa", "0001aa00", "0001aaffff"])
def test_a_bundle_that_ends_within_an_entry_is_refused(bundle: str) -> None:
    with pytest.raises(EntryBundleError):
        unpack_entries(bytes.fromhex(bundle))


def test_a_narrower_tile_is_the_beginning_of_the_wider_one() -> None:
    data = bytes(range(96))
    assert cut_tile(TileId(0, 0), data, 2) == data[:64]
    assert cut_tile(TileId(0, 0), data, 4) is None


@given(st.integers(1, 70_000))
def test_a_tile_is_as_wide_as_the_tree_made_it(size: int) -> None:
    assert [tile_width(tile, size) for tile, _ in list_tiles(size)] == [width for _, width in list_tiles(size)]
    last = list_tiles(size)[-1][0]
    assert tile_width(TileId(last.level, last.index + 1), size) <= 0
