"""Probes, metrics, OpenAPI."""

import re
from typing import Any

import pytest

from tests.deployment import Deployment


async def test_probes_answer(deployment: Deployment) -> None:
    assert (await deployment.http.get("/livez")).json() == {"status": "ok"}
    assert (await deployment.http.get("/readyz")).json() == {"status": "ok"}


async def test_metrics_count_requests_by_route_and_not_by_path(sqlite_deployment: Deployment) -> None:
    await sqlite_deployment.http.get("/v1/organizations/org_secret_name")
    text = (await sqlite_deployment.http.get("/metrics")).text
    assert 'route="/v1/organizations/{org_id}"' in text
    assert "org_secret_name" not in text


@pytest.mark.parametrize("path", ["/oauth/token", "/v1/verify", "/issuers/kyc/par"])
async def test_a_caller_that_hangs_up_is_no_failure_of_ours(sqlite_deployment: Deployment, path: str) -> None:
    coming = [{"type": "http.request", "body": b"grant_type=", "more_body": True}, {"type": "http.disconnect"}]
    answered: list[Any] = []

    async def receive() -> Any:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answered.append(message)

    headers = [(b"host", b"localhost:8000"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http"}
    scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}
    scope |= {"client": ("127.0.0.1", 1), "server": ("localhost", 8000)}
    await sqlite_deployment.app(scope, receive, send)
    assert {message["status"] for message in answered if message["type"] == "http.response.start"} <= {400, 401, 404}


async def test_openapi_is_3_1(sqlite_deployment: Deployment) -> None:
    document = (await sqlite_deployment.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")


async def test_the_api_page_shows_every_call_and_loads_nothing(sqlite_deployment: Deployment) -> None:
    answer = await sqlite_deployment.http.get("/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"<script|<link|<img|(?:src|href)=.?https?:", answer.text)
    for path, operations in (await sqlite_deployment.http.get("/openapi.json")).json()["paths"].items():
        assert all(f'id="{method}-{path}"' in answer.text for method in operations)
    targets = set(re.findall(r'href="#([^"]+)"', answer.text))
    assert "Problem" in targets
    assert targets <= set(re.findall(r'id="([^"]+)"', answer.text))
    assert (await sqlite_deployment.http.get("/redoc")).status_code == 404
