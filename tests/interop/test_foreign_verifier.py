"""Our wallet answers an independent verifier (OpenID4VP 1.0)."""

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.interop.claims import KYC
from tests.interop.support import Deployment, NodeParty

pytestmark = pytest.mark.asyncio(loop_scope="session")
KYC_VCT = "urn:goodstanding:vct:kyc:1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home(deployment: Deployment, foreign_issuer: NodeParty, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wallet, holding a credential of ours and one of the independent issuer."""
    path = tmp_path_factory.mktemp("wallet")
    body = {"credential_configuration_id": "kyc", "claims": KYC, "subject_ref": "case-3", "tx_code": False}
    ours = (await deployment.kyc.post("/v1/credential-offers", body))["deep_link"]
    theirs = (await foreign_issuer.control("offer", claims=KYC | {"given_name": "Elsewhere"}))["link"]
    for link in (ours, theirs):
        accepted = await deployment.ask_wallet(path, "accept", link, "--yes")
        assert accepted.code == 0, accepted.err
    return path


def ask_for(**values: Any) -> dict[str, Any]:
    """A query for a KYC credential with these claims, each of which has to have this value."""
    claims = [{"path": [name], "values": [value]} for name, value in values.items()]
    return {"credentials": [{"id": "id", "format": "dc+sd-jwt", "meta": {"vct_values": [KYC_VCT]}, "claims": claims}]}


@pytest.mark.parametrize("response_mode", ["direct_post", "direct_post.jwt"])
@pytest.mark.parametrize(
    ("given_name", "use_post"),
    [(KYC["given_name"], False), ("Elsewhere", True)],
    ids=["our credential", "their credential, request fetched by post"],
)
async def test_our_wallet_shows_what_is_asked_and_no_more(
    deployment: Deployment,
    foreign_verifier: NodeParty,
    home: Path,
    response_mode: str,
    use_post: bool,
    given_name: str,
) -> None:
    query = ask_for(given_name=given_name, country="US", age_over_18=True)
    asked = await foreign_verifier.control("request", query=query, responseMode=response_mode, usePost=use_post)
    finished = await deployment.ask_wallet(home, "present", asked["link"], "--yes")
    assert finished.code == 0, finished.err
    assert finished.json()["verifier"]["client_name"] == "Verifier in Node.js"
    result = await foreign_verifier.control("result")
    assert result["encrypted"] is (response_mode == "direct_post.jwt")
    shown = {name for name in result["claims"]["id"] if name in KYC}
    assert shown == {"given_name", "country", "age_over_18"}
    assert result["claims"]["id"]["given_name"] == given_name


async def test_our_wallet_declines(deployment: Deployment, foreign_verifier: NodeParty, home: Path) -> None:
    asked = await foreign_verifier.control("request", query=ask_for(country="US"), responseMode="direct_post")
    finished = await deployment.ask_wallet(home, "present", asked["link"], "--decline")
    assert finished.code == 1
    assert await foreign_verifier.control("result") == {"error": "access_denied"}


async def test_our_wallet_sends_nothing_it_does_not_have(
    deployment: Deployment, foreign_verifier: NodeParty, home: Path
) -> None:
    asked = await foreign_verifier.control("request", query=ask_for(country="FR"), responseMode="direct_post")
    finished = await deployment.ask_wallet(home, "present", asked["link"], "--yes")
    assert finished.code != 0
    assert "claims" not in (await foreign_verifier.control("result") or {})
