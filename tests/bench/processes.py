"""Servers as processes of their own, and what they weigh."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.load import Connection

START_TIMEOUT_S = 60.0


@asynccontextmanager
async def running_server(
    arguments: Sequence[str], environment: Mapping[str, str], *, probe: str, log: Path
) -> AsyncIterator[int]:
    """Run a Python server until the block is left; yields its process id once it is ready.

    Args:
        arguments: Of the interpreter.
        environment: On top of ours.
        probe: Address that answers 200 when the server is ready.
        log: File for what it prints.

    Raises:
        RuntimeError: It ended or took too long, with the end of its log.
    """
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
        )
    try:
        await _wait_until_ready(process, probe, log)
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_until_ready(process: asyncio.subprocess.Process, probe: str, log: Path) -> None:
    base_url, _, path = probe.rpartition("/")
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while process.returncode is None:
                if await _answers(base_url, f"/{path}"):
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    raise RuntimeError(f"a server did not start: {log.read_text()[-2000:]}")


async def _answers(base_url: str, path: str) -> bool:
    connection = Connection(base_url)
    try:
        return (await connection.request("GET", path)).status == 200
    except (OSError, asyncio.IncompleteReadError):
        return False
    finally:
        connection.close()


def read_resident_mb(pid: int) -> float | None:
    """Return how much memory a process holds now, in MB; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    [line] = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024 / 1e6
