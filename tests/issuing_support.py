"""A small wallet for tests: it redeems offers over HTTP as OpenID4VCI asks, and can be told to misbehave."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from service.credentials.key_proof import build_key_proof
from service.issuer.offers import PRE_AUTHORIZED_CODE_GRANT
from service.keys import PublicKey
from tests.deployment import Deployment, Member

KYC_CLAIMS = {
    "given_name": "Ada",
    "family_name": "Canary-Lovelace",
    "birthdate": "1985-12-10",
    "age_over_18": True,
    "nationality": "GB",
    "country": "US",
    "state": "NY",
    "loa": "high",
    "verified_on": "2026-11-20",
}


async def add_issuer(deployment: Deployment, slug: str = "kyc") -> Member:
    return await deployment.add_organization(slug, "issuer", attester_class="us_cpa")


def issuer_path(member: Member) -> str:
    return f"/issuers/{member.organization.slug}"


async def make_offer(deployment: Deployment, member: Member, **changes: Any) -> dict[str, Any]:
    """Create an offer through the back office; ``changes`` replace members of the body."""
    body = {
        "credential_configuration_id": "kyc",
        "claims": KYC_CLAIMS,
        "subject_ref": "investor-1",
        "tx_code": False,
    } | changes
    headers = await deployment.headers(member, "issuer")
    answer = await deployment.http.post("/v1/credential-offers", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@dataclass
class Wallet:
    """Holds keys; every step returns the HTTP answer as it came."""

    deployment: Deployment
    member: Member
    keys: list[PublicKey] = field(default_factory=list)

    @property
    def identifier(self) -> str:
        return f"{self.deployment.context.base_url}{issuer_path(self.member)}"

    def new_key(self, alg: str = "ES256") -> PublicKey:
        key = self.deployment.context.signer.create_key(alg)
        self.keys.append(key)
        return key

    async def read_offer(self, made: dict[str, Any]) -> dict[str, Any]:
        uri = parse_qs(urlsplit(made["deep_link"]).query)["credential_offer_uri"][0]
        answer = await self.deployment.http.get(uri)
        assert answer.status_code == 200, answer.text
        offer: dict[str, Any] = answer.json()
        return offer

    async def read_code(self, made: dict[str, Any]) -> str:
        offer = await self.read_offer(made)
        code: str = offer["grants"][PRE_AUTHORIZED_CODE_GRANT]["pre-authorized_code"]
        return code

    async def request_token(self, made: dict[str, Any], **changes: str) -> httpx2.Response:
        form = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": await self.read_code(made)}
        return await self.post_token(form | changes)

    async def post_token(self, form: dict[str, str], **headers: str) -> httpx2.Response:
        return await self.deployment.http.post(f"{issuer_path(self.member)}/token", data=form, headers=headers)

    async def fetch_nonce(self) -> str:
        answer = await self.deployment.http.post(f"{issuer_path(self.member)}/nonce")
        nonce: str = answer.json()["c_nonce"]
        return nonce

    def prove(self, nonce: str, key: PublicKey | None = None, **changes: Any) -> str:
        key = key or self.new_key()
        values = {"audience": self.identifier, "nonce": nonce, "issued_at": self.deployment.clock()} | changes
        return build_key_proof(key.jwk, sign=self.deployment.context.signer.signing_function(key.kid), **values)

    async def request_credential(self, token: str, body: Any, **headers: str) -> httpx2.Response:
        return await self.deployment.http.post(
            f"{issuer_path(self.member)}/credential", json=body, headers={"Authorization": f"Bearer {token}"} | headers
        )

    async def redeem(self, made: dict[str, Any], *, copies: int = 1) -> httpx2.Response:
        """Go all the way; returns the answer of the credential endpoint."""
        more = {"tx_code": made["tx_code"]} if "tx_code" in made else {}
        token = (await self.request_token(made, **more)).json()["access_token"]
        offer = await self.read_offer(made)
        nonce = await self.fetch_nonce()
        proofs = [self.prove(nonce) for _ in range(copies)]
        body = {
            "credential_configuration_id": offer["credential_configuration_ids"][0],
            "proofs": {"jwt": proofs},
        }
        return await self.request_credential(token, body)


async def get_token(wallet: Wallet, **changes: Any) -> str:
    made = await make_offer(wallet.deployment, wallet.member, **changes)
    token: str = (await wallet.request_token(made)).json()["access_token"]
    return token


def assert_error(answer: Any, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    description = answer.json()["error_description"]
    assert all(" " <= sign <= "~" and sign not in '"\\' for sign in description)
