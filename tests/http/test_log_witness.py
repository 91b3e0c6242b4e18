"""The witness over HTTP: what it cosigns, what it refuses, and that it forgets nothing."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from service.credentials.cosignature import verify_cosignature
from service.credentials.signed_note import open_checkpoint, parse_note
from service.credentials.tlog_witness import format_add_checkpoint
from service.log.witness import STATE_FILE, Witness, WitnessSizeConflictError, WitnessStateError
from service.log.witness_api import create_witness_app
from tests.deployment import START, TestClock
from tests.witness_support import SmallLog

NAME = "witness.example/w1"
LOG = SmallLog()
FORK = SmallLog(leaf=b"other")
STRANGER = SmallLog("log.example/b")
IMPOSTOR = SmallLog(seed=2)


def open_witness(home: Path, name: str = NAME) -> Witness:
    return Witness(home, name=name, log_keys=[LOG.key], clock=TestClock())


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    witness = open_witness(tmp_path / "witness")
    yield witness
    witness.close()


@pytest.fixture
async def http(witness: Witness) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_witness_app(witness), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://witness") as http:
        yield http


async def submit(http: httpx2.AsyncClient, body: bytes) -> tuple[int, str]:
    answer = await http.post("/add-checkpoint", content=body)
    return answer.status_code, answer.text


async def read_newest(http: httpx2.AsyncClient, log: SmallLog = LOG) -> httpx2.Response:
    return await http.get(f"/{hashlib.sha256(log.key.name.encode()).hexdigest()}/checkpoint")


async def test_what_continues_is_cosigned_and_shown(http: httpx2.AsyncClient, witness: Witness) -> None:
    assert (await read_newest(http)).status_code == 404
    for old, new in ((0, 3), (3, 3), (3, 200)):
        status, line = await submit(http, LOG.ask(old, new))
        assert status == 200, line
        assert verify_cosignature(parse_note((LOG.sign(new) + line).encode()), witness.key) == START
    shown = (await read_newest(http)).content
    assert open_checkpoint(shown, [LOG.key]).size == 200
    assert verify_cosignature(parse_note(shown), witness.key) == START


async def test_another_size_than_the_last_is_told_that_size(http: httpx2.AsyncClient) -> None:
    await submit(http, LOG.ask(0, 5))
    for old, new in ((0, 5), (4, 6), (2, 3)):
        answer = await http.post("/add-checkpoint", content=LOG.ask(old, new))
        assert (answer.status_code, answer.text) == (409, "5\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"


async def test_the_witness_tells_its_size_to_those_who_run_it(witness: Witness) -> None:
    witness.add_checkpoint(LOG.ask(0, 5))
    with pytest.raises(WitnessSizeConflictError) as caught:
        witness.add_checkpoint(LOG.ask(4, 6))
    assert caught.value.size == 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (FORK.ask(5, 9), 422),
        (FORK.ask(5, 5), 422),
        (format_add_checkpoint(5, [], LOG.sign(9)), 422),
        (format_add_checkpoint(5, LOG.prove(5, 9)[:-1], LOG.sign(9)), 422),
        (format_add_checkpoint(5, [bytes(32)], LOG.sign(5)), 422),
        (format_add_checkpoint(9, [], LOG.sign(5)), 400),
        (STRANGER.ask(0, 5), 404),
        (IMPOSTOR.ask(5, 9), 403),
        (LOG.ask(5, 9).replace(b"\n9\n", b"\n8\n"), 403),
        (b"old 5\n\nno note", 400),
        (b"", 400),
        (b"old 5\n" + b"x" * 300_000, 413),
    ],
)
async def test_what_does_not_continue_is_refused(http: httpx2.AsyncClient, body: bytes, status: int) -> None:
    await submit(http, LOG.ask(0, 5))
    before = (await read_newest(http)).content
    answered, said = await submit(http, body)
    assert (answered, "—" in said) == (status, False)
    assert (await read_newest(http)).content == before


async def test_an_empty_log_has_one_root(http: httpx2.AsyncClient) -> None:
    assert (await submit(http, format_add_checkpoint(0, [], LOG.sign(0, root=bytes(32)))))[0] == 422
    assert (await submit(http, format_add_checkpoint(0, [bytes(32)], LOG.sign(3))))[0] == 422
    assert (await submit(http, LOG.ask(0, 0)))[0] == 200


async def test_a_restart_forgets_nothing(http: httpx2.AsyncClient, witness: Witness, tmp_path: Path) -> None:
    await submit(http, LOG.ask(0, 7))
    witness.close()
    again = open_witness(tmp_path / "witness")
    assert again.key == witness.key
    transport = httpx2.ASGITransport(app=create_witness_app(again))
    async with httpx2.AsyncClient(transport=transport, base_url="http://witness") as restarted:
        assert await submit(restarted, LOG.ask(0, 3)) == (409, "7\n")
        assert (await submit(restarted, LOG.ask(7, 8)))[0] == 200
    again.close()


async def test_what_cannot_be_remembered_is_not_cosigned(http: httpx2.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "witness" / STATE_FILE).unlink()
    (tmp_path / "witness" / STATE_FILE).mkdir()
    status, said = await submit(http, LOG.ask(0, 3))
    assert (status, "—" in said) == (500, False)


def test_a_directory_is_one_witness_in_one_process(witness: Witness, tmp_path: Path) -> None:
    with pytest.raises(WitnessStateError, match="already"):
        open_witness(tmp_path / "witness")
    witness.close()
    with pytest.raises(WitnessStateError, match=NAME):
        open_witness(tmp_path / "witness", "witness.example/other").close()


@pytest.mark.parametrize(
    "damage", ["{", "[]", "{}", '{"name": "w", "kid": "k", "public_key": "x", "notes": {"a": "b"}}']
)
def test_a_damaged_memory_is_not_taken_for_a_new_beginning(tmp_path: Path, damage: str) -> None:
    tmp_path.joinpath(STATE_FILE).write_text(damage)
    with pytest.raises(WitnessStateError, match="damaged"):
        open_witness(tmp_path)
