"""Probes, metrics, OpenAPI."""

from tests.deployment import Deployment


async def test_probes_answer(deployment: Deployment) -> None:
    assert (await deployment.http.get("/livez")).json() == {"status": "ok"}
    assert (await deployment.http.get("/readyz")).json() == {"status": "ok"}


async def test_metrics_count_requests_by_route_and_not_by_path(sqlite_deployment: Deployment) -> None:
    await sqlite_deployment.http.get("/v1/organizations/org_secret_name")
    text = (await sqlite_deployment.http.get("/metrics")).text
    assert 'route="/v1/organizations/{org_id}"' in text
    assert "org_secret_name" not in text


async def test_openapi_is_3_1(sqlite_deployment: Deployment) -> None:
    document = (await sqlite_deployment.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
