"""A deployment as operators make one: set up by commands, open to as many service processes as a test starts."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from service.demo import cases
from service.demo.processes import free_port, run_command
from service.keys import FileKeystore
from tests.bench.holder import BenchHolder, accreditation_claims
from tests.bench.load import Connection
from tests.faults.population import copy_investor
from tests.faults.processes import SERVE, ServiceProcess

SECURITY, OFFERING, ISSUED = "capped", "reg-d", 1_000_000
PLATFORM_SCOPES = ("gate", "verifier", "compliance", "audit")
OFFERING_TERMS = {
    "regime": "us.506c",
    "reporting": False,
    "class_outstanding_since": "2025-01-01",
    "security": "equity",
    "issuer_domestic": True,
}


@dataclass
class Member:
    """An organisation's program: calls /v1 of whichever process it is given."""

    name: str
    org_id: str
    slug: str
    client_id: str
    client_secret: str
    scopes: Sequence[str]
    _headers: dict[str, str] = field(default_factory=dict)

    async def authorize(self, http: httpx2.AsyncClient, *, anew: bool = False) -> dict[str, str]:
        """Return the Authorization header; a token lasts for five minutes, so that ``anew`` may be needed."""
        if anew or not self._headers:
            form = {"grant_type": "client_credentials", "scope": " ".join(self.scopes)}
            answer = await http.post("/oauth/token", data=form, auth=(self.client_id, self.client_secret))
            assert answer.status_code == 200, answer.text
            self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self._headers

    def known_headers(self) -> dict[str, str]:
        """Return the Authorization header that was fetched before."""
        return self._headers

    async def call(self, http: httpx2.AsyncClient, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return the JSON of an answer that must be 2xx."""
        access = await self.authorize(http)
        answer = await http.request(method, path, json=body, headers=access | headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@dataclass
class Estate:
    """The organisations of a seeded deployment and, after ``open_market``, a capped security with investors."""

    folder: Path
    settings: Mapping[str, str]
    members: Mapping[str, Member]

    def process(self, *, command: Sequence[str] = SERVE) -> ServiceProcess:
        """Describe one more service process; nothing is started."""
        return ServiceProcess(self.settings, self.folder / "service.log", command=command)

    @property
    def database_url(self) -> str:
        return self.settings["GOODSTANDING_DATABASE_URL"]

    def copy_to(self, folder: Path, database_url: str) -> "Estate":
        """Return a deployment like this one, which must have stopped, on a copy of its database."""
        shutil.copytree(self.folder, folder)
        moved = replace(self, folder=folder, settings={**self.settings, "GOODSTANDING_DATA_DIR": str(folder / "data")})
        return moved.with_database(database_url)

    def with_database(self, database_url: str) -> "Estate":
        """Return the same deployment, reaching its database by another address."""
        settings = {**self.settings, "GOODSTANDING_DATABASE_URL": database_url}
        members = {name: replace(each, _headers={}) for name, each in self.members.items()}
        return replace(self, settings=settings, members=members)

    async def command(self, *arguments: str) -> Any:
        """Run a command of the service that must succeed, and return its JSON."""
        finished = await run_command(*arguments, "--json", settings=self.settings)
        assert finished.code == 0, finished.err or finished.out
        return finished.json()

    async def open_market(self, url: str, venues: Sequence[str], *, cap: int, settle_within: int = 600) -> None:
        """Make the capped security of the first venue, and let the others gate on it."""
        registrar = self.members[venues[0]]
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
            await self._put_security(http, registrar, cap, settle_within)
            for name in venues[1:]:
                venue = self.members[name]
                await registrar.call(http, "PUT", f"/v1/securities/{SECURITY}/grants/{venue.org_id}", {})
                await self._trust_issuers(http, venue)

    async def _put_security(self, http: httpx2.AsyncClient, registrar: Member, cap: int, settle_within: int) -> None:
        terms: dict[str, Any] = {
            "name": "Capped Units",
            "issuer": "CAPPED",
            "currency": "USD",
            "issued_quantity": str(ISSUED),
        }
        terms |= {"caps": {"holders": cap}, "settle_within": settle_within}
        await registrar.call(http, "PUT", f"/v1/securities/{SECURITY}", terms)
        await registrar.call(http, "PUT", f"/v1/securities/{SECURITY}/offerings/{OFFERING}", OFFERING_TERMS)

    async def _trust_issuers(self, http: httpx2.AsyncClient, venue: Member) -> None:
        base = self.settings["GOODSTANDING_BASE_URL"]
        for name, types in (("kyc", ["kyc", "aml-screening"]), ("accreditor", ["qualified-investor"])):
            issuer = f"{base}/issuers/{self.members[name].slug}"
            trust = {"issuer": issuer, "credential_types": types, "jurisdictions": []}
            trust["attester_class"] = "kyc_provider" if name == "kyc" else "us_cpa"
            await venue.call(http, "PUT", f"/v1/trusted-issuers/{name}", trust)

    async def admit(self, url: str, venue: str, ref: str) -> str:
        """Bring one investor through issuing and presentation; return the id of their accreditation."""
        connection, holder = Connection(url), BenchHolder.create(FileKeystore(self.folder / "holders", "unimportant"))
        now = datetime.now(UTC)
        wanted = (
            ("kyc", "kyc", cases.identity_of_us_person(now.date())),
            ("kyc", "aml-screening", cases.screening(now)),
            ("accreditor", "qualified-investor", accreditation_claims()),
        )
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
            for issuer, configuration, claims in wanted:
                offer = {"credential_configuration_id": configuration, "claims": claims, "subject_ref": ref}
                issuing = self.members[issuer]
                made = await issuing.call(http, "POST", "/v1/credential-offers", offer | {"tx_code": False})
                await holder.receive(connection, f"/issuers/{issuing.slug}", made)
            ask = {"purpose": "us.506c", "investor_ref": ref}
            await holder.answer(
                connection, await self.members[venue].call(http, "POST", "/v1/presentation-requests", ask)
            )
            held = await self.members["accreditor"].call(http, "GET", f"/v1/credentials?subject_ref={ref}")
        connection.close()
        return str(held["data"][0]["id"])

    async def populate(self, url: str, venue: str, refs: Sequence[str]) -> None:
        """Give a venue investors who may all buy."""
        await self.admit(url, venue, f"{venue}-first")
        await copy_investor(self.settings, self.members[venue].org_id, f"{venue}-first", refs)


def purchase(buyer: str, quantity: int = 1) -> dict[str, Any]:
    """Return the body of a primary purchase."""
    return cases.purchase(SECURITY, OFFERING, buyer) | {"quantity": str(quantity)}


async def prepare_market(folder: Path, database_url: str, refs: Sequence[str], *venues: str) -> Estate:
    """Seed an empty database, make the capped security and admit ``refs`` at each venue; nothing runs any more."""
    estate = await _prepare_estate(folder, database_url, with_venue="venue" in venues)
    process = estate.process()
    try:
        await process.start()
        await estate.open_market(process.url, venues, cap=100)
        for name in venues:
            await estate.populate(process.url, name, refs)
    finally:
        await process.stop()
    return estate


async def _prepare_estate(folder: Path, database_url: str, *, with_venue: bool) -> Estate:
    folder.joinpath("holders").mkdir(mode=0o700, parents=True)
    settings = {
        "GOODSTANDING_BASE_URL": f"http://localhost:{free_port()}",
        "GOODSTANDING_DATA_DIR": str(folder / "data"),
        "GOODSTANDING_DATABASE_URL": database_url,
        "GOODSTANDING_LOG_LEVEL": "WARNING",
    }
    seeded = await run_command("seed", settings=settings)
    assert seeded.code == 0, seeded.err
    organizations = seeded.json()["organizations"]
    members = {name: _read_member(name, organizations[name]) for name in ("kyc", "accreditor", "platform")}
    estate = Estate(folder, settings, members)
    if with_venue:
        made = await estate.command("org", "create", "Second Venue", "--slug", "second-venue", "--role", "platform")
        scopes = [word for scope in PLATFORM_SCOPES for word in ("--scope", scope)]
        client = await estate.command("org", "client", "second-venue", *scopes)
        entry = {"org_id": made["id"], "slug": made["slug"]} | client
        estate = Estate(folder, settings, members | {"venue": _read_member("venue", entry)})
    return estate


def _read_member(name: str, entry: Mapping[str, Any]) -> Member:
    scopes = ("issuer", "audit") if name in ("kyc", "accreditor") else PLATFORM_SCOPES
    return Member(name, entry["org_id"], entry["slug"], entry["client_id"], entry["client_secret"], scopes)
