"""Independent parties in Node.js, and one deployment of ours, each a process of its own."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.demo.client import OrganizationClient
from service.demo.processes import Finished, run_command
from service.fetch import Fetcher
from tests.requirements_support import require_or_skip, require_program

FOLDER = Path(__file__).parent
OLDEST_NODE = 18
START_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Node:
    """How to run the scripts of this folder."""

    command: tuple[str, ...]

    async def run(self, script: str, function: str, **values: Any) -> dict[str, Any]:
        """Call one function of a script with ``values`` as its JSON argument; return its JSON result."""
        process = await asyncio.create_subprocess_exec(
            *self.command,
            script,
            function,
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate(json.dumps(values).encode())
        assert process.returncode == 0, err.decode()
        result: dict[str, Any] = json.loads(out)
        return result

    async def verify(self, *credentials: str, type_metadata: str | None = None) -> list[dict[str, Any]]:
        """Have independent code judge credentials: ``valid`` with ``payload``, or ``error``."""
        more = {} if type_metadata is None else {"typeMetadata": type_metadata}
        results: list[dict[str, Any]] = (await self.run("wallet.mjs", "verify", credentials=credentials, **more))[
            "results"
        ]
        return results

    @asynccontextmanager
    async def serving(self, script: str, port: int) -> AsyncIterator[str]:
        """Run a server until the block is left; yields its address."""
        process = await asyncio.create_subprocess_exec(
            *self.command, script, str(port), cwd=FOLDER, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            first = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
            assert first == b"ready\n", "the server did not start"
            yield f"http://localhost:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def find_node() -> Node:
    """Return the installed Node.js, or end the test because it or its libraries are missing."""
    program = require_program("node", package="nodejs")
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=20)
    major = int(answer.stdout.lstrip("v").partition(".")[0])
    if major < OLDEST_NODE:
        require_or_skip("nodejs", f"version {OLDEST_NODE} or later is needed, {answer.stdout.strip()} was found")
    if not (FOLDER / "node_modules" / ".package-lock.json").exists():
        require_or_skip("the test libraries", "run npm ci --ignore-scripts --prefix tests/interop")
    # Before version 19, Web Crypto is a global only on request.
    return Node((program, "--no-warnings", *(["--experimental-global-webcrypto"] if major < 19 else [])))


@dataclass(frozen=True)
class Deployment:
    """A running service of ours with the seeded organisations."""

    settings: Mapping[str, str]
    folder: Path
    fetcher: Fetcher
    seed: Mapping[str, Any]

    @property
    def base_url(self) -> str:
        return self.settings["GOODSTANDING_BASE_URL"]

    @property
    def kyc(self) -> OrganizationClient:
        return self._client("kyc", "issuer")

    @property
    def accreditor(self) -> OrganizationClient:
        return self._client("accreditor", "issuer")

    @property
    def platform(self) -> OrganizationClient:
        return self._client("platform", "verifier")

    def _client(self, name: str, scope: str) -> OrganizationClient:
        # A new one each time: a client keeps its access token, which may end before a slow run does.
        return OrganizationClient(self.fetcher, self.base_url, self.seed["organizations"][name], scope)

    async def fetch_json(self, url: str) -> Any:
        answer = await self.fetcher.get(url)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    async def run(self, *arguments: str) -> Any:
        """Run one of our commands, which has to succeed, and return the JSON that it printed."""
        finished = await run_command(*arguments, "--json", settings=self.settings)
        assert finished.code == 0, finished.err
        return finished.json()

    async def add_issuer(self, slug: str) -> OrganizationClient:
        """Create a KYC provider of the test's own."""
        await self.run("org", "create", slug, "--slug", slug, "--role", "issuer", "--attester-class", "kyc_provider")
        client = await self.run("org", "client", slug, "--scope", "issuer")
        return OrganizationClient(self.fetcher, self.base_url, client, "issuer")

    async def ask_wallet(self, home: Path, *arguments: str) -> Finished:
        """Run our command-line wallet."""
        return await run_command("wallet", *arguments, "--home", str(home), "--json", settings=self.settings)


def new_fetcher() -> Fetcher:
    """Return a client for loopback that is patient with a busy machine."""
    return Fetcher(allow_loopback=True, timeout=20)


@dataclass(frozen=True)
class NodeParty:
    """A server in Node.js; ``/control/...`` is how the test talks to whoever runs it."""

    base_url: str
    fetcher: Fetcher

    async def control(self, name: str, **values: Any) -> Any:
        answer = await self.fetcher.post(f"{self.base_url}/control/{name}", json=values)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


def make_settings(folder: Path, port: int, allowed_port: int) -> dict[str, str]:
    """Settings of a deployment that may also fetch from one other loopback port."""
    return {
        "GOODSTANDING_BASE_URL": f"http://localhost:{port}",
        "GOODSTANDING_DATA_DIR": str(folder / "data"),
        "GOODSTANDING_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'data' / 'interop.sqlite3'}",
        "GOODSTANDING_FETCH_ALLOW": f"localhost:{allowed_port}",
    }
