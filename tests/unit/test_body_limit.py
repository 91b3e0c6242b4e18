"""What is too large is answered in time to be read, and not for ever."""

from collections.abc import Iterator
from typing import Any

import pytest

from service.web.body_limit import BodyLimitMiddleware

CHUNK = b"x" * (1 << 20)


async def swallow(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass


async def upload(chunks: int, headers: list[tuple[bytes, bytes]]) -> list[str]:
    """Send chunks of 1 MiB; returns what happened in its order, each chunk as ``in`` and each message as ``out``."""
    happened: list[str] = []
    left: Iterator[int] = iter(range(chunks - 1, -1, -1))

    async def receive() -> dict[str, Any]:
        happened.append("in")
        return {"type": "http.request", "body": CHUNK, "more_body": next(left) > 0}

    async def send(message: dict[str, Any]) -> None:
        happened.append(f"out {message.get('status', message.get('more_body', False))}")

    scope = {"type": "http", "method": "POST", "path": "/v1/cases/case_1/evidence", "headers": headers}
    await BodyLimitMiddleware(swallow)(scope, receive, send)
    return happened


@pytest.mark.parametrize(
    ("headers", "before"), [([(b"content-length", b"11534336")], 0), ([(b"transfer-encoding", b"chunked")], 11)]
)
async def test_the_rest_is_read_after_the_answer(headers: list[tuple[bytes, bytes]], before: int) -> None:
    happened = await upload(14, headers)
    answered = [*["in"] * before, "out 413", "out True", *["in"] * (14 - before), "out False"]
    assert happened == answered


async def test_no_more_than_so_much_is_read() -> None:
    happened = await upload(200, [(b"content-length", b"209715200")])
    assert (happened.count("in"), happened[-1]) == (32, "out False")


async def test_nothing_is_waited_for_when_all_has_come() -> None:
    assert await upload(11, []) == [*["in"] * 11, "out 413", "out False"]
