"""The index finds what trying every route would find, and leaves the rest alone."""

import asyncio

import pytest
from fastapi import APIRouter
from starlette.routing import Match

from service.web.route_index import RouteIndex
from service.web.routing import gather

first, second = APIRouter(), APIRouter()
PATHS = [
    "/livez",
    "/v1/things",
    "/v1/things/{name}",
    "/v1/things/{name}/parts",
    "/v1/{kind}/x/parts",
    "/tile/{at:path}",
]


def _endpoint() -> None:
    """Never called."""


for number, path in enumerate(PATHS):
    (first, second)[number % 2].add_api_route(path, _endpoint, methods=["POST" if number == 1 else "GET"])
ROUTES = gather(first, second).routes
INDEX = RouteIndex(ROUTES)


def _scope(path: str, method: str = "GET") -> dict[str, object]:
    return {"type": "http", "path": path, "method": method, "query_string": b"", "headers": []}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/livez", "/livez"),
        ("/v1/things/a", "/v1/things/{name}"),
        ("/v1/things/parts", "/v1/things/{name}"),
        ("/v1/things/a/parts", "/v1/things/{name}/parts"),
        ("/v1/things/x/parts", "/v1/{kind}/x/parts"),
        ("/v1/others/x/parts", "/v1/{kind}/x/parts"),
        ("/v1/things", None),
        ("/tile/8/0", None),
        ("/nothing", None),
        ("/", None),
    ],
)
def test_finds_the_route_or_leaves_it_to_the_framework(path: str, found: str | None) -> None:
    match, child = INDEX.matches(_scope(path))
    assert (match == Match.FULL) == (found is not None)
    if found is not None:
        in_turn = next(route for route in ROUTES if route.matches(_scope(path))[0] == Match.FULL)
        assert (child["route"].path, child["route"]) == (found, in_turn)


def test_serves_by_method() -> None:
    assert INDEX.matches(_scope("/v1/things", "POST"))[0] == Match.FULL
    assert INDEX.matches(_scope("/v1/things", "DELETE"))[0] == Match.NONE


def test_hands_the_connection_to_the_route_found() -> None:
    served: list[str] = []

    class Kept:
        async def handle(self, scope: dict[str, object], _receive: object, _send: object) -> None:
            served.append(str(scope["path"]))

    asyncio.run(INDEX.handle({"route": Kept(), "path": "/livez"}, None, None))  # type: ignore[arg-type]  # unused
    assert served == ["/livez"]
