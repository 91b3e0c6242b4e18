"""A loopback address for the browser to come back to, open for one answer (RFC 8252, section 7.3)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.wallet.errors import UsageError

PATH = "/callback"
_MAX_LINE_BYTES = 16 * 1024
_READ_TIMEOUT_S = 10.0
_PAGE = b"<!doctype html><title>Done</title><p>You can close this page and return to your wallet."
_ANSWERS = {
    200: b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Content-Security-Policy: default-src 'none'\r\nReferrer-Policy: no-referrer\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE),
    404: b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
}


@dataclass(frozen=True, slots=True)
class Callback:
    """An open address; ``wait`` returns the whole address that the browser came to."""

    redirect_uri: str
    answer: "asyncio.Future[str]"

    async def wait(self, timeout_s: float) -> str:
        """Wait for the browser; raises UsageError if it doesn't come."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.answer
        except TimeoutError:
            raise UsageError("Nobody came back from the issuer's page in time.") from None


@asynccontextmanager
async def open_callback() -> AsyncIterator[Callback]:
    """Listen on a free loopback port until the block is left."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    origin = ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = await _read_target(reader)
            is_answer = target.partition("?")[0] == PATH
            writer.write(_ANSWERS[200 if is_answer else 404])
            await writer.drain()
            if is_answer and not answer.done():
                answer.set_result(origin + target)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a browser that opened a connection ahead, or something else that is no answer
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_MAX_LINE_BYTES)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield Callback(origin + PATH, answer)


async def _read_target(reader: asyncio.StreamReader) -> str:
    """Return path and query of a GET request; anything else reads as empty."""
    async with asyncio.timeout(_READ_TIMEOUT_S):
        line = (await reader.readuntil(b"\r\n")).decode("ascii")
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    method, target, _ = line.split(" ", 2)
    return target if method == "GET" else ""
