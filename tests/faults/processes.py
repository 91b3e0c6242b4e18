"""Service processes that a test may kill: ``serve`` as operators run it, several of them on one database."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from service.demo.processes import free_port

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 120.0
SERVE = ("-m", "service", "serve", "--workers", "1")


class ServiceDiedError(Exception):
    """A service process ended without being told to."""


class ServiceProcess:
    """One process of the service; killed and started again at the same address.

    Args:
        settings: ``GOODSTANDING_*`` values, shared by every process of a deployment.
        log: File that its output is appended to.
        command: What to run in place of ``serve``; ``--port`` is added.
    """

    def __init__(self, settings: Mapping[str, str], log: Path, *, command: Sequence[str] = SERVE) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = dict(settings)
        self._log = log
        self._command = (sys.executable, *command, "--port", str(self.port))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> float:
        """Start it and wait until it is ready; return how many seconds that took."""
        started = time.monotonic()
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._settings},
            )
        await self.wait_until_ready()
        return time.monotonic() - started

    async def wait_until_ready(self, *, within_s: float = START_TIMEOUT_S) -> float:
        """Wait for ``/readyz`` to answer 200; return how many seconds that took.

        Raises:
            ServiceDiedError: The process ended.
            TimeoutError: It is not ready in time.
        """
        started = time.monotonic()
        async with asyncio.timeout(within_s), httpx2.AsyncClient(base_url=self.url) as http:
            while not await _is_ready(http):
                if self._process is not None and self._process.returncode is not None:
                    raise ServiceDiedError(self.read_log()[-2000:])
                await asyncio.sleep(0.05)
        return time.monotonic() - started

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """End it without warning, as ``kill -9`` does."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> None:
        """Let it finish what it does, and end."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), timeout=20)
            except TimeoutError:
                await self.kill()

    def read_log(self) -> str:
        """Return what every process at this address has printed."""
        return self._log.read_text("utf-8", "replace")


async def _is_ready(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz", timeout=3)).status_code == 200
    except httpx2.HTTPError:
        return False  # not listening yet
