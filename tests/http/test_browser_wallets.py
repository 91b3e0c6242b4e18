"""What HTTP asks beyond the protocols: wallets in browsers may call and read, and HEAD stands beside GET."""

import pytest

from tests.deployment import Deployment
from tests.issuing_support import add_issuer

ORIGIN = {"Origin": "https://wallet.example"}
PREFLIGHT = ORIGIN | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,dpop,oauth-client-attestation",
}


@pytest.mark.parametrize(
    "path", ["/issuers/kyc/token", "/issuers/kyc/nonce", "/issuers/kyc/credential", "/openid4vp/responses/preq_1"]
)
async def test_a_wallet_in_a_browser_may_call_from_any_origin(sqlite_deployment: Deployment, path: str) -> None:
    answer = await sqlite_deployment.http.options(path, headers=PREFLIGHT)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert {"authorization", "dpop"} <= set(answer.headers["access-control-allow-headers"].lower().split(", "))
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_wallet_in_a_browser_reads_errors_too(sqlite_deployment: Deployment) -> None:
    await add_issuer(sqlite_deployment)
    refused = await sqlite_deployment.http.post("/issuers/kyc/credential", headers=ORIGIN)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")
    exposed = refused.headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ("www-authenticate", "dpop-nonce", "oauth-client-attestation-challenge"))
    too_large = await sqlite_deployment.http.post("/issuers/kyc/token", content=b"x" * 300_000, headers=ORIGIN)
    assert (too_large.status_code, too_large.headers["access-control-allow-origin"]) == (413, "*")


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/credential-offers", "/oauth/token", "/metrics"])
async def test_the_back_office_is_closed_to_other_origins(sqlite_deployment: Deployment, path: str) -> None:
    for answer in (
        await sqlite_deployment.http.options(path, headers=PREFLIGHT),
        await sqlite_deployment.http.post(path, headers=ORIGIN),
    ):
        assert "access-control-allow-origin" not in answer.headers


async def test_head_is_answered_as_get_without_its_body(sqlite_deployment: Deployment) -> None:
    await add_issuer(sqlite_deployment)
    path = "/.well-known/openid-credential-issuer/issuers/kyc"
    got, headed = await sqlite_deployment.http.get(path), await sqlite_deployment.http.head(path)
    assert (headed.status_code, headed.content) == (200, b"")
    for name in ("content-type", "content-length", "cache-control"):
        assert headed.headers[name] == got.headers[name]
    assert (await sqlite_deployment.http.head("/issuers/kyc/token")).status_code == 405
    metrics = (await sqlite_deployment.http.get("/metrics")).text
    assert 'method="HEAD",route="/.well-known/openid-credential-issuer/issuers/{slug}"' in metrics
