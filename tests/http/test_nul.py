"""U+0000, which PostgreSQL keeps in no text, is refused at the door: the same answer on both databases, never a 500."""

import json

import pytest

from service.schema_files import SCHEMAS_DIR
from tests.deployment import Deployment
from tests.issuing_support import Wallet, add_issuer

PATHS = json.loads((SCHEMAS_DIR / "openapi.json").read_text(encoding="utf-8"))["paths"]
WITH_IDS = [(method.upper(), path) for path, methods in PATHS.items() for method in methods if "{" in path]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_no_path_with_it_exists(deployment: Deployment) -> None:
    platform = await deployment.add_organization("platform", "platform")
    access = await deployment.headers(platform)
    for method, template in WITH_IDS:
        path = template.replace("{", "a%00").replace("}", "")
        answer = await deployment.http.request(method, path, headers=access)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, template)


async def test_no_query_takes_it(deployment: Deployment) -> None:
    platform = await deployment.add_organization("platform", "platform")
    answer = await deployment.http.get("/v1/securities?after=%00", headers=await deployment.headers(platform, "gate"))
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_no_body_takes_it(deployment: Deployment) -> None:
    operator = await deployment.add_organization("operator", "operator")
    access = await deployment.headers(operator, "admin")
    new = {"name": "Sample\0Broker", "slug": "sample", "roles": ["issuer"]}
    answer = await deployment.http.post("/v1/organizations", json=new, headers=access)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize("path", ["/oauth/token", "/issuers/kyc/token", "/openid4vp/responses/preq_x"])
async def test_no_form_takes_it(deployment: Deployment, path: str) -> None:
    await add_issuer(deployment)
    body = "grant_type=client_credentials&client_id=%00&client_secret=x&state=%00"
    answer = await deployment.http.post(path, content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_no_client_id_holds_it(deployment: Deployment) -> None:
    body = {"grant_type": "client_credentials"}
    answer = await deployment.http.post("/oauth/token", data=body, auth=("%00", "x"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_no_notification_holds_it(deployment: Deployment) -> None:
    wallet = Wallet(deployment, await add_issuer(deployment))
    body = {"notification_id": "\0", "event": "credential_accepted"}
    path = "/issuers/kyc/notification"
    answer = await deployment.http.post(path, json=body, headers={"Authorization": f"Bearer {wallet.identifier}"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_notification_request")


async def test_a_path_with_a_slash_too_many_is_not_redirected(deployment: Deployment) -> None:
    answer = await deployment.http.get("/v1/securities/", headers={"Host": "elsewhere.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers
