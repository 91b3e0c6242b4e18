"""Answer HEAD wherever there is a GET, as HTTP asks of every server; routes declare GET alone."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Lets the GET be answered and keeps its body back. Source: RFC 9110, sections 9.1 and 9.3.2."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        asked = {**scope, "method": "GET", "sent_method": "HEAD"}  # DPoP proofs name the one that was sent
        await self._app(asked, receive, send_without_body)
        scope["route"] = asked.get("route")  # for the log line and the counters outside
