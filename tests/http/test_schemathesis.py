"""Requests made from our own OpenAPI document: never a 5xx, and every answer is one that the document declares."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from service.schema_files import SCHEMAS_DIR
from tests.case_support import Desk
from tests.deployment import BASE_URL, Deployment, running_deployment
from tests.events_support import Hooks, furnish_webhooks
from tests.evidence_support import make_pdf, upload
from tests.gate_support import open_market
from tests.issuing_support import Wallet, add_issuer, make_offer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]
DOCUMENT = json.loads((SCHEMAS_DIR / "openapi.json").read_text(encoding="utf-8"))
schema = schemathesis.openapi.from_dict(DOCUMENT)
EXAMPLES = 10


@dataclass
class Api:
    """A deployment on a thread of its own, and what exists in it."""

    loop: asyncio.AbstractEventLoop
    deployment: Deployment
    tokens: dict[str, dict[str, str]]
    known: dict[str, str]

    def headers_for(self, path: str) -> dict[str, str]:
        """Return the access token of whoever calls this path."""
        return next((token for start, token in self.tokens.items() if path.startswith(start)), {})

    def send(self, **request: Any) -> httpx2.Response:
        built = self.deployment.http.build_request(**request)
        built.read()  # the checks look at it afterwards, and a form with a file is made while it is sent
        sent = asyncio.run_coroutine_threadsafe(self.deployment.http.send(built), self.loop)
        return sent.result(timeout=30)


async def _furnish(loop: asyncio.AbstractEventLoop, deployment: Deployment) -> Api:
    """Make one of everything that a path can name."""
    market = await open_market(deployment)
    await market.admit("ada")
    decision = await market.decide(market.buy("ada"))
    asked = await market.scene.platform.ask(purpose="us.506c")
    operator = await deployment.add_organization("operator", "operator")
    issuer = await add_issuer(deployment, "offering")
    desk = Desk(deployment, issuer)
    case_id = await desk.open()
    added = await upload(desk, case_id, make_pdf())
    made, redeemed = await make_offer(deployment, issuer), await make_offer(deployment, issuer)
    wallet = Wallet(deployment, issuer)
    await wallet.redeem(redeemed)
    access = (await wallet.request_token(made)).json()["access_token"]
    issuing = await deployment.headers(issuer, "issuer")
    [granted] = (await deployment.http.get("/v1/credentials", headers=issuing)).json()["data"]
    known = {
        "slug": "offering",
        "link": made["credential_offer_uri"].rpartition("/")[2],
        "list_id": "unknown",
        "purpose": "revocation",
        "name": "kyc",
        "offer_id": made["id"],
        "credential_id": granted["id"],
        "case_id": case_id,
        "evidence_id": added.json()["id"],
        "org_id": operator.org_id,
        "ref": "ada",
        "request_id": asked["id"],
        "entry_id": "kyc",
        "security_id": market.security_id,
        "offering_id": "reg-d",
        "transfer_id": decision["id"],
    } | await furnish_webhooks(Hooks(deployment, market.member, ("verifier", "gate")))
    tokens = {
        "/v1/credential": issuing,
        "/v1/cases": issuing,
        "/v1/organizations": await deployment.headers(operator, "admin"),
        "/v1/": await deployment.headers(market.member, "verifier", "gate", "compliance"),
        "/issuers/{slug}/credential": {"Authorization": f"Bearer {access}"},
        "/issuers/{slug}/notification": {"Authorization": f"Bearer {access}"},
    }
    return Api(loop, deployment, tokens, known)


@pytest.fixture(scope="module")
def api(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("schemathesis")
    shutil.copy(sqlite_template, folder / "db.sqlite3")
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()

    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=60)

    running = running_deployment(f"sqlite+aiosqlite:///{folder / 'db.sqlite3'}", folder)
    try:
        yield wait(_furnish(loop, wait(running.__aenter__())))
    finally:
        wait(running.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_a_declared_one(case: schemathesis.Case[Any], api: Api) -> None:
    for parameters in (case.path_parameters, {name: api.known[name] for name in case.path_parameters}):
        case.path_parameters = parameters
        request = case.as_transport_kwargs(base_url=BASE_URL, headers=api.headers_for(case.path))
        request.pop("cookies", None)
        if isinstance(request.get("data"), bytes | str):
            request["content"] = request.pop("data")
        if "files" in request:  # what was drawn for a file may be no text
            request["files"] = [(name, (None, str(part[1]))) for name, part in request["files"]]
        case.validate_response(api.send(**request), checks=CHECKS)
        if not parameters:
            return
