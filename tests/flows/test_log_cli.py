"""``log verify`` as a person runs it, over a real server and on the database."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from service.cli.log import LogSourceUnclearError, verify
from service.cli.log_state import LogStateError
from service.credentials.signed_note import VerifierKey, format_vkey
from service.fetch import Fetcher
from service.log.sources import LogUnreachableError, RemoteLog, fetch_verifier_key
from tests.flows.test_cli import Commands, Here, free_port, here, serving
from tests.loopback import Party
from tests.loopback import serving as serving_app

__all__ = ["here"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A deployment with a published log, on which nothing runs any more."""
    commands = Commands(tmp_path_factory.mktemp("log") / "data", free_port())
    document = json.loads(commands.succeed("seed"))
    assert document["log"]["url"] == f"http://localhost:{commands.port}/log"
    with serving(commands):
        answer = read(commands, 0, "log", "verify")
        assert (answer["valid"], answer["problems"]) == (True, [])
        seen = json.loads((commands.data_dir / "log-seen.json").read_text())
        assert seen[document["log"]["url"]]["vkeys"] == [document["log"]["vkey"]]
        commands.succeed("org", "create", "Later", "--slug", "later", "--role", "issuer")
        later = read(commands, 0, "log", "verify", "--url", f"{document['log']['url']}/")
        assert later["size"] >= answer["size"]
        stranger = format_vkey(VerifierKey(document["log"]["vkey"].partition("+")[0], bytes(32)))
        assert "known key" in read(commands, 1, "log", "verify", "--vkey", stranger)["problems"][0]
    return commands


def read(commands: Commands, expected_code: int, *arguments: str) -> Any:
    code, output, errors = commands.run(*arguments, "--json")
    assert code == expected_code, output + errors
    return json.loads(output)


def execute(commands: Commands, statement: str) -> None:
    with closing(sqlite3.connect(commands.data_dir / "goodstanding.sqlite3")) as connection, connection:
        connection.execute(statement)


def test_the_database_is_checked_record_by_record(served: Commands) -> None:
    assert read(served, 0, "log", "verify", "--database")["valid"]
    execute(served, "UPDATE audit_entry SET record = replace(record, 'Later', 'Sooner') WHERE idx IS NOT NULL")
    execute(served, "UPDATE audit_entry SET kind = 'organization.changed' WHERE idx = 0")
    code, output, _ = served.run("log", "verify", "--database")
    assert (code, output.splitlines()[0].partition(":")[0]) == (1, "entry 0")


def test_a_database_older_than_what_was_published_is_found(served: Commands) -> None:
    published = served.data_dir / "log-checkpoint"
    kept = published.read_text()
    origin, _, rest = kept.split("\n", 2)
    published.write_text(f"{origin}\n99999\n{rest}")
    problems = read(served, 1, "log", "verify", "--database")["problems"]
    published.write_text(kept)
    assert "checkpoint: 99999 entries were published." in problems


def test_a_log_that_does_not_answer_cannot_be_checked(served: Commands, here: Here) -> None:
    assert "did not answer" in here.refuse(served, "log", "verify")


def test_what_cannot_be_checked_is_named(served: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in served.settings().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LogSourceUnclearError):
        verify(database=True, url="http://localhost/log")
    for damaged in ("[]", "{", '{"database": 1}', '{"database": {"checkpoint": "x"}}'):
        (tmp_path / "state").write_text(damaged)
        with pytest.raises(LogStateError):
            verify(database=True, state=tmp_path / "state")


async def test_an_address_without_a_log_cannot_be_checked() -> None:
    fetcher, nothing = Fetcher(allow_loopback=True), Party()
    with serving_app(lambda _base_url: nothing) as base_url:
        with pytest.raises(LogUnreachableError, match="names no key"):
            await fetch_verifier_key(fetcher, f"{base_url}/log")
        nothing.routes["/log/checkpoint"] = Response(status_code=500)
        with pytest.raises(LogUnreachableError, match="answers 500"):
            await RemoteLog(fetcher, f"{base_url}/log").read_checkpoint()
    await fetcher.close()
