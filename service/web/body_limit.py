"""Refuse bodies that are too large before anybody reads them whole."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import MalformedError
from service.web.problems import problem_of, problem_response

MAX_BODY_BYTES = 256 * 1024


class BodyTooLargeError(MalformedError):
    """The body is over 256 KiB."""

    code = "body_too_large"


class BodyLimitMiddleware:
    """Counts the bytes of a body as they arrive; ``Content-Length`` is only a first hint."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
        seen = 0
        started = False

        async def counted_receive() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                raise BodyTooLargeError("The body is over 256 KiB.")
            return message

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
                raise BodyTooLargeError("The body is over 256 KiB.")
            await self._app(scope, counted_receive, watched_send)
        except BodyTooLargeError as error:
            if started:
                raise
            await problem_response(problem_of(error), {"Connection": "close"})(scope, receive, send)
