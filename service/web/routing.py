"""Routers whose bodies are read strictly: one JSON document, no duplicate members, no NaN, bounded depth."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response

from service.credentials.jose import parse_json
from service.errors import MalformedError
from service.web.body_limit import MAX_BODY_BYTES
from service.web.direct import DirectRoute

MAX_DEPTH = 32


class NotJsonError(MalformedError):
    """The body is not declared to be JSON."""

    code = "not_json"


class StrictRequest(Request):
    """A request whose ``json()`` accepts only what the contract allows."""

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            MalformedError: See ``parse_json``; also if the media type is not JSON.
        """
        if not hasattr(self, "_strict_json"):
            media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in ("application/json", ""):
                raise NotJsonError("The body must be application/json.")
            self._strict_json = parse_json(await self.body(), max_bytes=MAX_BODY_BYTES, max_depth=MAX_DEPTH)
        return self._strict_json


class StrictRoute(DirectRoute):
    """A route that sees a ``StrictRequest``."""

    reads_json = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Read the body strictly before anything else looks at it."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            if request.method in ("POST", "PUT", "PATCH") and await strict.body():
                await strict.json()  # a malformed body is reported before any rule of its shape
            return await handle(strict)

        return handle_strictly


def gather(*parts: APIRouter) -> APIRouter:
    """Make one router of several; a router included in another would be searched twice at each level."""
    router = APIRouter()
    for part in parts:
        router.routes.extend(part.routes)
    return router


def v1_router(tag: str) -> APIRouter:
    """Make a router for /v1 endpoints of one front door."""
    return APIRouter(prefix="/v1", tags=[tag], route_class=StrictRoute)
