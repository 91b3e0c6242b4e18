"""A small receiver of webhooks: answers the challenge, verifies, and hands on what is authentic."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from service.cli.webhook_check import WebhookInvalidError, verify_webhook

_CHALLENGE = "webhook.challenge"
_MAX_BODY_BYTES = 64 * 1024
DUPLICATE = "again, with the same id"


class WebhookReceiver:
    """An ASGI application.

    Args:
        read_keys: Returns the keys that may sign; none yet while the endpoint is being made, whose secret comes with
            the answer: until then only challenges are answered.
        clock: Returns the present instant.
        show: Takes each message, with a remark where it was refused, or came before.
    """

    def __init__(
        self,
        read_keys: Callable[[], list[bytes]],
        clock: Callable[[], datetime],
        show: Callable[[dict[str, Any], str | None], None],
    ) -> None:
        self._read_keys, self._clock, self._show = read_keys, clock, show
        self._seen: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            response = await self._answer(Request(scope, receive))
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                return Response(status_code=413)
        message = _read(body)
        if request.method != "POST" or message is None:
            return Response(status_code=400)
        keys = self._read_keys()
        if not keys and message["type"] == _CHALLENGE:
            self._show(message, None)
            return _answer_challenge(message)
        try:
            message_id = verify_webhook(keys, dict(request.headers), body, now=self._clock())
        except WebhookInvalidError as error:
            self._show(message, f"refused: {error.detail}")
            return Response(status_code=401)
        if message["type"] == _CHALLENGE:
            self._show(message, None)
            return _answer_challenge(message)
        # A duplicate is answered like the first, so that it is not sent again.
        self._show(message, DUPLICATE if message_id in self._seen else None)
        self._seen.add(message_id)
        return Response(status_code=204)


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    is_message = isinstance(message, dict) and isinstance(message.get("type"), str)
    return message if is_message and isinstance(message.get("data"), dict) else None


def _answer_challenge(message: dict[str, Any]) -> Response:
    return JSONResponse({"challenge": message["data"].get("challenge")})
