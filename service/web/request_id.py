"""One id per request, echoed, logged, and the ``instance`` of problem documents."""

import re
import secrets
import time
from contextvars import ContextVar
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
_ACCEPTED = re.compile(rb"[A-Za-z0-9_.-]{1,128}")
_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_request_id: ContextVar[str] = ContextVar("request_id", default="")
_log = structlog.get_logger(__name__)

REQUESTS = Counter("goodstanding_http_requests_total", "Answered requests.", ["method", "route", "status"])
LATENCY = Histogram("goodstanding_http_request_seconds", "Time to answer.", ["method", "route"])


@lru_cache(maxsize=4096)  # finding them by their labels takes as long as counting
def _find_metrics(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), LATENCY.labels(method, route)


def get_request_id() -> str:
    """Return the id of the request at hand; empty outside a request."""
    return _request_id.get()


def read_request_id(scope: Scope) -> str:
    """Return the id of a request from itself, also where its context is gone."""
    return str(scope.get("request_id", ""))


def _read_header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


class RequestIdMiddleware:
    """Gives each request its id, logs one line without personal data, and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = _read_header(scope, b"x-request-id")
        request_id = sent.decode() if _ACCEPTED.fullmatch(sent) else f"req_{secrets.token_hex(12)}"
        token = _request_id.set(request_id)
        scope["request_id"] = request_id
        trace = _TRACEPARENT.fullmatch(_read_header(scope, b"traceparent"))
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if trace:
            structlog.contextvars.bind_contextvars(trace_id=trace.group(1).decode())
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - started)
            structlog.contextvars.clear_contextvars()
            _request_id.reset(token)

    @staticmethod
    def _record(scope: Scope, status: int, seconds: float) -> None:
        # The route's template, never the path: paths hold ids.
        route = getattr(scope.get("route"), "path", "unmatched")
        answered, latency = _find_metrics(scope["method"], route, status)
        answered.inc()
        latency.observe(seconds)
        _log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))
