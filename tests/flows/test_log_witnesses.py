"""The log and its witnesses: published with cosignatures, published without, and found out by them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from service.credentials.cosignature import Witness as WitnessAddress
from service.credentials.cosignature import verify_cosignature
from service.credentials.signed_note import format_checkpoint, parse_checkpoint, parse_note
from service.fetch import Fetcher
from service.log.history import PUBLISHED_FILE, LogForkedError, LogRolledBackError, read_published
from service.log.sequencer import advance_log, check_log
from service.log.witness import Witness
from service.log.witness_api import create_witness_app
from service.log.witnesses import PATIENCE_S, Cosigners, WitnessRefusedError, request_cosignature
from service.storage.log import read_newest_checkpoint
from service.web.context import Context
from tests.deployment import TestClock
from tests.flows.test_log import execute, restore_state_after_next
from tests.log_support import checkpoints, log_keys, open_log_context, record, verify_stored
from tests.loopback import serving

NAME = "witness.example/w1"


@pytest.fixture
async def alone(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Context]:
    """A log without witnesses, which may call loopback addresses."""
    async with open_log_context(sqlite_url, tmp_path) as context:
        fetcher = Fetcher(allow_loopback=True)
        yield replace(context, fetcher=fetcher)
        await fetcher.close()


class Watched:
    """A log and a witness of it on a loopback port; ``broken`` answers in the witness's place."""

    def __init__(self, log: Context, witness: Witness) -> None:
        self._alone, self.witness = log, witness
        self.broken: Callable[..., Any] | None = None
        self.url = ""
        self._app = create_witness_app(witness)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await (self.broken or self._app)(scope, receive, send)

    @property
    def log(self) -> Context:
        return replace(self._alone, witnesses=(WitnessAddress(self.witness.key, self.url),))

    @property
    def clock(self) -> TestClock:
        clock: Any = self._alone.clock
        return clock

    async def advance(self, *entries: str, cosigners: Cosigners | None = None) -> list[datetime]:
        """Log entries; return when the published checkpoint was cosigned, if it was."""
        if entries:
            await record(self.log, *entries)
        await advance_log(self.log, cosigners)
        return await self.cosigned_at()

    async def cosigned_at(self) -> list[datetime]:
        async with self.log.database.reading() as session:
            newest = await read_newest_checkpoint(session, published=True)
        assert newest is not None
        note = parse_note(newest.note.encode())
        return [verify_cosignature(note, self.witness.key)] if len(note.signatures) == 2 else []


@contextmanager
def watch(alone: Context, witness: Witness) -> Iterator[Watched]:
    watched = Watched(alone, witness)
    with serving(lambda base_url: watched) as watched.url:
        yield watched


@pytest.fixture
async def watched(alone: Context, tmp_path: Path) -> AsyncIterator[Watched]:
    witness = Witness(tmp_path / "witness", name=NAME, log_keys=await log_keys(alone), clock=alone.clock)
    with watch(alone, witness) as watched:
        yield watched
    witness.close()


def refuse(status: int, body: str = "") -> Response:
    return Response(body, status_code=status)


async def test_what_is_published_carries_the_cosignature(watched: Watched) -> None:
    for n in range(3):
        assert await watched.advance(f"entry {n}") == [watched.clock.now]
        watched.clock.advance(minutes=1)
    report = await verify_stored(watched.log)
    assert report.problems == []


async def test_a_witness_that_came_late_is_taken_to_the_present(watched: Watched, alone: Context) -> None:
    await record(alone, *(f"a{n}" for n in range(300)))
    await advance_log(alone)
    assert await watched.advance("b")
    # It may also have seen a later checkpoint than the last published: that of a pass that was broken off.
    await execute(watched.log, "UPDATE log_checkpoint SET published_at = NULL WHERE previous_size > 0")
    assert await watched.advance("c")


@pytest.mark.parametrize(
    "broken",
    [
        refuse(500),
        refuse(200),
        refuse(200, "— witness.example/w1 AAAA\n"),
        refuse(200, "more text\n\n— witness.example/w1 AAAAAAAAAAAA\n"),
        refuse(409, "no number\n"),
        refuse(409, "99999\n"),
        refuse(422),
        refuse(404),
    ],
    ids=lambda response: f"{response.status_code} {response.body.decode()[:8]!r}",
)
async def test_a_witness_that_does_not_cosign_keeps_nothing_back(watched: Watched, broken: Response) -> None:
    watched.broken = broken
    assert await watched.advance("a") == []
    [made] = await checkpoints(watched.log)
    assert made.published_at is not None
    assert read_published(watched.log.data_dir) == parse_checkpoint(parse_note(made.note.encode()).text)


async def test_why_a_witness_gave_nothing_is_told(watched: Watched) -> None:
    await watched.advance("a")
    note = (await checkpoints(watched.log))[0].note
    [witness] = watched.log.witnesses
    for answer in (refuse(500), refuse(409, "99999\n")):
        watched.broken = answer
        with pytest.raises(WitnessRefusedError, match=str(answer.status_code)):
            await request_cosignature(watched.log, witness, note, known_size=0)


async def test_a_witness_that_failed_is_asked_again(watched: Watched) -> None:
    cosigners = Cosigners(watched.log)
    watched.broken = refuse(500)
    assert await watched.advance("a", cosigners=cosigners) == []
    watched.broken = None
    assert await watched.advance(cosigners=cosigners) == []
    watched.clock.advance(seconds=10)
    assert await watched.advance(cosigners=cosigners) == [watched.clock.now]


async def test_a_witness_that_hangs_delays_little(watched: Watched) -> None:
    async def hang(*_scope: Any) -> None:
        await asyncio.sleep(PATIENCE_S * 3)

    watched.broken = hang
    begun = time.monotonic()
    assert await watched.advance("a") == []
    assert time.monotonic() - begun < PATIENCE_S * 2.5


async def test_a_witness_of_another_key_is_not_believed(watched: Watched, alone: Context, tmp_path: Path) -> None:
    other = Witness(tmp_path / "other", name=NAME, log_keys=await log_keys(alone), clock=alone.clock)
    watched.broken = create_witness_app(other)
    assert await watched.advance("a") == []
    other.close()


async def test_an_older_copy_of_everything_is_found_by_the_witness(watched: Watched) -> None:
    """Where the file beside the database was restored with it, only others remember."""
    await watched.advance("a")
    kept = (watched.log.data_dir / PUBLISHED_FILE).read_bytes()
    await restore_state_after_next(watched.log)
    (watched.log.data_dir / PUBLISHED_FILE).write_bytes(kept)
    with pytest.raises(LogRolledBackError, match="witness has seen 4"):
        await check_log(watched.log)
    await record(watched.log, "another b")
    with pytest.raises(LogForkedError, match="witness"):  # as long, and another
        await advance_log(watched.log)
    made = await checkpoints(watched.log)
    assert [each.published_at is not None for each in made] == [True, False]


async def test_without_the_witness_it_would_not_be_found(watched: Watched, alone: Context) -> None:
    await watched.advance("a")
    kept = (alone.data_dir / PUBLISHED_FILE).read_bytes()
    await restore_state_after_next(watched.log)
    (alone.data_dir / PUBLISHED_FILE).write_bytes(kept)
    await check_log(alone)


async def test_only_what_the_log_signed_counts_against_it(watched: Watched) -> None:
    await watched.advance("a")
    head = parse_checkpoint(parse_note((await checkpoints(watched.log))[0].note.encode()).text)
    forged = format_checkpoint(replace(head, size=999)) + "\n— localhost:8000/log AAAAAAAAAAAAAAAA\n"
    watched.broken = Response(forged)
    await check_log(watched.log)


async def test_a_checkpoint_can_be_demanded_with_its_cosignature(watched: Watched) -> None:
    watched.broken = refuse(500)
    await watched.advance("a")
    report = await verify_stored(watched.log, cosigners=[watched.witness.key])
    assert report.problems == [f"checkpoint: The checkpoint is not cosigned by {NAME}."]
    watched.broken = None
    await watched.advance("b")
    assert (await verify_stored(watched.log, cosigners=[watched.witness.key])).problems == []
