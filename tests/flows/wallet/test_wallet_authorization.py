"""A wallet goes to the issuer's page and back, and takes no answer that isn't to its own request."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from starlette.responses import JSONResponse

from service.credentials.encoding import b64url_encode
from service.credentials.jose import parse_json, parse_jws
from service.fetch import Fetcher
from service.wallet.authorization import Visit, agree
from service.wallet.callback import open_callback
from service.wallet.errors import NegativeAnswerError, RefusedError, RejectedError, UnsupportedError, UsageError
from service.wallet.receive import accept, propose
from service.wallet.records import StoredCredential
from service.wallet.store import Wallet
from tests.wallet_parties import KYC_CLAIMS, NOW, FakeIssuer

PATH = "/issuers/kyc"
SERVER = f"/.well-known/oauth-authorization-server{PATH}"
CALLBACK = "http://127.0.0.1:1/callback"


def offer_by_page(issuer: FakeIssuer) -> dict[str, Any]:
    """Make the issuer ask for agreement on its page; returns its authorization server's metadata."""
    configurations = issuer.metadata["credential_configurations_supported"]
    configurations["kyc"]["scope"] = "kyc_scope"
    server: dict[str, Any] = issuer.routes[SERVER]
    server |= {
        "authorization_endpoint": f"{issuer.identifier}/authorize",
        "pushed_authorization_request_endpoint": f"{issuer.identifier}/par",
        "authorization_response_iss_parameter_supported": True,
    }
    issuer.routes[f"{PATH}/par"] = JSONResponse({"request_uri": "urn:x", "expires_in": 60}, status_code=201)
    issuer.routes[f"{PATH}/token"] = lambda _: issuer.token
    grants = {"authorization_code": {"issuer_state": "waiting"}}
    issuer.client_id = "pocket"
    issuer.routes[f"{PATH}/offer"] = issuer.offer() | {"grants": grants}
    return server


@dataclass
class Holder:
    """Goes to the page and comes back as told."""

    issuer: FakeIssuer
    changes: dict[str, str | None] = field(default_factory=dict)
    visited: str = ""

    async def go(self, address: str) -> str:
        self.visited = address
        [pushed] = self.issuer.requests_to(f"{PATH}/par")
        answer = {"code": "c-1", "state": pushed.form["state"], "iss": self.issuer.identifier} | self.changes
        return f"{CALLBACK}?{urlencode({name: value for name, value in answer.items() if value is not None})}"


async def receive(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, holder: Holder) -> list[StoredCredential]:
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    visit = Visit("pocket", CALLBACK, holder.go)
    asked = (proposal.issuer, proposal.offer, proposal.configurations)
    agreement = await agree(*asked, visit=visit, fetcher=fetcher)
    return await accept(wallet, proposal, tx_code=None, fetcher=fetcher, now=NOW, agreement=agreement)


async def test_a_credential_comes_by_way_of_the_page(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    offer_by_page(issuer)
    holder = Holder(issuer)
    (received,) = await receive(wallet, issuer, fetcher, holder)
    assert dict(received.claims) == KYC_CLAIMS
    [pushed], [redeemed] = issuer.requests_to(f"{PATH}/par"), issuer.requests_to(f"{PATH}/token")
    assert (pushed.form["scope"], pushed.form["issuer_state"]) == ("kyc_scope", "waiting")
    assert (pushed.form["response_type"], pushed.form["code_challenge_method"]) == ("code", "S256")
    assert len(pushed.form["state"]) >= 43
    assert parse_qs(urlsplit(holder.visited).query) == {"client_id": ["pocket"], "request_uri": ["urn:x"]}
    assert urlsplit(holder.visited).path == f"{PATH}/authorize"
    verifier = redeemed.form["code_verifier"]
    assert pushed.form["code_challenge"] == b64url_encode(hashlib.sha256(verifier.encode()).digest())
    assert (redeemed.form["code"], redeemed.form["redirect_uri"]) == ("c-1", CALLBACK)
    [request] = issuer.requests_to(f"{PATH}/credential")
    assert parse_json(parse_jws(request.json["proofs"]["jwt"][0]).payload)["iss"] == "pocket"


async def test_without_a_scope_the_configuration_is_named(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    offer_by_page(issuer)
    del issuer.metadata["credential_configurations_supported"]["kyc"]["scope"]
    await receive(wallet, issuer, fetcher, Holder(issuer))
    form = issuer.requests_to(f"{PATH}/par")[0].form
    assert "scope" not in form
    assert parse_json(form["authorization_details"])[0]["credential_configuration_id"] == "kyc"


@pytest.mark.parametrize("iss", [None, "https://other.example", ""])
async def test_an_answer_of_another_server_is_refused(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, iss: str | None
) -> None:
    offer_by_page(issuer)
    for more in ({}, {"error": "access_denied", "code": None}):
        issuer.received.clear()
        with pytest.raises(RejectedError, match="Another server"):
            await receive(wallet, issuer, fetcher, Holder(issuer, {"iss": iss, **more}))
        assert issuer.requests_to(f"{PATH}/token") == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"state": "other"}, RejectedError),
        ({"state": None}, RejectedError),
        ({"state": "é"}, RejectedError),
        ({"code": None}, RejectedError),
        ({"code": ""}, RejectedError),
        ({"code": None, "error": "access_denied", "error_description": "no\u202e"}, RefusedError),
    ],
)
async def test_other_answers_redeem_nothing(
    wallet: Wallet,
    issuer: FakeIssuer,
    fetcher: Fetcher,
    changes: dict[str, str | None],
    kind: type[NegativeAnswerError],
) -> None:
    offer_by_page(issuer)
    with pytest.raises(kind) as caught:
        await receive(wallet, issuer, fetcher, Holder(issuer, changes))
    assert "\u202e" not in caught.value.detail
    assert issuer.requests_to(f"{PATH}/token") == []


async def test_a_server_that_does_not_do_it_safely_is_left_alone(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    for missing in (
        "authorization_endpoint",
        "pushed_authorization_request_endpoint",
        "authorization_response_iss_parameter_supported",
    ):
        del offer_by_page(issuer)[missing]
        with pytest.raises(UnsupportedError, match="safe way"):
            await receive(wallet, issuer, fetcher, Holder(issuer))
    assert issuer.requests_to(f"{PATH}/par") == []


async def test_a_pushed_request_may_be_refused(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    offer_by_page(issuer)
    issuer.routes[f"{PATH}/par"] = JSONResponse({"error": "invalid_client"}, status_code=401)
    with pytest.raises(RefusedError, match="invalid_client"):
        await receive(wallet, issuer, fetcher, Holder(issuer))


async def test_where_no_page_can_be_opened_nothing_is_asked(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    offer_by_page(issuer)
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    with pytest.raises(UsageError, match="own page"):
        await accept(wallet, proposal, tx_code=None, fetcher=fetcher, now=NOW)


async def test_the_browser_comes_back_to_a_loopback_address() -> None:
    async with open_callback() as callback, httpx2.AsyncClient() as browser:
        assert urlsplit(callback.redirect_uri).hostname == "127.0.0.1"
        origin = callback.redirect_uri.removesuffix("/callback")
        assert (await browser.get(f"{origin}/favicon.ico")).status_code == 404
        assert (await browser.post(callback.redirect_uri)).status_code == 404
        for garbage in (b"\r\n\r\n", b"GET\r\n\r\n", b"\xff\r\n\r\n", b"x" * 40_000):
            _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(origin).port)
            writer.write(garbage)
            writer.close()
        answer = await browser.get(f"{callback.redirect_uri}?code=c&state=s")
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert await callback.wait(1) == f"{callback.redirect_uri}?code=c&state=s"


async def test_nobody_waits_forever() -> None:
    async with open_callback() as callback:
        with pytest.raises(UsageError, match="in time"):
            await callback.wait(0.01)
