"""Refuse U+0000 in addresses: no id of ours holds it, and PostgreSQL takes it in no text.

``parse_json`` and ``read_form`` refuse it in bodies; a header cannot carry it.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import MalformedError, NotFoundError, ServiceError
from service.web.problems import problem_of, problem_response


class NulMiddleware:
    """Answers 404 for such a path, as for any unknown one, and 400 for such a query."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        error: ServiceError | None = None
        if scope["type"] == "http" and "\0" in scope["path"]:
            error = NotFoundError()
        elif scope["type"] == "http" and b"%00" in scope["query_string"]:
            error = MalformedError("The query holds the character U+0000.")
        if error is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem_of(error))(scope, receive, send)
