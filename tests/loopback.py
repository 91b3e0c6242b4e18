"""Small HTTP servers on a loopback port, for tests that need a socket on the other side."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send


@contextmanager
def serving(make_app: Callable[[str], ASGIApp], *, lifespan: str = "off") -> Iterator[str]:
    """Serve an application in a thread; ``make_app`` gets the base URL that is yielded."""
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://localhost:{listener.getsockname()[1]}"
    config = uvicorn.Config(make_app(base_url), lifespan=lifespan, log_level="critical", ws="none", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        yield base_url
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@dataclass
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]
    json: Any
    body: bytes


@dataclass
class Party:
    """An application made of routes that a test may replace at any time; remembers what it was asked.

    A route is JSON, a ready Response, or a function from the request to either.
    """

    routes: dict[str, Any] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def requests_to(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        is_json = request.headers.get("content-type", "").startswith("application/json")
        seen = Received(
            request.method,
            request.url.path,
            dict(request.headers),
            _read_form(await request.body()) if is_form else {},
            await request.json() if is_json else None,
            await request.body(),
        )
        self.received.append(seen)
        answer = self.routes.get(request.url.path, Response(status_code=404))
        answer = answer(seen) if callable(answer) and not isinstance(answer, Response) else answer
        response = answer if isinstance(answer, Response) else JSONResponse(answer)
        await response(scope, receive, send)


def _read_form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True))
