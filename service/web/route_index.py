"""Find a request's route by the shape of its path, where the framework tries all of them one after another."""

from collections import defaultdict
from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_Shape = tuple[int, str, str]


class RouteIndex(BaseRoute):
    """Stands before the routes of an application; what it does not find is left to them, such as 404 and 405.

    Routes of the same length and the same first and last segment are tried in their order.

    Args:
        routes: Of the application.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._by_shape: defaultdict[_Shape, list[Route]] = defaultdict(list)
        for route in routes:
            if isinstance(route, Route) and ":path}" not in route.path:
                self._by_shape[_shape_of(route.path)].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the route that takes path and method as ``route`` of the child scope."""
        if scope["type"] == "http" and not scope.get("root_path"):
            length, first, last = _shape_of(scope["path"])
            for shape in ((length, first, last), (length, first, "")):
                for route in self._by_shape.get(shape, ()):
                    match, child_scope = route.matches(scope)
                    if match == Match.FULL:
                        return match, {**child_scope, "route": route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that was found serve the connection."""
        await scope["route"].handle(scope, receive, send)


def _shape_of(path: str) -> _Shape:
    """Return length, first and last segment; empty where the last one is a parameter."""
    segments = path.split("/")
    last = segments[-1]
    return len(segments), segments[1] if len(segments) > 1 else "", "" if "{" in last else last
