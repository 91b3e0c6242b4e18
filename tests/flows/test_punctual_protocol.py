"""Half-sent requests end, others take their time."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from service.cli.punctual_protocol import PunctualProtocol, WholeAnswer

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 40000\r\n\r\n"
WINDOW_S = 0.8


class Hasty(PunctualProtocol):
    WINDOW_S = WINDOW_S
    LEAST_BYTES = 100


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body, after longer than a window."""
    request = Request(scope, receive)
    try:
        size = len(await request.body())
    except ClientDisconnect:
        return
    if "slow" in request.url.path:
        await asyncio.sleep(WINDOW_S * 1.5)
    await PlainTextResponse(str(size))(scope, receive, send)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(count, http=Hasty, lifespan="off", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    listener.close()


def exchange(port: int, *parts: bytes) -> bytes:
    """Send parts, each in a quarter of a window; return all that comes until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(WINDOW_S / 4)
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
            if b"connection: close" not in received and received.endswith(b"40000"):
                break
    return received


@pytest.mark.parametrize(
    "part", [b"", b"G", b"GET / HTTP/1.1\r\nhost: x\r\n", b"GET / HTTP/1.1\r\nx: " + b"a" * 30_000]
)
def test_a_request_without_its_head_is_ended(port: int, part: bytes) -> None:
    assert exchange(port, part).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("parts", [[HEAD], [HEAD + b"a"], [HEAD, b"a", b"a"]])
def test_a_body_that_stops_is_ended(port: int, parts: list[bytes]) -> None:
    assert exchange(port, *parts) == b""


def test_the_second_request_of_a_connection_is_awaited_no_longer(port: int) -> None:
    answered = exchange(port, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"GET / HT")
    assert (answered.count(b"HTTP/1.1 200"), answered.count(b"HTTP/1.1 408")) == (1, 1)


def test_a_body_may_take_several_windows_if_it_comes_on(port: int) -> None:
    answered = exchange(port, HEAD, *[b"a" * 5_000] * 8)
    assert answered.endswith(b"40000")


def test_an_answer_may_take_longer_than_a_window(port: int) -> None:
    slow = HEAD.replace(b"POST /", b"POST /slow")
    assert exchange(port, slow + b"a" * 40_000).endswith(b"40000")


class Written(asyncio.Transport):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.pieces.append(b"closed")


async def test_head_and_body_of_an_answer_are_one_write() -> None:
    transport = Written()
    answer = WholeAnswer(transport, asyncio.get_running_loop())
    for piece in (b"head", b" body", b" more"):
        answer.write(piece)
    assert transport.pieces == [b"head body", b" more"]


async def test_head_waits_no_longer_than_a_turn_of_the_loop() -> None:
    transport = Written()
    answer = WholeAnswer(transport, asyncio.get_running_loop())
    answer.write(b"head")
    assert transport.pieces == []
    await asyncio.sleep(0)
    answer.write(b"body")
    assert transport.pieces == [b"head", b"body"]


async def test_answer_without_a_body_leaves_before_its_connection_closes() -> None:
    transport = Written()
    answer = WholeAnswer(transport, asyncio.get_running_loop())
    answer.write(b"head")
    answer.close()
    await asyncio.sleep(0)
    assert transport.pieces == [b"head", b"closed"]
