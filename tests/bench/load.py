"""A small HTTP/1.1 load generator: keep-alive connections, so many clients, so many requests."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of requests showed: requests per second, latencies in seconds."""

    rate: float
    p50: float
    p99: float


class Connection:
    """One keep-alive connection to a loopback server."""

    def __init__(self, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc
        self._port = urlsplit(base_url).port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        return Reply(int(head.split(" ", 2)[1]), await reader.readexactly(length))

    async def send_json(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
        sent = {"Content-Type": "application/json"} | dict(headers or {})
        return await self.request(method, path, json.dumps(body).encode(), sent)

    async def send_form(self, path: str, form: str, headers: Mapping[str, str] | None = None) -> Reply:
        sent = {"Content-Type": "application/x-www-form-urlencoded"} | dict(headers or {})
        return await self.request("POST", path, form.encode(), sent)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a load run; ``make`` gives body and headers of the n-th one."""

    method: str
    path: str
    make: Callable[[int], tuple[bytes, Mapping[str, str]]]
    expected_status: int = 200


async def run_load(base_url: str, call: Call, *, clients: int, requests: int) -> Load:
    """Send ``requests`` requests over ``clients`` connections; any unexpected status ends the benchmark."""
    numbers = iter(range(requests))
    latencies: list[float] = []

    async def work() -> None:
        connection = Connection(base_url)
        for number in numbers:
            body, headers = call.make(number)
            started = time.perf_counter()
            reply = await connection.request(call.method, call.path, body, headers)
            latencies.append(time.perf_counter() - started)
            if reply.status != call.expected_status:
                raise RuntimeError(f"{call.path}: {reply.status} {reply.body[:300]!r}")
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return summarize(latencies, time.perf_counter() - started)


def summarize(latencies: Sequence[float], seconds: float) -> Load:
    """Return rate and percentiles of latencies that were measured within ``seconds``."""
    ordered = sorted(latencies)
    return Load(
        rate=len(ordered) / seconds,
        p50=ordered[len(ordered) // 2],
        p99=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
    )
