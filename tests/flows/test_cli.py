"""The commands as a person runs them: own processes, a data directory, and over a real server."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509

from service import __version__
from service.__main__ import main
from service.keys import FileKeystore
from tests.certificate_support import new_root, to_pem

STARTUP_S = 60
SHUTDOWN_S = 20


class Commands:
    """Runs commands on one data directory."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.port = port
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("GOODSTANDING_")}
        self.environment |= {
            "GOODSTANDING_DATA_DIR": str(data_dir),
            "GOODSTANDING_BASE_URL": f"http://localhost:{port}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "service", *arguments],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        with self.start(*arguments, **environment) as process:
            output, errors = process.communicate(timeout=STARTUP_S)
        return process.returncode, output, errors

    def succeed(self, *arguments: str) -> str:
        code, output, errors = self.run(*arguments)
        assert (code, errors) == (0, ""), errors
        return output

    def settings(self) -> dict[str, str]:
        return {name: value for name, value in self.environment.items() if name.startswith("GOODSTANDING_")}

    def read(self, *arguments: str) -> Any:
        return json.loads(self.succeed(*arguments, "--json"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def empty(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "data", free_port())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """One deployment for the tests that only add to it."""
    commands = Commands(tmp_path_factory.mktemp("cli") / "data", free_port())
    commands.succeed("init")
    commands.succeed("org", "create", "Acme [bold]KYC[/bold]\x1b[31m", "--slug", "acme", "--role", "issuer")
    return commands


def wait_until_ready(process: subprocess.Popen[str], url: str) -> None:
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx2.get(url, timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[1])


@contextmanager
def serving(commands: Commands, *arguments: str, ready_port: int | None = None, **environment: str) -> Iterator[str]:
    """Run ``serve`` and yield its origin; it must end in peace when told to."""
    with commands.start("serve", *arguments, **environment) as process:
        try:
            wait_until_ready(process, f"http://127.0.0.1:{ready_port or commands.port}/readyz")
            yield f"http://127.0.0.1:{commands.port}"
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=SHUTDOWN_S)
        assert "Traceback" not in errors


class Here:
    """Runs commands in the test's own process, where a start costs nothing: for what ends early."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def refuse(self, commands: Commands, *arguments: str, **environment: str) -> str:
        """Run a command that cannot be done; return the one line that says why."""
        for name, value in (commands.settings() | environment).items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(sys, "argv", ["goodstanding", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        assert (ended.value.code, printed.out) == (2, "")
        (line,) = printed.err.splitlines()
        return line


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capsys)


def test_init_can_be_repeated(empty: Commands) -> None:
    first, keys = empty.read("init"), empty.read("keys", "list")
    assert first == {"base_url": f"http://localhost:{empty.port}", "database": "sqlite"}
    assert empty.read("init") == first
    assert empty.read("keys", "list") == keys
    listed = [(key["org"], key["purpose"], key["retired_at"]) for key in keys]
    assert listed == [("system", "access", None), ("system", "log", None)]
    assert (empty.data_dir / "passphrase").stat().st_mode & 0o777 == 0o600


def test_version(empty: Commands) -> None:
    assert empty.succeed("--version") == f"goodstanding {__version__}\n"
    assert not empty.data_dir.exists()


def test_names_are_printed_as_text(template: Commands) -> None:
    printed = template.succeed("org", "list")
    assert "Acme [bold]KYC[/bold]\N{REPLACEMENT CHARACTER}[31m" in printed
    assert "\x1b" not in printed
    (described,) = [found for found in template.read("org", "list") if found["slug"] == "acme"]
    assert described["did"] == f"did:web:localhost%3A{template.port}:issuers:acme"


def _list_keys(commands: Commands) -> list[dict[str, str]]:
    return [key for key in commands.read("keys", "list", "--org", "acme") if key["purpose"] == "issuer"]


def test_client_gets_a_token_and_rotated_keys_stay_published(template: Commands) -> None:
    client = template.read("org", "client", "acme", "--scope", "issuer", "--scope", "audit")
    before = {key["kid"] for key in _list_keys(template)}
    with serving(template) as origin:
        made = template.read("keys", "rotate", "--org", "acme", "--purpose", "issuer")
        template.read("keys", "rotate", "--org", "system", "--purpose", "access")
        auth = (client["client_id"], client["client_secret"])
        token = httpx2.post(f"{origin}/oauth/token", data={"grant_type": "client_credentials"}, auth=auth)
        document = httpx2.get(f"{origin}/issuers/acme/did.json").json()
        wrong = httpx2.post(f"{origin}/oauth/token", data={"grant_type": "client_credentials"}, auth=(auth[0], "x"))
        resolved = template.read("did", "resolve", document["id"])
    assert token.status_code == 200
    assert sorted(token.json()["scope"].split()) == ["audit", "issuer"]
    assert wrong.status_code == 401
    assert {method["id"].partition("#")[2] for method in document["verificationMethod"]} == before | {made["kid"]}
    assert resolved == document
    listed = _list_keys(template)
    assert [key["kid"] for key in listed if key["retired_at"] is None] == [made["kid"]]
    assert {key["kid"] for key in listed if key["published_until"]} == before


def test_a_key_is_certified(template: Commands, here: Here, tmp_path: Path) -> None:
    template.succeed("org", "create", "Certified", "--slug", "certified", "--role", "issuer")
    options = ("--org", "certified", "--purpose", "issuer")
    request = x509.load_pem_x509_csr(template.succeed("keys", "request-certificate", *options).encode())
    root = new_root(datetime.now(UTC))
    files = {"leaf.pem": to_pem(root.certify(request.public_key(), dns=["localhost"])), "root.pem": root.pem}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    chain = str(tmp_path / "leaf.pem")
    assert "ends without a root" in here.refuse(template, "keys", "import-certificate", chain, *options)
    assert "cannot be read" in here.refuse(template, "keys", "import-certificate", "nowhere.pem", *options)
    kept = template.read("keys", "import-certificate", chain, *options, "--anchor", str(tmp_path / "root.pem"))
    (listed,) = (each for each in template.read("keys", "list", "--org", "certified") if each["purpose"] == "issuer")
    assert kept == listed
    assert listed["certified_until"] is not None


def _count_reads_of_keys(operators: str) -> str:
    wanted = 'goodstanding_http_requests_total{method="GET",route="/issuers/{slug}/jwks",status="200"} '
    lines = httpx2.get(f"{operators}/metrics").text.splitlines()
    return next(line.removeprefix(wanted) for line in lines if line.startswith(wanted))


def test_a_client_with_keys_has_no_secret(template: Commands, tmp_path: Path) -> None:
    key = FileKeystore(tmp_path / "keys", "p").create_key("ES256")
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [dict(key.jwk)]}))
    client = template.read("org", "client", "acme", "--scope", "issuer", "--jwks", str(keys))
    assert client.keys() == {"client_id", "scopes"}
    keys.write_text("[]")
    code, _, errors = template.run("org", "client", "acme", "--scope", "issuer", "--jwks", str(keys))
    assert (code, "JWK Set" in errors) == (2, True)


def test_several_workers_and_a_port_for_operators(template: Commands) -> None:
    admin_port = free_port()
    operators = f"http://127.0.0.1:{admin_port}"
    environment = {"GOODSTANDING_ADMIN_PORT": str(admin_port), "GOODSTANDING_WORKERS": "2"}
    with serving(template, ready_port=admin_port, **environment) as origin:
        for path in ("/livez", "/readyz", "/metrics"):
            assert httpx2.get(operators + path).status_code == 200
            assert httpx2.get(origin + path).status_code == 404
        assert httpx2.get(f"{origin}/issuers/acme/did.json").status_code == 200
        assert httpx2.get(f"{operators}/issuers/acme/did.json").status_code == 404
        for _ in range(20):
            httpx2.get(f"{origin}/issuers/acme/jwks")
        assert {_count_reads_of_keys(operators) for _ in range(10)} == {"20.0"}  # whichever worker answers


def test_workers_end_with_a_supervisor_that_was_killed(template: Commands) -> None:
    with template.start("serve", "--workers", "2") as process:
        wait_until_ready(process, f"http://127.0.0.1:{template.port}/readyz")
        process.kill()
        process.communicate(timeout=SHUTDOWN_S)  # the workers hold the pipes open until they end
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{template.port}/livez")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["org", "client", "nobody", "--scope", "issuer"], "No organisation has this slug."),
        (["org", "client", "acme", "--scope", "gate"], "scopes:"),
        (["org", "create", "Second", "--slug", "acme", "--role", "issuer"], "Another organisation has this slug."),
        (["org", "create", "System", "--slug", "system", "--role", "issuer"], "slug:"),
        (["keys", "rotate", "--org", "acme", "--purpose", "gate"], "no active key for this purpose"),
        (["keys", "rotate", "--org", "acme", "--purpose", "other"], "purpose:"),
        (["keys", "request-certificate", "--org", "acme", "--purpose", "log"], "purpose:"),
        (["did", "resolve", "did:web:127.0.0.1"], "did:web"),
        (["did", "resolve", "did:ion:abc"], "Only these DID methods"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    template: Commands, here: Here, arguments: list[str], words: str
) -> None:
    assert words in here.refuse(template, *arguments)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("KEY_PASSPHRASE", "not the right one", "Wrong passphrase"),
        ("DATABASE_URL", "sqlite+aiosqlite:////proc/nowhere/db.sqlite3", "does not answer"),
        ("DATABASE_URL", "postgresql+asyncpg://u:hidden@127.0.0.1:1/x", "does not answer"),
        ("DATA_DIR", "/proc/nowhere", "GOODSTANDING_DATA_DIR cannot be used"),
        ("WORKERS", "many", "GOODSTANDING_WORKERS"),
    ],
)
@pytest.mark.parametrize("command", [["org", "list"], ["serve"]])
def test_unusable_setting_is_said_in_one_line(
    template: Commands, here: Here, command: list[str], name: str, value: str, words: str
) -> None:
    line = here.refuse(template, *command, **{f"GOODSTANDING_{name}": value})
    assert words in line
    assert value not in line


@pytest.mark.parametrize("command", [["serve"], ["org", "list"]])
def test_outdated_schema_is_said_in_one_line(
    template: Commands, here: Here, tmp_path: Path, command: list[str]
) -> None:
    older = tmp_path / "older.sqlite3"
    with closing(sqlite3.connect(older)) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR)")
        database.execute("INSERT INTO alembic_version VALUES ('0000')")
        database.commit()
    line = here.refuse(template, *command, GOODSTANDING_DATABASE_URL=f"sqlite+aiosqlite:///{older}")
    assert "python -m service init" in line


def test_serve_needs_free_ports(template: Commands, here: Here) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Cannot listen on 127.0.0.1 port {port}" in here.refuse(template, "serve", "--port", port)
    assert "GOODSTANDING_ADMIN_PORT" in here.refuse(template, "serve", GOODSTANDING_ADMIN_PORT=str(template.port))


def test_error_ends_the_process_with_2(template: Commands) -> None:
    code, output, errors = template.run("org", "list", GOODSTANDING_KEY_PASSPHRASE="not the right one")
    assert (code, output) == (2, "")
    assert errors == "error: Wrong passphrase, or the stored value was altered.\n"
