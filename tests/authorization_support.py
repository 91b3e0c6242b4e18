"""A wallet and a browser that go through the authorization code grant over HTTP, and can be told to misbehave."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2

from service.credentials.jose import b64url_encode
from tests.deployment import BASE_URL, Deployment, Member
from tests.issuing_support import Wallet, add_issuer, issuer_path, make_offer

CLIENT_ID = "wallet"
CALLBACK = "https://wallet.example/cb?tenant=1"


async def register_wallet(deployment: Deployment, member: Member, client_id: str = CLIENT_ID, **changes: Any) -> None:
    body = {"name": "Pocket", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"} | changes
    headers = await deployment.headers(member, "issuer")
    answer = await deployment.http.put(f"/v1/wallet-clients/{client_id}", json=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text


async def start(deployment: Deployment, slug: str = "kyc") -> "CodeWallet":
    """Make an issuer that knows a wallet."""
    member = await add_issuer(deployment, slug)
    await register_wallet(deployment, member)
    return CodeWallet(deployment, member)


def read_parameters(answer: httpx2.Response) -> dict[str, str]:
    """Return what the browser takes back to the wallet."""
    assert answer.status_code == 303, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{CALLBACK}&"), location
    parameters = dict(parse_qsl(urlsplit(location).query, keep_blank_values=True, strict_parsing=True))
    assert parameters.pop("tenant") == "1"
    return parameters


@dataclass
class Browser:
    """Keeps cookies of its own, and fills in the form of the page as it came."""

    deployment: Deployment
    cookies: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    action: str = ""

    async def open(self, address: str) -> httpx2.Response:
        return self._read(await self.deployment.http.get(address, headers=self._headers()))

    async def submit(self, decision: str = "allow", **changes: str) -> httpx2.Response:
        form = self.form | {"decision": decision} | changes
        return self._read(await self.deployment.http.post(self.action, data=form, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        self.deployment.http.cookies.clear()  # those of the test client belong to every browser at once
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _read(self, answer: httpx2.Response) -> httpx2.Response:
        for header in answer.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            self.cookies[name] = rest.partition(";")[0].strip('"')
        if "<form" in answer.text:
            self.form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text))
            [self.action] = re.findall(r'<form method="post" action="([^"]*)"', answer.text)
        return answer


@dataclass
class CodeWallet(Wallet):
    """A registered wallet; each step returns the HTTP answer as it came."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def path(self) -> str:
        return issuer_path(self.member)

    async def offer(self, **changes: Any) -> dict[str, Any]:
        return await make_offer(self.deployment, self.member, grant="authorization_code", **changes)

    async def read_issuer_state(self, made: dict[str, Any]) -> str:
        state: str = (await self.read_offer(made))["grants"]["authorization_code"]["issuer_state"]
        return state

    def request_form(self, **changes: str) -> dict[str, str]:
        challenge = b64url_encode(hashlib.sha256(self.verifier.encode()).digest())
        form = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": CALLBACK,
            "state": "state-1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "scope": "kyc",
        }
        return {name: value for name, value in (form | changes).items() if value}

    async def push(self, made: dict[str, Any] | None, headers: dict[str, str] | None = None, **changes: str) -> Any:
        form = self.request_form(**changes)
        if made is not None:
            form = {"issuer_state": await self.read_issuer_state(made)} | form
        return await self.deployment.http.post(f"{self.path}/par", data=form, headers=headers or {})

    def page(self, pushed: httpx2.Response, client_id: str = CLIENT_ID) -> str:
        assert pushed.status_code == 201, pushed.text
        query = httpx2.QueryParams({"client_id": client_id, "request_uri": pushed.json()["request_uri"]})
        return f"{self.path}/authorize?{query}"

    async def get_code(self, made: dict[str, Any], **changes: str) -> str:
        """Push, open and agree; returns the code."""
        browser = Browser(self.deployment)
        shown = await browser.open(self.page(await self.push(made, **changes), changes.get("client_id", CLIENT_ID)))
        assert shown.status_code == 200, shown.text
        more = {"tx_code": made["tx_code"]} if "tx_code" in made else {}
        return read_parameters(await browser.submit(**more))["code"]

    async def redeem_code(
        self, /, value: str, headers: dict[str, str] | None = None, **changes: str
    ) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "redirect_uri": CALLBACK,
            "code": value,
            "code_verifier": self.verifier,
        }
        sent = {name: value for name, value in (form | changes).items() if value}
        return await self.deployment.http.post(f"{self.path}/token", data=sent, headers=headers or {})

    async def refresh(self, token: str, headers: dict[str, str] | None = None, **changes: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": token} | changes
        return await self.deployment.http.post(f"{self.path}/token", data=form, headers=headers or {})

    async def get_credential(self, token: str, **named: str) -> httpx2.Response:
        named = named or {"credential_configuration_id": "kyc"}
        proof = self.prove(await self.fetch_nonce(), client_id=CLIENT_ID)
        return await self.request_credential(token, {**named, "proofs": {"jwt": [proof]}})


def read_request_uri(page: str) -> str:
    return parse_qs(urlsplit(page).query)["request_uri"][0]


ISSUER = f"{BASE_URL}/issuers/kyc"
