"""Refuse bodies that are too large before anybody reads them whole."""

import asyncio
import re
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import MalformedError
from service.web.problems import problem_of, problem_response

MAX_BODY_BYTES = 256 * 1024
MAX_FILE_BYTES = 10 << 20
_TAKES_A_FILE = re.compile(r"/(?:v1|console)/cases/[^/]+/evidence")
_PAGES = "/console/"
_FORM_BYTES = 64 * 1024  # what a form has beside its file
_DRAINED_BYTES = 32 << 20
_DRAINED_S = 10.0


class BodyTooLargeError(MalformedError):
    """The body is over 256 KiB, or a file over 10 MiB."""

    code = "body_too_large"


def _limit_of(scope: Scope) -> tuple[int, str]:
    if scope["method"] == "POST" and _TAKES_A_FILE.fullmatch(scope["path"]):
        return MAX_FILE_BYTES + _FORM_BYTES, "The file is over 10 MiB."
    return MAX_BODY_BYTES, "The body is over 256 KiB."


class BodyLimitMiddleware:
    """Counts the bytes of a body as they arrive; ``Content-Length`` is only a first hint."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, detail = _limit_of(scope)
        announced = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
        is_announced_too_large = announced.isdigit() and int(announced) > limit
        is_page = scope["path"].startswith(_PAGES)  # which say it in a page of their own, when they begin to read
        seen = 0
        started = ended = False

        async def counted_receive() -> Message:
            nonlocal seen, ended
            if is_announced_too_large:
                raise BodyTooLargeError(detail)
            message = await receive()
            seen += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if seen > limit:
                raise BodyTooLargeError(detail)
            return message

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            if is_announced_too_large and not is_page:
                raise BodyTooLargeError(detail)
            await self._app(scope, counted_receive, watched_send)
        except BodyTooLargeError as error:
            if started:
                raise
            answer = problem_response(problem_of(error), {"Connection": "close"})
            await (answer(scope, receive, send) if ended else _answer_first(answer, scope, receive, send))


async def _answer_first(answer: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, and read some of the rest: a connection that ends at once is reset before the answer is read."""

    async def send_but_the_end(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await answer(scope, receive, send_but_the_end)
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAINED_S):
            await _drain(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    drained, is_more = 0, True
    while is_more and drained < _DRAINED_BYTES:
        message = await receive()
        drained += len(message.get("body", b""))
        is_more = message.get("more_body", False)
