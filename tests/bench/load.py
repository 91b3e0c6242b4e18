"""A small HTTP/1.1 load generator: keep-alive connections, so many clients, so many seconds."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One keep-alive connection to a loopback server."""

    def __init__(self, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc
        self._port = urlsplit(base_url).port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"", headers: Headers | None = None) -> Reply:
        """Send one request and read its answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        return Reply(int(head.split(" ", 2)[1]), await reader.readexactly(length))

    async def send_json(self, method: str, path: str, body: Any, headers: Headers | None = None) -> Reply:
        """Send a JSON body."""
        sent = {"Content-Type": "application/json"} | dict(headers or {})
        return await self.request(method, path, json.dumps(body).encode(), sent)

    async def send_form(self, path: str, form: str, headers: Headers | None = None) -> Reply:
        """POST a form."""
        sent = {"Content-Type": "application/x-www-form-urlencoded"} | dict(headers or {})
        return await self.request("POST", path, form.encode(), sent)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


Work = Callable[[Connection, int], Any]
"""Does the n-th piece of work over a connection; awaited."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round showed: the seconds that each piece of work took, and those that they took together."""

    latencies: Sequence[float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a load run; ``make`` gives body and headers of the n-th one.

    Attributes:
        proof: What an answer must contain, so that no refusal is counted as work.
        proofs: How often.
    """

    path: str
    make: Callable[[int], tuple[bytes, Headers]]
    proof: bytes = b""
    proofs: int = 1

    async def __call__(self, connection: Connection, number: int) -> None:
        """Send the n-th request.

        Raises:
            RuntimeError: Any other answer than the expected one.
        """
        body, headers = self.make(number)
        reply = await connection.request("POST", self.path, body, headers)
        if reply.status != 200 or (self.proof and reply.body.count(self.proof) != self.proofs):
            raise RuntimeError(f"{self.path}: {reply.status} {reply.body[:2000]!r}")


async def run_load(base_url: str, work: Work, *, clients: int, seconds: float) -> Sample:
    """Let ``clients`` connections repeat the work until the time is up; what has begun is finished and counted."""
    numbers, latencies = count(), []
    started = time.perf_counter()

    async def repeat() -> None:
        connection = Connection(base_url)
        try:
            while (begun := time.perf_counter()) - started < seconds:
                await work(connection, next(numbers))
                latencies.append(time.perf_counter() - begun)
        finally:
            connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(repeat())
    return Sample(latencies, time.perf_counter() - started)


def json_call(path: str, body: Any, headers: Headers | None = None, proof: bytes = b"") -> Call:
    """Return a call that sends the same body every time."""
    raw = json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    return Call(path, lambda _number: (raw, sent), proof)
