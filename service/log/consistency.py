"""Prove that a later log begins with an earlier one, from the tiles of wherever the log is read."""

from service.credentials.merkle import HASH_SIZE, find_consistency_spans, verify_consistency
from service.credentials.signed_note import Checkpoint
from service.credentials.tlog_tiles import TileId, find_tiles, format_tile_path, hash_span, tile_width
from service.errors import VerificationError
from service.log.verification import LogSource


class TileMissingError(VerificationError):
    """The log does not answer with a tile that it must have."""

    code = "log_tile_missing"
    check = "consistency"


async def prove_consistency(source: LogSource, *, old_size: int, new_size: int) -> list[bytes]:
    """Return the proof that a tree of ``new_size`` leaves begins with one of ``old_size``.

    Reads a tile or two for each level of the tree. The hashes are as good as the source: ``verify_consistency`` tells.

    Args:
        old_size: From 0 to ``new_size``; the proof about nothing is empty.

    Raises:
        TileMissingError: See ``code``.
        UnavailableError: As the source does.

    Source: RFC 6962, section 2.1.2.
    """
    if old_size == 0:
        return []
    spans = find_consistency_spans(old_size, new_size)
    tiles: dict[TileId, bytes] = {}
    for tile in find_tiles(spans):
        width = tile_width(tile, new_size)
        data = await source.read_tile(tile, width)
        if data is None or len(data) != width * HASH_SIZE:
            raise TileMissingError(f"The log has no tile {format_tile_path(tile, width)}.")
        tiles[tile] = data
    return [hash_span(span, tiles) for span in spans]


async def check_consistency(source: LogSource, old: Checkpoint, new: Checkpoint) -> list[bytes]:
    """Check that ``new`` continues ``old``, both verified before; return the proof.

    Raises:
        ConsistencyProofError: It does not.
        TileMissingError, UnavailableError: See ``prove_consistency``.
    """
    proof = await prove_consistency(source, old_size=min(old.size, new.size), new_size=new.size)
    verify_consistency(old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=proof)
    return proof
