"""The admin API, strict JSON, idempotency and problem documents, shown on organisations."""

import asyncio

import pytest

from tests.deployment import Deployment, Member
from tests.prepared import prepared

NEW = {"name": "Sample Broker", "slug": "sample-broker", "roles": ["issuer"], "attester_class": "us_broker_dealer"}


@prepared
async def operator(deployment: Deployment) -> Member:
    return await deployment.add_organization("operator", "operator")


async def _post(
    deployment: Deployment, operator: Member, body: object, **headers: str
) -> tuple[int, dict[str, object]]:
    access = await deployment.headers(operator, "admin")
    answer = await deployment.http.post("/v1/organizations", json=body, headers=access | headers)
    return answer.status_code, answer.json()


async def test_an_organisation_gets_an_identifier_a_did_and_clients(deployment: Deployment, operator: Member) -> None:
    status, made = await _post(deployment, operator, NEW)
    assert status == 201
    assert made["credential_issuer"] == "http://localhost:8000/issuers/sample-broker"
    assert made["did"] == "did:web:localhost%3A8000:issuers:sample-broker"
    access = await deployment.headers(operator, "admin")
    client = await deployment.http.post(
        f"/v1/organizations/{made['id']}/clients", json={"name": "back office", "scopes": ["issuer"]}, headers=access
    )
    assert client.status_code == 201
    token = await deployment.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(client.json()["client_id"], client.json()["client_secret"]),
    )
    assert token.json()["scope"] == "issuer"


async def test_the_did_document_lists_the_keys_under_the_did(deployment: Deployment, operator: Member) -> None:
    await _post(deployment, operator, NEW)
    answer = await deployment.http.get("/issuers/sample-broker/did.json")
    document = answer.json()
    assert document["id"] == "did:web:localhost%3A8000:issuers:sample-broker"
    assert [method["controller"] for method in document["verificationMethod"]] == [document["id"]]
    assert document["assertionMethod"] == [document["verificationMethod"][0]["id"]]
    assert (await deployment.http.get("/organizations/sample-broker/did.json")).status_code == 404


async def test_a_retry_with_the_same_key_gets_the_same_answer(deployment: Deployment, operator: Member) -> None:
    access = await deployment.headers(operator, "admin") | {"Idempotency-Key": "once"}
    first = await deployment.http.post("/v1/organizations", json=NEW, headers=access)
    again = await deployment.http.post("/v1/organizations", json=NEW, headers=access)
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    other = await deployment.http.post("/v1/organizations", json=NEW | {"name": "Other"}, headers=access)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_parallel_retries_create_once(deployment: Deployment, operator: Member) -> None:
    access = await deployment.headers(operator, "admin") | {"Idempotency-Key": "storm"}
    answers = await asyncio.gather(
        *(deployment.http.post("/v1/organizations", json=NEW, headers=access) for _ in range(8))
    )
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert all(answer.json()["code"] == "request_in_progress" for answer in waiting)
    assert all(answer.headers["retry-after"] == "1" for answer in waiting)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"slug": "Not A Slug"}, "organization_invalid"),
        ({"roles": ["king"]}, "organization_invalid"),
        ({"attester_class": "us_cpas"}, "organization_invalid"),
        ({"roles": []}, "invalid_input"),
        ({"name": 5}, "invalid_input"),
        ({"surprise": 1}, "invalid_input"),
    ],
)
async def test_a_bad_organisation_is_refused_and_nothing_is_kept(
    deployment: Deployment, operator: Member, change: dict[str, object], code: str
) -> None:
    status, problem = await _post(deployment, operator, NEW | change)
    assert (status, problem["code"]) == (422, code)
    access = await deployment.headers(operator, "admin")
    listed = (await deployment.http.get("/v1/organizations", headers=access)).json()["data"]
    assert [row["slug"] for row in listed] == ["operator"]


async def test_a_slug_is_used_once(deployment: Deployment, operator: Member) -> None:
    assert (await _post(deployment, operator, NEW))[0] == 201
    assert (await _post(deployment, operator, NEW))[1]["code"] == "slug_taken"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b'{"name":"a","name":"b"}', 400, "malformed"),
        (b'{"name":NaN}', 400, "malformed"),
        (b'{"name":1e999}', 400, "malformed"),
        (b"[" * 40 + b"]" * 40, 400, "malformed"),
        (b'"' + b"x" * 300_000 + b'"', 413, "body_too_large"),
        (b"\xff\xfe", 400, "malformed"),
    ],
)
async def test_unreadable_bodies_are_problems(
    sqlite_deployment: Deployment, body: bytes, status: int, code: str
) -> None:
    operator = await sqlite_deployment.add_organization("operator", "operator")
    headers = await sqlite_deployment.headers(operator, "admin") | {"Content-Type": "application/json"}
    answer = await sqlite_deployment.http.post("/v1/organizations", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:goodstanding:problem:{code}"
    assert answer.json()["instance"] == answer.headers["x-request-id"]


async def test_request_ids_are_echoed_and_unknown_paths_are_problems(sqlite_deployment: Deployment) -> None:
    answer = await sqlite_deployment.http.get("/v1/nothing", headers={"X-Request-Id": "mine-1"})
    assert (answer.status_code, answer.json()["code"], answer.headers["x-request-id"]) == (404, "not_found", "mine-1")
    hostile = await sqlite_deployment.http.get("/livez", headers={"X-Request-Id": "a b<script>"})
    assert hostile.headers["x-request-id"].startswith("req_")


async def test_lists_are_paged(deployment: Deployment, operator: Member) -> None:
    for number in range(3):
        await _post(deployment, operator, NEW | {"slug": f"org-{number}"})
    access = await deployment.headers(operator, "admin")
    first = await deployment.http.get("/v1/organizations?limit=3", headers=access)
    assert len(first.json()["data"]) == 3
    assert 'rel="next"' in first.headers["link"]
    rest = await deployment.http.get(f"/v1/organizations?limit=3&after={first.json()['next']}", headers=access)
    assert [row["slug"] for row in rest.json()["data"]] == ["org-2"]
    assert rest.json()["next"] is None
