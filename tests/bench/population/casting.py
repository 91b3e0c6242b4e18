"""Rows are cast in a process of their own, while those of the chunk before are inserted."""

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from service.composition import build_signer
from service.keys import Signer
from service.settings import Settings
from service.storage.ids import new_id
from tests.bench.population.mold import Rows
from tests.bench.population.molds import Molds

_signer: Signer | None = None


@dataclass(frozen=True)
class Chunk:
    """Investors of one transaction.

    Attributes:
        lot_ids: Ids of their lots.
        rows: What was cast of them, by table.
    """

    lot_ids: Sequence[str]
    rows: "asyncio.Future[Sequence[tuple[str, Rows]]]"


@contextmanager
def casting_process(settings: Settings) -> Iterator[ProcessPoolExecutor]:
    """Open a process that casts; it reads the deployment's keys, and nothing of the database."""
    context = multiprocessing.get_context("spawn")  # this process has threads, which a fork would lose
    with ProcessPoolExecutor(1, mp_context=context, initializer=_open_signer, initargs=(settings,)) as pool:
        yield pool


def begin_chunk(pool: ProcessPoolExecutor, molds: Molds, refs: Sequence[str]) -> Chunk:
    """Let the rows of more investors be cast."""
    lot_ids = [new_id("lot") for _ in refs]
    return Chunk(lot_ids, asyncio.wrap_future(pool.submit(_cast, molds, refs, lot_ids)))


def _open_signer(settings: Settings) -> None:
    global _signer
    _signer = build_signer(settings)


def _cast(molds: Molds, refs: Sequence[str], lot_ids: Sequence[str]) -> Sequence[tuple[str, Rows]]:
    assert _signer is not None
    issuers, places, found = molds.list_issuers(), {}, []
    for org_id in set(issuers):
        rows, places[org_id] = molds.open_list(org_id, len(refs) * issuers.count(org_id))
        found.append(("status_list", list(rows)))
    return found + [(table, list(rows)) for table, rows in molds.cast(_signer, refs, lot_ids, places)]
