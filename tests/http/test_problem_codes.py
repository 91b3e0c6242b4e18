"""Problems that no other test meets: of HTTP itself, of keys and keystores, and of things that changed meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, HTTPException
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from starlette.middleware import Middleware

from service.app import create_app
from service.cli.problem_docs import list_kinds
from service.errors import ServiceError
from service.settings import Settings
from service.storage.database import Database, is_duplicate
from service.storage.tables import KeyAttestationPolicy, Security, WalletClient
from service.web.problems import answer_unexpected, install_problem_handlers, status_of
from service.web.request_id import RequestIdMiddleware
from service.web.signing import VERIFIER, get_active_key
from tests.deployment import BASE_URL, Deployment, Member, running_deployment
from tests.gate_support import SECURITY
from tests.prepared import prepared
from tests.verifying_support import build_scene

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@prepared
async def platform(sqlite_deployment: Deployment) -> Member:
    return await sqlite_deployment.add_organization("platform", "platform")


async def _call(deployment: Deployment, member: Member, method: str, path: str, **more: Any) -> httpx2.Response:
    access = await deployment.headers(member, "gate", "verifier")
    more["headers"] = access | more.get("headers", {})
    return await deployment.http.request(method, path, **more)


def _assert_problem(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:goodstanding:problem:{code}"
    assert set(answer.json()) == {"type", "title", "status", "detail", "code", "instance", "errors"}


@pytest.mark.parametrize("kind", list_kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_has_the_status_of_its_family(kind: type[ServiceError]) -> None:
    assert status_of(kind) in {400, 401, 403, 404, 409, 413, 422, 429, 500, 503}


async def test_a_body_that_is_declared_as_something_else(sqlite_deployment: Deployment, platform: Member) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = await _call(sqlite_deployment, platform, "POST", "/v1/verify", content=b"{}", headers=headers)
    _assert_problem(answer, 400, "not_json")


async def test_a_method_that_a_path_does_not_take(sqlite_deployment: Deployment, platform: Member) -> None:
    answer = await _call(sqlite_deployment, platform, "PATCH", "/v1/purposes")
    _assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_idempotency_keys_have_a_length(sqlite_deployment: Deployment, platform: Member, key: str) -> None:
    answer = await _call(
        sqlite_deployment,
        platform,
        "POST",
        "/v1/presentation-requests",
        json={"purpose": "us.506c"},
        headers={"Idempotency-Key": key},
    )
    _assert_problem(answer, 422, "idempotency_key_invalid")


async def test_a_client_gets_no_scope_beyond_its_organisations_roles(sqlite_deployment: Deployment) -> None:
    operator = await sqlite_deployment.add_organization("operator", "operator")
    issuer = await sqlite_deployment.add_organization("kyc", "issuer")
    access = await sqlite_deployment.headers(operator, "admin")
    answer = await sqlite_deployment.http.post(
        f"/v1/organizations/{issuer.org_id}/clients", json={"name": "greedy", "scopes": ["gate"]}, headers=access
    )
    _assert_problem(answer, 422, "scope_not_allowed")


async def test_a_security_without_an_offering_sells_nothing(sqlite_deployment: Deployment, platform: Member) -> None:
    await _call(sqlite_deployment, platform, "PUT", "/v1/securities/bare", json=SECURITY)
    request = {
        "security_id": "bare",
        "action": "primary",
        "buyer": {"investor_ref": "ada"},
        "quantity": "1",
        "price": {"amount": "1.00", "currency": "USD"},
    }
    answer = await _call(sqlite_deployment, platform, "POST", "/v1/transfers/preview", json=request)
    _assert_problem(answer, 422, "no_offering")


async def test_two_securities_of_one_id_are_not_guessed_between(sqlite_deployment: Deployment) -> None:
    venue = await sqlite_deployment.add_organization("venue", "platform")
    for slug in ("first", "second"):
        registrar = await sqlite_deployment.add_organization(slug, "platform")
        await _call(sqlite_deployment, registrar, "PUT", "/v1/securities/note", json=SECURITY)
        path = f"/v1/securities/note/grants/{venue.org_id}"
        granted = await _call(sqlite_deployment, registrar, "PUT", path, json={})
        assert granted.status_code == 201, granted.text
    answer = await _call(sqlite_deployment, venue, "GET", "/v1/securities/note")
    _assert_problem(answer, 409, "security_ambiguous")


async def test_no_key_no_signature(sqlite_deployment: Deployment, platform: Member) -> None:
    async with sqlite_deployment.context.database.transaction() as session:
        key = await get_active_key(session, platform.org_id, VERIFIER)
        key.retired_at = sqlite_deployment.clock()
        session.add(key)
    body = {"purpose": "us.506c"}
    answer = await _call(sqlite_deployment, platform, "POST", "/v1/presentation-requests", json=body)
    _assert_problem(answer, 503, "no_signing_key")
    assert answer.headers["retry-after"] == "1"


async def test_a_process_without_its_database_is_not_ready(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://nobody:nothing@127.0.0.1:1/none"
    app = create_app(Settings(base_url=BASE_URL, data_dir=tmp_path, database_url=url, _env_file=None))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=BASE_URL) as http:
        answer = await http.get("/readyz")
        alive = await http.get("/livez")
    await app.state.context.fetcher.close()
    await app.state.context.database.close()
    _assert_problem(answer, 503, "not_ready")
    assert alive.status_code == 200


async def test_a_credential_without_status_says_so(sqlite_deployment: Deployment) -> None:
    scene = await build_scene(sqlite_deployment)
    credential = await scene.kyc.issue("kyc", scene.wallet.keys, status=None)
    verdict = await scene.platform.verify(credential=credential)
    assert {"check": "status", "outcome": "pass", "code": "status_none"}.items() <= verdict["checks"][-1].items()
    assert verdict["valid"]


@pytest.fixture
async def broken() -> AsyncIterator[httpx2.AsyncClient]:
    """An application whose routes fail below our own errors."""
    app = FastAPI(exception_handlers={Exception: answer_unexpected}, middleware=[Middleware(RequestIdMiddleware)])
    install_problem_handlers(app)

    @app.get("/teapot")
    async def refuse() -> None:
        raise HTTPException(status_code=418)

    @app.get("/defect")
    async def fail() -> None:
        raise RuntimeError("canary-of-a-defect")

    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL) as http:
        yield http


async def test_other_refusals_of_http_are_problems(broken: httpx2.AsyncClient) -> None:
    _assert_problem(await broken.get("/teapot"), 418, "http_error")


async def test_a_defect_shows_nothing_of_itself(broken: httpx2.AsyncClient) -> None:
    answer = await broken.get("/defect", headers={"X-Request-Id": "trace-me"})
    _assert_problem(answer, 500, "internal_error")
    assert "canary" not in answer.text
    assert (answer.json()["instance"], answer.headers["X-Request-Id"]) == ("trace-me", "trace-me")


async def test_the_second_of_two_creations_is_told(postgres_url: str, tmp_path: Path) -> None:
    """The other request has inserted its row and commits while we wait. (SQLite's writers stand in line before.)"""
    async with running_deployment(postgres_url, tmp_path) as deployment:
        registrar = await deployment.add_organization("registrar", "platform")
        async with deployment.context.database.transaction() as session:
            session.add(Security(org_id=registrar.org_id, id="note", version=1, issued=1))
            await session.flush()
            second = asyncio.create_task(_call(deployment, registrar, "PUT", "/v1/securities/note", json=SECURITY))
            await _wait_until_somebody_waits(deployment)
        _assert_problem(await second, 409, "changed_meanwhile")


CREATIONS = {
    "/v1/wallet-clients/wallet": (
        WalletClient(client_id="wallet", name="", redirect_uris=[], token_endpoint_auth_method="none", updated_at=NOW),
        {"name": "Pocket", "redirect_uris": ["https://wallet.example/cb"], "token_endpoint_auth_method": "none"},
    ),
    "/v1/key-attestation-policy": (
        KeyAttestationPolicy(attesters=[], required={}, updated_at=NOW),
        {"attesters": [], "required": {}},
    ),
}


@pytest.mark.parametrize("path", CREATIONS)
async def test_the_second_of_two_creations_at_an_issuer_is_told(postgres_url: str, tmp_path: Path, path: str) -> None:
    row, body = CREATIONS[path]
    async with running_deployment(postgres_url, tmp_path) as deployment:
        issuer = await deployment.add_organization("kyc", "issuer")
        headers = await deployment.headers(issuer, "issuer")
        async with deployment.context.database.transaction() as session:
            session.add(type(row)(**row.model_dump() | {"org_id": issuer.org_id}))
            await session.flush()
            second = asyncio.create_task(deployment.http.put(path, json=body, headers=headers))
            await _wait_until_somebody_waits(deployment)
        _assert_problem(await second, 409, "changed_meanwhile")
        assert (await second).headers["retry-after"] == "1"
        assert (await deployment.http.put(path, json=body, headers=headers)).status_code < 300


async def test_a_row_that_is_there_already_is_known_on_both_kinds(database: Database) -> None:
    row = {"org_id": "o", "attesters": [], "required": {}, "updated_at": NOW}
    async with database.engine.connect() as connection:
        await connection.execute(insert(KeyAttestationPolicy), row)
        with pytest.raises(IntegrityError) as caught:
            await connection.execute(insert(KeyAttestationPolicy), row)
    assert is_duplicate(caught.value)


async def _wait_until_somebody_waits(deployment: Deployment) -> None:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    for _ in range(200):
        async with deployment.context.database.reading() as session:
            if (await (await session.connection()).execute(waiting)).scalar_one():
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the second request never waited")
