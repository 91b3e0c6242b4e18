"""Endpoints that are called straight, and those that are left to the framework."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from service.issuer.api import router as issuer_router
from service.verifier.api import router as verifier_router
from service.web.direct import DirectRoute
from service.web.models import StrictModel
from service.web.routing import v1_router

BUSY = {
    "/v1/verify",
    "/v1/credential-offers",
    "/v1/presentation-requests",
    "/issuers/{slug}/credential-offers/{link}",
    "/issuers/{slug}/token",
    "/issuers/{slug}/nonce",
    "/issuers/{slug}/credential",
    "/openid4vp/requests/{request_id}",
    "/openid4vp/responses/{request_id}",
}


class Body(StrictModel):
    number: int


router = v1_router("test")


@router.post("/direct/{name}")
async def answer_directly(name: str, body: Body, request: Request) -> Response:
    return Response(f"{name} {body.number} {request.method}")


async def _provide() -> str:
    return "provided"


@router.post("/other/{name}")
async def answer_otherwise(name: str, body: Body, given: Annotated[str, Depends(_provide)]) -> Response:
    return Response(f"{name} {body.number} {given}")


@router.get("/defaults")
async def answer_by_default(wanted: Annotated[str, Header()] = "nothing") -> Response:
    return Response(wanted)


@router.get("/unwrapped/{name}")
async def answer_unwrapped(name: str) -> dict[str, Any]:
    return {"name": name}


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.router.routes.extend(router.routes)
    return TestClient(app)


def test_busy_endpoints_are_called_straight() -> None:
    routes = [each for part in (issuer_router, verifier_router) for each in part.routes if isinstance(each, APIRoute)]
    direct = {each.path for each in routes if isinstance(each, DirectRoute) and each.is_direct}
    assert direct >= BUSY


def test_only_what_a_plan_can_name_is_called_straight() -> None:
    direct = {each.name: each.is_direct for each in router.routes if isinstance(each, DirectRoute)}
    assert direct == {
        "answer_directly": True,
        "answer_otherwise": False,
        "answer_by_default": False,
        "answer_unwrapped": False,
    }


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_body_is_read_however_its_type_is_written(client: TestClient, media_type: str) -> None:
    answer = client.post("/v1/direct/a", content=b'{"number": 1}', headers={"Content-Type": media_type})
    assert answer.text == "a 1 POST"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"number": "1"}', b'{"number": 1, "more": 2}', b"[]", b"null"])
def test_framework_says_what_is_wrong_with_a_body(client: TestClient, body: bytes) -> None:
    direct, other = (
        client.post(f"/v1/{path}/a", content=body, headers={"Content-Type": "application/json"})
        for path in ("direct", "other")
    )
    assert direct.status_code == 422
    assert direct.json() == other.json()


def test_other_endpoints_are_answered_as_ever(client: TestClient) -> None:
    assert client.post("/v1/other/a", json={"number": 1}).text == "a 1 provided"
    assert client.get("/v1/defaults").text == "nothing"
    assert client.get("/v1/unwrapped/a").json() == {"name": "a"}
