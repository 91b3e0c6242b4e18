"""The whole story on the command line, against the running service."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from starlette.types import ASGIApp
from typer.testing import CliRunner, Result

from service.app import build_context, create_app
from service.cli.wallet import app
from service.keys import FileKeystore
from service.organizations.clients import create_client
from service.organizations.organizations import NewOrganization, allowed_scopes, create_organization
from service.organizations.setup import create_system_keys
from service.settings import Settings
from tests.certificate_support import new_root
from tests.loopback import serving
from tests.wallet_parties import FakeIssuer

KYC = {"given_name": "Ada", "family_name": "Lee", "birthdate": "1990-12-10", "country": "US", "loa": "high"}
AML = {"result": "clear", "screened_at": "2026-01-01T00:00:00Z", "lists": ["ofac@1"]}
ROLES = {"kyc": ("issuer",), "market": ("platform",)}
KYC_QUERY = {
    "credentials": [
        {
            "id": "kyc",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]},
            "claims": [{"path": ["country"]}, {"path": ["loa"]}],
        }
    ]
}


@dataclass
class Service:
    """The running service and one authorized HTTP client per organisation."""

    base_url: str
    clients: dict[str, httpx2.Client]

    def post(self, slug: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.clients[slug].post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made

    def get(self, slug: str, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.clients[slug].get(path).json()
        return found

    def offer(
        self, name: str, claims: dict[str, Any], *, tx_code: bool = False, deferred: bool = False
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"credential_configuration_id": name, "claims": claims, "subject_ref": "ada"}
        body |= {"tx_code": tx_code, "deferred": deferred}
        return self.post("kyc", "/v1/credential-offers", body)

    def ask(self, **body: Any) -> dict[str, Any]:
        return self.post("market", "/v1/presentation-requests", {"dcql_query": KYC_QUERY, **body})


async def _set_up(settings: Settings) -> dict[str, tuple[str, str]]:
    context, now = build_context(settings), datetime.now(UTC)
    made = {}
    async with context.database.transaction() as session:
        await create_system_keys(session, context.signer, now)
        for slug, roles in ROLES.items():
            new = NewOrganization(name=f"{slug.title()} Ltd", slug=slug, roles=roles)
            row = await create_organization(session, context.signer, settings.base_url, new, now)
            client = create_client(session, row, name="test", scopes=allowed_scopes(roles), now=now)
            made[slug] = (client.client_id, client.client_secret)
    await context.fetcher.close()
    await context.database.close()
    return made


@pytest.fixture
def quiet() -> Iterator[None]:
    """Keep the service's logs off standard output, which the commands of this process write to."""
    saved = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**saved)


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path, quiet: None) -> Iterator[Service]:
    secrets: dict[str, tuple[str, str]] = {}

    def make(base_url: str) -> ASGIApp:
        settings = Settings(base_url=base_url, data_dir=tmp_path / "data", database_url=sqlite_url, _env_file=None)
        secrets.update(asyncio.run(_set_up(settings)))
        return create_app(settings)

    with serving(make, lifespan="on") as base_url:
        clients = {slug: _sign_in(base_url, *secret) for slug, secret in secrets.items()}
        service = Service(base_url, clients)
        trusted = {"issuer": f"{base_url}/issuers/kyc", "credential_types": ["kyc", "aml-screening"]}
        assert clients["market"].put("/v1/trusted-issuers/kyc", json=trusted).status_code == 201
        yield service
        for client in clients.values():
            client.close()


def _sign_in(base_url: str, client_id: str, secret: str) -> httpx2.Client:
    form = {"grant_type": "client_credentials"}
    answer = httpx2.post(f"{base_url}/oauth/token", data=form, auth=(client_id, secret))
    assert answer.status_code == 200, answer.text
    return httpx2.Client(base_url=base_url, headers={"Authorization": f"Bearer {answer.json()['access_token']}"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOODSTANDING_WALLET_PASSPHRASE", "p")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "wallet"


def run(home: Path, command: str, *arguments: str, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, [command, *arguments, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == expect, result.output
    assert "\x1b" not in result.output
    return result


def run_json(home: Path, command: str, *arguments: str) -> Any:
    return json.loads(run(home, command, *arguments, "--json").stdout)


def test_several_offers_are_accepted_in_one_call(service: Service, home: Path) -> None:
    links = [service.offer("kyc", KYC)["deep_link"], service.offer("aml-screening", AML)["deep_link"]]
    refused = run(home, "accept", *links, "--yes", "--tx-code", "000", expect=2)
    assert "belongs to one offer" in refused.output
    run(home, "accept", links[0], "no offer", "--yes", expect=2)
    assert run_json(home, "list")["credentials"] == []  # all are read before the first is redeemed
    received = run_json(home, "accept", *links, "--yes")["credentials"]
    assert [item["claims"].keys() & {"country", "result"} for item in received] == [{"country"}, {"result"}]
    assert run_json(home, "list")["credentials"] == received[::-1]


def test_a_credential_that_comes_later_is_collected(service: Service, home: Path) -> None:
    made, other = (service.offer("kyc", KYC, deferred=True) for _ in range(2))
    answer = run_json(home, "accept", made["deep_link"], "--yes", "--copies", "2")
    assert (answer["credentials"], len(answer["pending"])) == ([], 1)
    assert "decides later" in run(home, "accept", other["deep_link"], "--yes").stdout
    assert "decides later" in run(home, "collect", expect=1).stdout
    service.post("kyc", f"/v1/credential-offers/{made['id']}/release", {})
    service.post("kyc", f"/v1/credential-offers/{other['id']}/deny", {})
    assert "credential_request_denied" in run(home, "collect", expect=1).output
    (kept,) = run_json(home, "list")["credentials"]
    assert kept["copies"] == 2
    assert run_json(home, "collect") == {"credentials": [], "pending": []}


def test_credential_is_accepted_shown_and_revoked(service: Service, home: Path) -> None:
    run_json(home, "init")
    made = service.offer("kyc", KYC, tx_code=True)
    run(home, "accept", made["deep_link"], "--yes", expect=2)
    run(home, "accept", made["deep_link"], "--tx-code", made["tx_code"], expect=2)
    run(home, "accept", made["deep_link"], "--yes", "--tx-code", "000", expect=1)
    card = run(home, "accept", made["deep_link"], "--yes", "--tx-code", made["tx_code"], "--copies", "2").stdout
    for text in ("Identity (KYC)", "Kyc Ltd", "Given name", "Ada", "Valid until"):
        assert text in card
    run(home, "accept", made["deep_link"], "--yes", "--tx-code", made["tx_code"], expect=1)  # used up
    (kept,) = run_json(home, "list", "--check")["credentials"]
    assert (kept["status"], kept["copies"], kept["issuer"]) == ("valid", 2, f"{service.base_url}/issuers/kyc")
    assert kept["claims"].items() >= KYC.items()

    request = service.ask()
    assert "Nobody" in run(home, "present", request["deep_link"], expect=2).output
    shown = run(home, "present", request["deep_link"], "--yes").stdout
    for text in ("Market Ltd", "did:web:localhost", "Will be shown", "Stays hidden", "Family name"):
        assert text in shown
    verdict = service.get("market", f"/v1/presentation-requests/{request['id']}")
    assert verdict["state"] == "verified", verdict
    assert verdict["credentials"][0]["claims"].keys() >= {"country", "loa"}
    assert "family_name" not in json.dumps(verdict)

    (granted,) = service.get("kyc", f"/v1/credential-offers/{made['id']}")["credentials"]
    service.post("kyc", f"/v1/credentials/{granted['id']}/status", {"status": "revoked", "reason": "withdrawn"})
    run(home, "present", service.ask()["deep_link"], "--yes", expect=1)
    outcomes = [entry["outcome"] for entry in run_json(home, "history")["presentations"]]
    assert outcomes == ["refused", "accepted"]
    run(home, "delete", kept["id"])
    assert run_json(home, "list") == {"credentials": []}


def test_answers_are_encrypted_and_declined(service: Service, home: Path) -> None:
    run(home, "accept", service.offer("kyc", KYC)["deep_link"], "--yes")
    request = service.ask(response_mode="direct_post.jwt", redirect_uri="https://market.example/done")
    answer = run_json(home, "present", request["web_link"], "--yes")
    assert answer["redirect_uri"].startswith("https://market.example/done")
    assert service.get("market", f"/v1/presentation-requests/{request['id']}")["state"] == "verified"
    request = service.ask(response_mode="direct_post.jwt")
    assert "declined" in run(home, "present", request["deep_link"], "--decline", expect=1).output
    assert service.get("market", f"/v1/presentation-requests/{request['id']}")["state"] == "rejected"


def test_two_credentials_answer_one_request(service: Service, home: Path) -> None:
    screened = AML | {"screened_at": f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}"}
    run(home, "accept", service.offer("kyc", KYC)["web_link"], "--yes", "--copies", "2")
    asked = KYC_QUERY["credentials"] + [
        {
            "id": "aml",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:goodstanding:vct:aml-screening:1"]},
            "claims": [{"path": ["result"]}],
        }
    ]
    request = service.ask(dcql_query={"credentials": asked})
    missing = run(home, "present", request["deep_link"], "--yes", expect=1).output
    assert "no credential of type aml-screening" in missing
    assert service.get("market", f"/v1/presentation-requests/{request['id']}")["state"] == "pending"
    run(home, "accept", service.offer("aml-screening", screened)["credential_offer_uri"], "--yes", "--copies", "2")
    run(home, "present", request["deep_link"], "--yes")
    verdict = service.get("market", f"/v1/presentation-requests/{request['id']}")
    assert verdict["state"] == "verified", verdict["checks"]


def test_a_transaction_that_cannot_be_shown_is_not_agreed_to(service: Service, home: Path) -> None:
    run(home, "accept", service.offer("kyc", KYC)["deep_link"], "--yes")
    request = service.ask(transaction_data=[{"type": "payment", "credential_ids": ["kyc"]}])
    run(home, "present", request["deep_link"], "--yes", expect=1)
    assert service.get("market", f"/v1/presentation-requests/{request['id']}")["state"] == "rejected"


def test_hostile_claims_and_names_never_reach_the_terminal(home: Path, party_signer: FileKeystore) -> None:
    made: list[FakeIssuer] = []

    def make(base_url: str) -> FakeIssuer:
        made.append(FakeIssuer(base_url, party_signer, datetime.now(UTC)))
        return made[0]

    with serving(make):
        issuer = made[0]
        issuer.claims = {"given_name": "\x1b[2J\u202eadA", "[red]family_name[/]": "[bold]\x07" + "x" * 10_000}
        issuer.metadata["display"] = [{"name": "\x1b]0;owned\x07Checks\u2066"}]
        shown = run(home, "accept", issuer.deep_link(), "--yes").output
        (kept,) = run_json(home, "list")["credentials"]
        shown += run(home, "list").output + run(home, "show", kept["id"]).output + run(home, "list", "--json").output
    assert not {"\x07", "\u202e", "\u2066"} & set(shown)
    assert "[red]family_name[/]" in shown
    assert "\\u{1b}[2J\\u{202e}adA" in shown
    assert kept["claims"] == issuer.claims


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "kyc-0000"],
        ["history"],
        ["delete", "kyc-0000"],
        ["present", "openid4vp://?client_id=a&request_uri=https://a.example", "--yes"],
    ],
)
def test_without_a_wallet_nothing_runs(home: Path, arguments: list[str]) -> None:
    assert "wallet init" in run(home, *arguments, expect=2).output


def test_unusable_input_is_no_answer(home: Path) -> None:
    run(home, "init")
    run(home, "show", "kyc-0000", expect=2)
    run(home, "accept", "hello", "--yes", expect=2)
    run(home, "accept", "http://127.0.0.1:9/offer", "--yes", expect=2)
    run(home, "present", "hello", "--yes", expect=2)
    run(home, "present", "hello", "--yes", "--decline", expect=2)
    run(home, "accept", "{}", "--yes", expect=1)
    assert "empty" in run(home, "list").output
    assert "Nobody" in run(home, "history").output


def test_another_passphrase_opens_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(home, "init")
    monkeypatch.setenv("GOODSTANDING_WALLET_PASSPHRASE", "other")
    assert "passphrase" in run(home, "list", expect=2).output


def test_the_holder_says_who_vouches_for_verifiers(home: Path, tmp_path: Path) -> None:
    root, keys = tmp_path / "root.pem", tmp_path / "keys.json"
    root.write_text(new_root(datetime.now(UTC), "Venue Root").pem)
    keys.write_text('{"keys": [{"kty": "EC"}]}')
    run(home, "init")
    assert "Nobody" in run(home, "trust").output
    run(home, "trust", "--attester", "https://attester.example", expect=2)
    run(home, "trust", "--anchors", str(keys), expect=1)
    listed = run_json(
        home, "trust", "--anchors", str(root), "--attester", "https://attester.example", "--keys", str(keys)
    )
    assert listed == {"anchors": ["CN=Venue Root"], "attesters": ["https://attester.example"]}
    assert run_json(home, "trust") == listed
