"""The Merkle tree of the log, against a naive tree and the roots that other implementations publish."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.merkle import (
    EMPTY_ROOT,
    ConsistencyProofError,
    InclusionProofError,
    Span,
    find_consistency_spans,
    find_inclusion_spans,
    hash_leaf,
    verify_consistency,
    verify_inclusion,
)
from service.credentials.tlog_tiles import (
    TileId,
    extend_tiles,
    find_tiles,
    hash_span,
    list_growing_tiles,
    list_tiles,
)

# Leaves and roots of the tests of google/certificate-transparency (merkletree), used by its successors too.
KNOWN_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
sizes = st.integers(1, 700)


def naive_root(hashes: list[bytes]) -> bytes:
    """The definition of RFC 6962, section 2.1, word by word."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return sha256(b"\x01" + naive_root(hashes[:half]) + naive_root(hashes[half:])).digest()


def leaves(size: int) -> list[bytes]:
    return [hash_leaf(number.to_bytes(4, "big")) for number in range(size)]


def grow(*parts: int) -> dict[TileId, bytes]:
    """Tiles of a tree that was extended in steps of these sizes."""
    tiles: dict[TileId, bytes] = {}
    hashes, size = leaves(sum(parts)), 0
    for part in parts:
        growing = {tile: tiles[tile] for tile in list_growing_tiles(size)}
        tiles |= extend_tiles(size, growing, hashes[size : size + part])
        size += part
    return tiles


def test_roots_are_those_of_certificate_transparency() -> None:
    for size, root in enumerate(KNOWN_ROOTS, start=1):
        hashes = [hash_leaf(leaf) for leaf in KNOWN_LEAVES[:size]]
        assert hash_span(Span(0, size), extend_tiles(0, {}, hashes)).hex() == root
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_tiles_of_seventy_thousand_leaves_are_those_of_the_specification() -> None:
    tiles = list_tiles(70_000)
    assert sum(1 for tile, width in tiles if tile.level == 0 and width == 256) == 273
    assert [(tile.level, tile.index, width) for tile, width in tiles if width < 256 or tile.level > 0] == [
        (0, 273, 112),
        (1, 0, 256),
        (1, 1, 17),
        (2, 0, 1),
    ]
    assert [(tile.level, tile.index, width) for tile, width in list_tiles(256)] == [(0, 0, 256), (1, 0, 1)]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_a_tree_grows_the_same_in_any_steps(parts: list[int]) -> None:
    size = sum(parts)
    tiles = grow(*parts)
    assert {tile: len(data) // 32 for tile, data in tiles.items()} == dict(list_tiles(size))
    assert hash_span(Span(0, size), tiles) == naive_root(leaves(size))


def test_levels_above_the_first_hold_the_roots_of_full_tiles() -> None:
    size = 256 * 256 + 300
    tiles = grow(size)
    assert dict(list_tiles(size)) == {tile: len(data) // 32 for tile, data in tiles.items()}
    hashes = leaves(size)
    assert tiles[TileId(1, 0)][:32] == naive_root(hashes[:256])
    assert tiles[TileId(2, 0)] == naive_root(hashes[: 256 * 256])
    assert hash_span(Span(0, size), tiles) == naive_root(hashes)


@given(sizes, st.data())
def test_every_leaf_is_proved(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tiles, hashes = grow(size), leaves(size)
    spans = find_inclusion_spans(index, size)
    read = {tile: tiles[tile] for tile in find_tiles(spans)}
    proof = [hash_span(span, read) for span in spans]
    root = naive_root(hashes)
    verify_inclusion(hashes[index], index=index, size=size, proof=proof, expected_root=root)
    for other in {(index + 1) % size, 0, size - 1} - {index}:
        with pytest.raises(InclusionProofError):
            verify_inclusion(hashes[index], index=other, size=size, proof=proof, expected_root=root)
    for wrong in (proof[:-1], [*proof, root], [*proof[:-1], bytes(32)]):
        if wrong != proof:
            with pytest.raises(InclusionProofError):
                verify_inclusion(hashes[index], index=index, size=size, proof=wrong, expected_root=root)
    with pytest.raises(InclusionProofError):
        verify_inclusion(bytes(32), index=index, size=size, proof=proof, expected_root=root)


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_a_leaf_outside_the_tree_is_never_proved(index: int) -> None:
    with pytest.raises(InclusionProofError, match="within"):
        verify_inclusion(bytes(32), index=index, size=3, proof=[], expected_root=bytes(32))


@given(sizes, st.data())
def test_every_older_tree_is_proved(new_size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, new_size))
    tiles, hashes = grow(new_size), leaves(new_size)
    old_root, new_root = naive_root(hashes[:old_size]), naive_root(hashes)
    proof = [hash_span(span, tiles) for span in find_consistency_spans(old_size, new_size)]

    def verify(**changes: object) -> None:
        known = {"old_size": old_size, "old_root": old_root, "new_size": new_size, "new_root": new_root}
        verify_consistency(**(known | {"proof": proof} | changes))  # type: ignore[arg-type]  # tests change any of them

    verify()
    wrong: list[dict[str, object]] = [{"old_root": bytes(32)}, {"new_root": bytes(32)}, {"proof": [*proof, new_root]}]
    if proof:
        wrong += [{"proof": proof[:-1]}, {"proof": [bytes(32), *proof[1:]]}]
    for changes in wrong:
        with pytest.raises(ConsistencyProofError):
            verify(**changes)


def test_a_tree_neither_shrinks_nor_differs_from_itself() -> None:
    root = naive_root(leaves(5))
    verify_consistency(old_size=0, old_root=EMPTY_ROOT, new_size=5, new_root=root, proof=[])
    for old_size, old_root in ((6, root), (5, bytes(32)), (0, bytes(32)), (-1, root)):
        with pytest.raises(ConsistencyProofError):
            verify_consistency(old_size=old_size, old_root=old_root, new_size=5, new_root=root, proof=[])


def test_the_roots_of_a_fork_are_not_consistent() -> None:
    hashes = leaves(300)
    forked = [*hashes[:100], hash_leaf(b"another"), *hashes[101:]]
    tiles = extend_tiles(0, {}, forked)
    proof = [hash_span(span, tiles) for span in find_consistency_spans(200, 300)]
    with pytest.raises(ConsistencyProofError, match="other roots"):
        verify_consistency(
            old_size=200,
            old_root=naive_root(hashes[:200]),
            new_size=300,
            new_root=naive_root(forked),
            proof=proof,
        )
