"""Run the service and the wallet as processes of their own, as a user would."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import ServiceError
from service.fetch import Fetcher, FetchError
from service.settings import child_environment

START_TIMEOUT_S = 90.0


class DemoError(ServiceError):
    """A process of the demo did not do what it was asked."""

    code = "demo_failed"


@dataclass(frozen=True, slots=True)
class Finished:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the output as JSON."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise DemoError(f"No JSON but: {(self.err or self.out).strip()[-300:]}") from None


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def run_command(*arguments: str, settings: Mapping[str, str]) -> Finished:
    """Run ``python -m service <arguments>`` to its end with these settings."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(settings),
    )
    out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def _wait_until_ready(fetcher: Fetcher, base_url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(START_TIMEOUT_S):
        while process.returncode is None:
            try:
                if (await fetcher.get(f"{base_url}/readyz")).status == 200:
                    return
            except FetchError:
                pass  # not listening yet
            await asyncio.sleep(0.05)
    raise DemoError(f"The service did not start: {log.read_text()[-500:]}")


@asynccontextmanager
async def running_service(
    fetcher: Fetcher, settings: Mapping[str, str], log: Path, *options: str
) -> AsyncIterator[None]:
    """Run ``serve`` with these options until the block is left; its log goes to a file."""
    base_url = settings["GOODSTANDING_BASE_URL"]
    port = base_url.rpartition(":")[2]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            "serve",
            "--port",
            port,
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=child_environment(settings),
        )
        try:
            await _wait_until_ready(fetcher, base_url, process, log)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
