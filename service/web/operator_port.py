"""A port of their own for probes and metrics."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import NotFoundError
from service.web.problems import problem_of, problem_response

OPERATOR_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


class OperatorPortMiddleware:
    """Answer probes and metrics on one port only, and nothing else there.

    Every worker process listens on both ports, so the port that a request came in on tells them apart.

    Args:
        app: The application.
        port: The operators' port.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["server"][1] == self._port) != (scope["path"] in OPERATOR_PATHS):
            await problem_response(problem_of(NotFoundError()))(scope, receive, send)
            return
        await self._app(scope, receive, send)
