"""The commands about webhooks: a receiver that runs as a process of its own, and what makes it hear something."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.__main__ import main
from service.composition import read_clock
from tests.deployment import PASSPHRASE, Deployment
from tests.events_support import Hooks, Receiver, let_call
from tests.flows.test_cli import free_port


async def read_line(process: Process) -> Any:
    assert process.stdout is not None
    return json.loads(await asyncio.wait_for(process.stdout.readline(), 60))


class Commands:
    """Runs commands on the test's deployment, in its process."""

    def __init__(self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        settings = deployment.settings
        self._capsys, self._patch = capsys, monkeypatch
        for name, value in (
            ("BASE_URL", settings.base_url),
            ("DATA_DIR", str(settings.data_dir)),
            ("DATABASE_URL", settings.database_url),
            ("KEY_PASSPHRASE", PASSPHRASE),
        ):
            monkeypatch.setenv(f"GOODSTANDING_{name}", value)

    async def run(self, *arguments: str) -> tuple[int, str]:
        self._patch.setattr(sys, "argv", ["goodstanding", "webhooks", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        printed = self._capsys.readouterr()
        code = ended.value.code or 0
        return int(code), printed.err.strip() if code else printed.out


async def test_a_receiver_on_the_command_line(
    sqlite_deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = Commands(sqlite_deployment, monkeypatch, capsys)
    hooks = Hooks(sqlite_deployment, await sqlite_deployment.add_organization("venue", "platform"), ("gate",))
    secret_file, port = tmp_path / "secret", free_port()
    listen = ("webhooks", "listen", "--port", str(port), "--secret-file", str(secret_file), "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", *listen, stdout=PIPE, stderr=PIPE, env=dict(os.environ)
    )
    try:
        assert process.stderr is not None
        assert f"port {port}".encode() in await asyncio.wait_for(process.stderr.readline(), 60)
        receiver = Receiver(base_url=f"http://localhost:{port}")
        let_call(sqlite_deployment, receiver)
        made = await hooks.make(receiver)
        assert (await read_line(process))["type"] == "webhook.challenge"
        secret_file.write_text(made["secret"])
        await check_messages(commands, hooks, process, receiver.url)
    finally:
        process.kill()
        await process.wait()


async def check_messages(commands: Commands, hooks: Hooks, process: Process, url: str) -> None:
    clock = hooks.deployment.clock
    clock.now = read_clock()
    code, printed = await commands.run("trigger", "transfer.settled", "--org", "venue", "--json")
    assert code == 0
    [delivery] = json.loads(printed)
    clock.now = read_clock()
    await hooks.advance()
    message = await read_line(process)
    assert (message["id"], message["type"], message["test"]) == (delivery["event_id"], "transfer.settled", True)
    assert (await commands.run("resend", delivery["id"]))[0] == 0
    clock.now = read_clock()
    await hooks.advance()
    again = await read_line(process)
    assert (again["id"], again["remark"]) == (message["id"], "again, with the same id")
    async with httpx2.AsyncClient() as http:
        assert (await http.post(url, content=json.dumps(message))).status_code == 401
    assert (await read_line(process))["remark"].startswith("refused: ")
    nobody = await commands.run("trigger", "credential.issued", "--org", "venue")
    assert nobody[0] == 2
    assert nobody[1].startswith("error: No active endpoint gets events of this type.")
    assert "there are case.approved, " in (await commands.run("trigger", "transfer.decide", "--org", "venue"))[1]
    assert await commands.run("resend", "dlv_none") == (2, "error: No such delivery.")
