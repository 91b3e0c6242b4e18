"""Audit entries in bulk, with their places in the log, its tiles and a signed head."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import rfc8785

from service.credentials.commitment import NONCE_SIZE, build_log_record, commit_to_record
from service.credentials.merkle import hash_leaf
from service.credentials.signed_note import Checkpoint, format_checkpoint, sign_note
from service.credentials.tlog_tiles import (
    ENTRIES,
    TILE_WIDTH,
    TileId,
    extend_tiles,
    list_growing_tiles,
    pack_entries,
)
from service.log.identity import log_origin, make_verifier_key
from service.storage.ids import new_id
from service.storage.log import compute_root, read_newest_checkpoint, read_tiles
from service.storage.tables import AuditEntry, LogCheckpoint
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web.context import Context
from service.web.signing import LOG, get_active_key
from tests.bench.population.bulk import Bulk
from tests.bench.population.mold import Mold, Rows

_ID, _LOT_ID = secrets.token_hex(16), secrets.token_hex(16)


class EntryMold:
    """The entry of an opening lot, from which those of other lots are cast. One canonical form serves all of them.

    Args:
        entry: As the service wrote it for one lot.
        row: The same, in the driver's values.
    """

    def __init__(self, entry: AuditEntry, row: Mapping[str, Any]) -> None:
        self._mold = Mold("audit_entry", row)
        [lot] = json.loads(entry.record)["lots"]
        record = {"lots": [lot | {"id": _LOT_ID}]}
        self._record = rfc8785.dumps(record).decode().split(_LOT_ID)
        whole = build_log_record(
            org_id=entry.org_id,
            entry_id=_ID,
            kind=entry.kind,
            subject_id=entry.subject_id,
            recorded_at=entry.recorded_at,
            record=record,
        )
        self._whole = rfc8785.dumps(whole).decode()
        if commit_to_record(bytes(NONCE_SIZE), whole) != hashlib.sha256(bytes(NONCE_SIZE) + self._encode()).digest():
            raise RuntimeError("the service commits to records in another way than the loader")

    def _encode(self, entry_id: str = _ID, lot_id: str = _LOT_ID) -> bytes:
        return self._whole.replace(_ID, entry_id).replace(_LOT_ID, lot_id).encode()

    def cast(self, lot_ids: Sequence[str], size: int) -> tuple[Rows, list[bytes]]:
        """Return the rows of entries for more lots, behind the first ``size``, and what the log shows of them."""
        ids, nonces = [new_id("aud") for _ in lot_ids], [os.urandom(NONCE_SIZE) for _ in lot_ids]
        records = [lot_id.join(self._record) for lot_id in lot_ids]
        leaves = [
            hashlib.sha256(nonce + self._encode(entry_id, lot_id)).digest()
            for nonce, entry_id, lot_id in zip(nonces, ids, lot_ids, strict=True)
        ]
        rows = self._mold.cast(
            id=ids,
            record=records,
            record_sha256=[hashlib.sha256(record.encode()).hexdigest() for record in records],
            commitment=leaves,
            nonce=nonces,
            idx=range(size, size + len(ids)),
        )
        return rows, leaves


async def extend_loaded_log(bulk: Bulk, context: Context, size: int, leaves: Sequence[bytes]) -> None:
    """Put leaves behind the first ``size``, and sign the new head; the service will publish it when it runs."""
    wanted = list_growing_tiles(size)
    if size % TILE_WIDTH:
        wanted.append(TileId(ENTRIES, size // TILE_WIDTH))
    growing = await read_tiles(bulk.session, wanted)
    changed = extend_tiles(size, growing, [hash_leaf(leaf) for leaf in leaves])
    changed |= dict(_bundle(size, growing, leaves))
    for tile in growing.keys() & changed.keys():
        await _forget(bulk, tile)
    rows = [(tile.level, tile.index, data) for tile, data in changed.items()]
    await bulk.insert("log_tile", ("level", "idx", "data"), rows)
    root = await compute_root(bulk.session, size + len(leaves))
    bulk.session.add(await _sign(bulk, context, size, size + len(leaves), root))


async def read_size(bulk: Bulk) -> int:
    """Return how many entries the log has."""
    newest = await read_newest_checkpoint(bulk.session, published=False)
    return newest.tree_size if newest else 0


def _bundle(size: int, growing: Mapping[TileId, bytes], leaves: Sequence[bytes]) -> Iterator[tuple[TileId, bytes]]:
    place = 0
    while place < len(leaves):
        index, filled = divmod(size + place, TILE_WIDTH)
        tile, taken = TileId(ENTRIES, index), leaves[place : place + TILE_WIDTH - filled]
        yield tile, growing.get(tile, b"") + pack_entries(taken)
        place += len(taken)


async def _forget(bulk: Bulk, tile: TileId) -> None:
    connection = await bulk.session.connection()
    await connection.exec_driver_sql(f"DELETE FROM log_tile WHERE level = {tile.level} AND idx = {tile.index}")


async def _sign(bulk: Bulk, context: Context, previous: int, size: int, root: bytes) -> LogCheckpoint:
    key = await get_active_key(bulk.session, SYSTEM_ORG_ID, LOG)
    text = format_checkpoint(Checkpoint(log_origin(context.base_url), size, root))
    note = sign_note(text, make_verifier_key(key, context.base_url), context.signer.signing_function(key.kid))
    return LogCheckpoint(tree_size=size, previous_size=previous, root=root, note=note, signed_at=context.clock())
