"""The log of a running service, judged by a program that shares no code with ours."""

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from service.cli.support import open_context
from service.credentials.signed_note import VerifierKey, format_vkey, parse_vkey
from service.log.history import PUBLISHED_FILE
from service.settings import Settings
from tests.flows.test_cli import Commands, free_port, serving
from tests.interop.go_support import LogChecker, build_log_checker
from tests.log_support import record

ENTRIES = 300  # more than a tile is wide, so that there are full tiles, partial ones and an upper level
PATIENCE_S = 20


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> LogChecker:
    return build_log_checker(tmp_path_factory.mktemp("go"))


@dataclass(frozen=True)
class Log:
    """A deployment and how a stranger reads its log."""

    commands: Commands
    vkey: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.commands.port}/log"

    @property
    def database(self) -> Path:
        return self.commands.data_dir / "goodstanding.sqlite3"

    def copy(self, folder: Path) -> "Log":
        """Copy the deployment, on which nothing runs; its address, and so the log's name, stays the same."""
        shutil.copytree(self.commands.data_dir, folder)
        return Log(Commands(folder, self.commands.port), self.vkey)

    def count_entries(self) -> int:
        with closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute("SELECT count(*) FROM audit_entry").fetchone()[0])

    def wait_until_published(self) -> int:
        """Wait until the checkpoint covers every entry; return how many that are."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = httpx2.get(f"{self.url}/checkpoint")
            if answer.status_code == 200 and int(answer.text.split("\n")[1]) == self.count_entries():
                return self.count_entries()
            time.sleep(0.05)
        raise AssertionError("the log did not catch up")

    def execute(self, statement: str, *values: object) -> list[tuple[int, int, bytes]]:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(statement, values).fetchall()


async def _record_many(commands: Commands) -> None:
    settings = Settings(data_dir=commands.data_dir, base_url=f"http://localhost:{commands.port}", _env_file=None)
    async with open_context(settings) as context:
        await record(context, *(f"entry {n}" for n in range(ENTRIES)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A deployment with a published log, on which nothing runs."""
    commands = Commands(tmp_path_factory.mktemp("log") / "data", free_port())
    seed = json.loads(commands.succeed("seed"))
    asyncio.run(_record_many(commands))
    log = Log(commands, seed["log"]["vkey"])
    with serving(commands):
        assert log.wait_until_published() > ENTRIES
    return log


@pytest.fixture
def log(made: Log, tmp_path: Path) -> Iterator[Log]:
    """A copy of it, running."""
    copy = made.copy(tmp_path / "data")
    with serving(copy.commands):
        yield copy


def add_entries(log: Log, name: str) -> int:
    log.commands.succeed("org", "create", name, "--slug", name, "--role", "issuer")
    return log.wait_until_published()


def test_a_growing_log_is_checked_and_continues(log: Log, checker: LogChecker, tmp_path: Path) -> None:
    seen = str(tmp_path / "seen")
    size = log.count_entries()
    code, said = checker.check(log.url, log.vkey, "-save", seen)
    assert (code, said.partition(" ")[0]) == (0, str(size))
    larger = add_entries(log, "later")
    code, said = checker.check(log.url, log.vkey, "-old", seen)
    assert (code, said.partition(" ")[0]) == (0, str(larger)), said


def test_one_flipped_byte_in_any_tile_or_bundle_is_found(log: Log, checker: LogChecker) -> None:
    tiles = log.execute("SELECT level, idx, data FROM log_tile")
    assert {(level, index) for level, index, _ in tiles} == {(-1, 0), (-1, 1), (0, 0), (0, 1), (1, 0)}
    write = "UPDATE log_tile SET data = ? WHERE level = ? AND idx = ?"
    for level, index, data in tiles:
        for place in (0, 1, 2, len(data) // 2, len(data) - 1):
            flipped = bytearray(data)
            flipped[place] ^= 1
            log.execute(write, bytes(flipped), level, index)
            code, said = checker.check(log.url, log.vkey)
            assert code == 1, (level, index, place, said)
        log.execute(write, data, level, index)
    assert checker.check(log.url, log.vkey)[0] == 0


def test_another_key_and_a_changed_head_are_refused(log: Log, checker: LogChecker) -> None:
    stranger = format_vkey(VerifierKey(parse_vkey(log.vkey).name, bytes(32)))
    assert checker.check(log.url, stranger)[0] == 1
    log.execute("UPDATE log_checkpoint SET note = replace(note, char(10) || tree_size || char(10), char(10) || '9')")
    assert checker.check(log.url, log.vkey)[0] == 1


def test_a_second_history_under_the_same_key_is_found(made: Log, checker: LogChecker, tmp_path: Path) -> None:
    """Whoever has the key and removes what was published can sign again; who saw the first head finds out."""
    rival = made.copy(tmp_path / "rival")
    seen = str(tmp_path / "seen")
    first = made.copy(tmp_path / "first")
    with serving(first.commands):
        size = add_entries(first, "first")
        assert checker.check(first.url, first.vkey, "-save", seen)[0] == 0
    (rival.commands.data_dir / PUBLISHED_FILE).unlink()
    with serving(rival.commands):
        code, said = checker.check(rival.url, rival.vkey, "-old", seen)
        assert (code, said) == (1, f"the log had {size} entries and has {made.count_entries()}\n")
        assert add_entries(rival, "second") == size
        assert checker.check(rival.url, rival.vkey)[0] == 0
        code, said = checker.check(rival.url, rival.vkey, "-old", seen)
    assert (code, "does not continue" in said) == (1, True), said


def test_a_log_that_does_not_answer_cannot_be_checked(made: Log, checker: LogChecker) -> None:
    assert checker.check(made.url, made.vkey)[0] == 2


@contextmanager
def witnessing(log: Log, home: Path, port: int) -> Iterator[str]:
    """Run a witness of the log as a process of its own; yields its verifier key."""
    options = ["--name", "witness.example/w1", "--log", log.vkey, "--home", str(home), "--port", str(port)]
    with log.commands.start("log", "witness", *options) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def read_missing(log: Log) -> list[str]:
    missing: list[str] = httpx2.get(f"http://localhost:{log.commands.port}/readyz").json()["witnesses_missing"]
    return missing


def test_a_second_process_cosigns_and_the_log_goes_on_without_it(
    made: Log, checker: LogChecker, tmp_path: Path
) -> None:
    log, port, home = made.copy(tmp_path / "data"), free_port(), tmp_path / "witness"
    with witnessing(log, home, port) as vkey:
        environment = {
            "GOODSTANDING_LOG_WITNESSES": f"{vkey} http://localhost:{port}",
            "GOODSTANDING_FETCH_ALLOW": f"localhost:{port}",
        }
    with serving(log.commands, **environment):
        add_entries(log, "first")
        assert read_missing(log) == ["witness.example/w1"]
        assert checker.check(log.url, log.vkey)[0] == 0
        assert checker.check(log.url, log.vkey, "-witness", vkey)[0] == 1
        with witnessing(log, home, port) as again:
            assert again == vkey
            add_entries(log, "second")
            assert read_missing(log) == []
            code, said = checker.check(log.url, log.vkey, "-witness", vkey)
            assert code == 0, said
            verified = log.commands.run("log", "verify", "--witness", vkey)
            assert verified[0] == 0, verified
        add_entries(log, "third")
        assert checker.check(log.url, log.vkey, "-witness", vkey)[0] == 1
