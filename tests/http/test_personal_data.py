"""Planted names, numbers and secrets travel through everything; none is found where it has no business."""

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from sqlalchemy import text
from sqlmodel import select

from service.credentials.key_proof import build_key_proof
from service.credentials.sd_jwt import parse_sd_jwt
from service.storage.tables import AuditEntry
from service.web.logs import configure_logs
from tests import issuing_support
from tests.deployment import Deployment
from tests.gate_support import Market, open_market

PERSON = {
    "given_name": "Canarygiven",
    "family_name": "Canaryfamily",
    "birthdate": "1961-07-09",
    "nationality": "IS",
    "country": "US",
    "state": "NY",
    "us_person": True,
    "age_over_18": True,
    "id_number": "CANARY-ID-55301",
    "id_type": "canary_passport",
    "address": {"street_address": "9 Canary Lane", "locality": "Canaryville", "country": "US"},
    "loa": "high",
    "verified_on": "2026-11-20",
}
NEVER_ASKED = ["Canarygiven", "Canaryfamily", "1961-07-09", "CANARY-ID-55301", "canary_passport", "Canary", "canary"]

REFUSE_OFFERS = "CREATE TRIGGER refuse BEFORE INSERT ON credential_offer BEGIN SELECT RAISE(ABORT, 'no'); END"


@dataclass
class Canaries:
    """What must not be found; secrets by the name of what they are."""

    claims: list[str] = field(default_factory=lambda: list(NEVER_ASKED))
    secrets: dict[str, str] = field(default_factory=dict)

    def found_in(self, text: str) -> set[str]:
        """Return the names of what stands in the text as a word of its own."""
        wanted = {value: value for value in self.claims} | self.secrets
        return {name for name, value in wanted.items() if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)}


@dataclass
class Watched:
    """A market whose logs and problems are kept for inspection."""

    market: Market
    logs: io.StringIO
    problems: list[str]
    canaries: Canaries = field(default_factory=Canaries)

    @property
    def deployment(self) -> Deployment:
        return self.market.deployment


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[io.StringIO]:
    """Everything that the service would log at the level DEBUG, and everything that libraries would."""
    written = io.StringIO()
    names = ("uvicorn.access", "httpx2", "sqlalchemy.engine", "aiosqlite")
    levels = {name: logging.getLogger(name).level for name in names}
    configure_logs("DEBUG")
    structlog.configure(
        **structlog.get_config()
        | {"logger_factory": structlog.PrintLoggerFactory(written)}
        | {"cache_logger_on_first_use": False}
    )
    caplog.set_level(logging.DEBUG)
    yield written
    structlog.reset_defaults()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
async def watched(sqlite_deployment: Deployment, logs: io.StringIO) -> Watched:
    problems: list[str] = []

    async def keep_problem(answer: httpx2.Response) -> None:
        if answer.status_code >= 400:
            problems.append((await answer.aread()).decode())

    sqlite_deployment.http.event_hooks = {"response": [keep_problem]}
    return Watched(await open_market(sqlite_deployment), logs, problems)


async def _issue(watched: Watched) -> str:
    """Let the KYC issuer's back office offer and the wallet redeem; return the credential."""
    deployment, wallet = watched.deployment, watched.market.scene.wallet
    issuer = watched.market.scene.kyc.member
    access = await deployment.headers(issuer, "issuer") | {"Idempotency-Key": "offer-once"}
    body = {"credential_configuration_id": "kyc", "claims": PERSON, "subject_ref": "person-1", "tx_code": True}
    made = (await deployment.http.post("/v1/credential-offers", json=body, headers=access)).json()
    holder = issuing_support.Wallet(deployment, issuer)
    code, nonce = await holder.read_code(made), await holder.fetch_nonce()
    wrong = await holder.request_token(made, tx_code="000000")
    assert wrong.status_code == 400
    token = (await holder.request_token(made, tx_code=made["tx_code"])).json()["access_token"]
    proof = build_key_proof(
        wallet.keys.jwk, sign=wallet.keys.sign, audience=holder.identifier, nonce=nonce, issued_at=deployment.clock()
    )
    request = {"credential_configuration_id": "kyc", "proofs": {"jwt": [proof]}}
    answer = await holder.request_credential(token, request)
    again = await holder.request_credential(token, request)
    assert (answer.status_code, again.status_code) == (200, 400)
    compact: str = answer.json()["credentials"][0]["credential"]
    watched.canaries.secrets |= {
        "API token": access["Authorization"].removeprefix("Bearer "),
        "API secret": issuer.credentials.client_secret,
        "tx_code": made["tx_code"],
        "pre-authorized code": code,
        "offer link": made["credential_offer_uri"].rpartition(".")[2],
        "access token": token,
        "c_nonce": nonce,
        "key proof": proof,
        "signature": compact.partition("~")[0].rpartition(".")[2],
    }
    watched.canaries.claims += parse_sd_jwt(compact).disclosures
    return compact


async def _present_and_trade(watched: Watched, credential: str) -> None:
    market = watched.market
    market.scene.wallet.held[0] = credential
    made = await market.scene.platform.ask(purpose="us.506c", investor_ref="ada", response_mode="direct_post.jwt")
    request = await market.scene.wallet.open(made)
    vp_token = market.scene.wallet.present(request)
    wrong = await market.scene.wallet.send(request | {"response_mode": "direct_post"}, vp_token)
    answer = await market.scene.wallet.send(request, vp_token)
    again = await market.scene.wallet.send(request, vp_token)
    assert (wrong.status_code, answer.status_code, again.status_code) == (400, 200, 400), answer.text
    assert (await market.scene.platform.read(made["id"]))["state"] == "verified"
    decision = await market.decide(market.buy("ada"))
    assert decision["outcome"] == "permit", decision["reasons"]
    assert (await market.settle(decision)).status_code == 200
    watched.canaries.secrets |= {"presentation": vp_token["kyc"][0], "presentation nonce": request["nonce"]}


async def _go_wrong(watched: Watched, credential: str) -> None:
    """Send the canaries where they are refused."""
    deployment, market = watched.deployment, watched.market
    issuer = market.scene.kyc.member
    access = await deployment.headers(issuer, "issuer")
    offer = {"credential_configuration_id": "kyc", "subject_ref": "person-1", "tx_code": False}
    wrong_claims: list[dict[str, Any]] = [
        {"birthdate": "Canary"},
        {"loa": "Canary"},
        {"unknown": "Canary"},
        {"given_name": ["Canarygiven"]},
    ]
    for changes in wrong_claims:
        body = offer | {"claims": PERSON | changes}
        refused = await deployment.http.post("/v1/credential-offers", json=body, headers=access)
        assert refused.status_code == 422
    for content in (b'{"claims": "Canaryfamily', b'{"a": "Canary", "a": "canary"}', b'["Canary"]'):
        headers = access | {"Content-Type": "application/json"}
        refused = await deployment.http.post("/v1/credential-offers", content=content, headers=headers)
        assert refused.status_code in (400, 422)
    secret = issuer.credentials.client_secret
    for form in (
        {"grant_type": "Canary", "client_id": issuer.credentials.client_id, "client_secret": secret},
        {"grant_type": "client_credentials", "client_id": "Canary", "client_secret": secret},
        {"grant_type": "client_credentials", "client_id": issuer.credentials.client_id, "client_secret": "Canary"},
    ):
        assert (await deployment.http.post("/oauth/token", data=form)).status_code in (400, 401)
    refused = await deployment.http.get("/v1/credentials/Canary", headers={"Authorization": f"Bearer {credential}"})
    assert refused.status_code == 401
    assert (await deployment.http.get("/issuers/Canary/offers/Canary")).status_code == 404
    for changes in ({"quantity": "Canary"}, {"buyer": {"investor_ref": "Canary Given"}}, {"unknown": "canary"}):
        assert (await market.post(market.buy("ada", **changes))).status_code == 422
    assert (await market.post(market.buy("ada", security_id="Canary"))).status_code == 404
    refused = await market.scene.platform.call("PUT", "/v1/investors/ada", {"screening": {"result": "Canary"}})
    assert refused.status_code == 422


async def _break_down(watched: Watched) -> None:
    """Let the database refuse what nobody expects it to refuse, below a request that carries the canaries."""
    async with watched.deployment.context.database.transaction() as session:
        await (await session.connection()).execute(text(REFUSE_OFFERS))
    access = await watched.deployment.headers(watched.market.scene.kyc.member, "issuer")
    body = {"credential_configuration_id": "kyc", "claims": PERSON, "subject_ref": "Canary", "tx_code": False}
    broken = await watched.deployment.http.post("/v1/credential-offers", json=body, headers=access)
    assert broken.status_code == 500


async def test_personal_data_and_secrets_stay_where_they_belong(
    watched: Watched, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    credential = await _issue(watched)
    await _present_and_trade(watched, credential)
    await _go_wrong(watched, credential)
    verdict = await watched.market.scene.platform.verify(credential=credential)
    metrics = (await watched.deployment.http.get("/metrics")).text
    records = await _read_audit(watched.deployment)
    stored = _read_files(tmp_path)
    await _break_down(watched)

    canaries = watched.canaries
    # The nets have meshes of the right size: what may show a canary is seen to show it.
    assert {"Canarygiven", "1961-07-09", "CANARY-ID-55301"} <= canaries.found_in(str(verdict))
    assert watched.logs.getvalue().count('"event": "request"') > 20
    assert '"exc_type": "IntegrityError"' in watched.logs.getvalue()
    assert len(watched.problems) > 15
    assert len(records) > 5
    assert "goodstanding_http_requests_total" in metrics
    assert "person-1" in stored

    assert canaries.found_in(watched.logs.getvalue()) == set()
    assert canaries.found_in(caplog.text) == set()
    assert canaries.found_in("\n".join(watched.problems)) == set()
    assert canaries.found_in(metrics) == set()
    assert canaries.found_in("\n".join(records)) == set()
    # The nonce of an open request is kept, as the wallet is asked for it; a venue keeps what it asked for, no more.
    assert canaries.found_in(stored) - {"presentation nonce"} == set()


async def _read_audit(deployment: Deployment) -> list[str]:
    async with deployment.context.database.reading() as session:
        return [f"{row.kind} {row.subject_id} {row.record}" for row in await session.exec(select(AuditEntry))]


def _read_files(folder: Path) -> str:
    """Return the bytes of the database with its write-ahead log, the keystore, and whatever else was written."""
    return "\n".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())
