"""``log consistency`` and ``log receipt`` as a person runs them against a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.cli.log_proofs import ProofFileError, receipt
from service.credentials.signed_note import VerifierKey, format_vkey, parse_vkey
from tests.flows.test_cli import Commands, Here, free_port, here, serving

__all__ = ["here"]


class Log:
    """A running deployment, two checkpoints of its log, and the receipt of a decision."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.commands, self.folder = commands, folder
        self.url = f"http://localhost:{commands.port}"

    def ask(self, expected_code: int, *arguments: str | Path) -> Any:
        code, output, errors = self.commands.run("log", *map(str, arguments), "--json")
        assert code == expected_code, output + errors
        return json.loads(output)

    def save_checkpoint(self, name: str) -> Path:
        path = self.folder / name
        path.write_text(httpx2.get(f"{self.url}/log/checkpoint").text)
        return path


def fetch_receipt(log: Log, seed: dict[str, Any]) -> str:
    """Have a transfer decided and wait for its receipt."""
    platform = seed["organizations"]["platform"]
    auth = (platform["client_id"], platform["client_secret"])
    form = {"grant_type": "client_credentials", "scope": "gate compliance"}
    token = httpx2.post(f"{log.url}/oauth/token", data=form, auth=auth).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    body = {
        "security_id": platform["securities"]["demo"]["id"],
        "action": "primary",
        "seller": None,
        "buyer": {"investor_ref": "nobody"},
        "quantity": "1",
        "price": {"amount": "10.00", "currency": "USD"},
    }
    keyed = headers | {"Idempotency-Key": "once"}
    decided = httpx2.post(f"{log.url}/v1/transfers", json=body, headers=keyed)
    assert decided.status_code == 200, decided.text
    decision = decided.json()
    for _ in range(100):
        answer = httpx2.get(f"{log.url}/v1/transfers/{decision['id']}/receipt", headers=headers)
        if answer.status_code == 200:
            return answer.text
    raise AssertionError(answer.text)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    folder = tmp_path_factory.mktemp("proofs")
    log = Log(Commands(folder / "data", free_port()), folder)
    seed = json.loads(log.commands.succeed("seed"))
    with serving(log.commands):
        (folder / "vkey").write_text(seed["log"]["vkey"])
        log.ask(0, "verify")
        log.save_checkpoint("old")
        (folder / "receipt").write_text(fetch_receipt(log, seed))
        log.save_checkpoint("new")
        yield log


def test_a_later_checkpoint_continues_an_earlier_one(log: Log) -> None:
    found = log.ask(0, "consistency", log.folder / "old", log.folder / "new")
    assert found["valid"]
    assert 0 < found["old_size"] < found["new_size"]
    assert found["consistency_proof"]
    published = log.ask(0, "consistency", log.folder / "old", "--url", f"{log.url}/log/")
    assert published["new_size"] >= found["new_size"]
    code, said, _ = log.commands.run("log", "consistency", str(log.folder / "old"), str(log.folder / "new"))
    sentence = f"The log of {found['new_size']} entries begins with that of {found['old_size']}.\n"
    assert (code, said) == (0, sentence)


def test_an_earlier_checkpoint_continues_no_later_one(log: Log) -> None:
    found = log.ask(1, "consistency", log.folder / "new", log.folder / "old")
    assert (found["valid"], found["code"]) == (False, "consistency_proof_invalid")


def test_a_changed_checkpoint_is_refused(log: Log) -> None:
    changed = log.folder / "changed"
    origin, size, rest = (log.folder / "old").read_text().split("\n", 2)
    changed.write_text(f"{origin}\n{int(size) - 1}\n{rest}")
    assert log.ask(1, "consistency", changed)["code"] == "note_signature_invalid"


def test_a_receipt_leads_to_the_decision(log: Log) -> None:
    found = log.ask(0, "receipt", log.folder / "receipt")
    assert (found["kind"], found["index"] < found["size"]) == ("transfer.decided", True)


def test_a_receipt_with_a_key_asks_nobody(log: Log) -> None:
    vkey = (log.folder / "vkey").read_text()
    options = ["--url", "http://localhost:1/log", "--vkey", vkey]
    assert log.ask(0, "receipt", log.folder / "receipt", *options)["valid"]
    stranger = format_vkey(VerifierKey(parse_vkey(vkey).name, bytes(32)))
    found = log.ask(1, "receipt", log.folder / "receipt", "--vkey", stranger)
    assert found["code"] == "note_signature_invalid"


def test_a_changed_receipt_is_refused(log: Log) -> None:
    changed = log.folder / "changed-receipt"
    changed.write_text((log.folder / "receipt").read_text().replace('"deny"', '"permit"'))
    assert log.ask(1, "receipt", changed)["code"] == "inclusion_proof_invalid"


def test_what_cannot_be_read_is_named(log: Log, here: Here) -> None:
    (log.folder / "list").write_text("[]")
    assert "missing: No such file" in here.refuse(log.commands, "log", "consistency", str(log.folder / "missing"))
    with pytest.raises(ProofFileError):
        receipt(log.folder / "missing")
    assert "no JSON object" in here.refuse(log.commands, "log", "receipt", str(log.folder / "list"))
