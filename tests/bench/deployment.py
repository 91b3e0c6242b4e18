"""A deployment and a floor as processes of their own, and the data that the benchmarks need."""

import asyncio
import base64
import json
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from service.composition import build_context
from service.demo import cases
from service.demo.processes import free_port, run_command
from service.keys import FileKeystore
from service.settings import Settings, load_settings
from service.web.context import Context
from tests.bench.holder import BenchHolder, accreditation_claims
from tests.bench.load import Connection
from tests.bench.population.loader import count_loaded, load
from tests.bench.population.mold import Model
from tests.bench.processes import running_server

SCOPES = {"kyc": "issuer", "accreditor": "issuer", "platform": "verifier gate compliance"}
SECURITY, SALE, RESALE_QUANTITY = "bench", "reg-d", 10**6
TOKEN_AGE_S = 200.0  # below the lifetime of an access token
MODEL = "model"
FRESH_S = 20 * 3600  # a sanctions screen counts for 24 hours
SERVE = ("-m", "service", "serve")


@dataclass
class Bench:
    """One deployment: a folder with everything that it keeps, and its own floor.

    Attributes:
        folder: Survives the run if the caller wants to go on with it later.
        settings: Of the service.
        floor_database_url: Of the same kind as the service's.
        holder: Has a credential of each type.
    """

    folder: Path
    settings: dict[str, str]
    floor_database_url: str
    floor_url: str = ""
    holder: BenchHolder = field(init=False)
    seed: dict[str, Any] = field(default_factory=dict)
    pid: int = 0
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """Of the service."""
        return self.settings["GOODSTANDING_BASE_URL"]

    @property
    def model(self) -> Model:
        """Whose rows are copied."""
        return Model(self.seed["organizations"]["platform"]["org_id"], SECURITY, MODEL)

    def issuer_path(self, name: str) -> str:
        """Path of an issuer's identifier."""
        return f"/issuers/{self.seed['organizations'][name]['slug']}"

    async def authorize(self, name: str) -> dict[str, str]:
        """Return the headers of an organisation's call; its token is fetched again before it expires."""
        token, fetched_at = self._tokens.get(name, ("", 0.0))
        if not token or time.monotonic() - fetched_at > TOKEN_AGE_S:
            member = self.seed["organizations"][name]
            pair = base64.b64encode(f"{member['client_id']}:{member['client_secret']}".encode()).decode()
            form = f"grant_type=client_credentials&scope={SCOPES[name].replace(' ', '+')}"
            connection = Connection(self.base_url)
            reply = await connection.send_form("/oauth/token", form, {"Authorization": f"Basic {pair}"})
            connection.close()
            token = reply.json()["access_token"]
            self._tokens[name] = token, time.monotonic()
        return {"Authorization": f"Bearer {token}"}

    async def call(self, connection: Connection, name: str, method: str, path: str, body: Any) -> Any:
        """Call /v1 as an organisation.

        Raises:
            RuntimeError: Any answer but 2xx.
        """
        reply = await connection.send_json(method, path, body, await self.authorize(name))
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {reply.body!r}")
        return reply.json()

    async def offer(
        self, connection: Connection, name: str, configuration: str, claims: dict[str, Any], subject: str
    ) -> dict[str, Any]:
        """Let an issuer offer a credential."""
        body = {
            "credential_configuration_id": configuration,
            "claims": claims,
            "subject_ref": subject,
            "tx_code": False,
        }
        offer: dict[str, Any] = await self.call(connection, name, "POST", "/v1/credential-offers", body)
        return offer

    async def issue_all(self, connection: Connection, subject: str) -> BenchHolder:
        """Issue to a new holder what ``us.506c`` asks for."""
        keystore = FileKeystore(self.folder / f"keys-{subject}", secrets.token_hex(8))
        holder, now = BenchHolder.create(keystore), datetime.now(UTC)
        wanted = (
            ("kyc", "kyc", cases.identity_of_us_person(now.date())),
            ("kyc", "aml-screening", cases.screening(now)),
            ("accreditor", "qualified-investor", accreditation_claims()),
        )
        for name, configuration, claims in wanted:
            offer = await self.offer(connection, name, configuration, claims, subject)
            await holder.receive(connection, self.issuer_path(name), offer)
        return holder

    async def ask(self, connection: Connection, subject: str) -> dict[str, Any]:
        """Let the platform ask for a presentation."""
        body = {"purpose": "us.506c", "investor_ref": subject}
        request: dict[str, Any] = await self.call(connection, "platform", "POST", "/v1/presentation-requests", body)
        return request

    async def prepare(self) -> None:
        """Open a security, and admit the investor whose rows are copied, as well as one with a wallet."""
        connection = Connection(self.base_url)
        for path, body in _describe_security():
            await self.call(connection, "platform", "PUT", path, body)
        for subject in (MODEL, "wallet"):
            self.holder = await self.issue_all(connection, subject)
            await self.holder.answer(connection, await self.ask(connection, subject))
        await self.call(connection, "platform", "POST", f"/v1/securities/{SECURITY}/positions", {"lots": [_LOT]})
        connection.close()

    @asynccontextmanager
    async def serving(self, *, wrapper: Sequence[str] = SERVE, **environment: str) -> AsyncIterator[None]:
        """Run the service until the block is left."""
        arguments = (*wrapper, "--port", self.base_url.rpartition(":")[2])
        probe = f"{self.base_url}/readyz"
        started = running_server(arguments, self.settings | environment, probe=probe, log=self.folder / "service.log")
        async with started as self.pid:
            yield

    @asynccontextmanager
    async def flooring(self) -> AsyncIterator[None]:
        """Run the floor until the block is left."""
        port = free_port()
        self.floor_url = f"http://localhost:{port}"
        arguments = ("-m", "uvicorn", "tests.bench.floor:app", "--port", str(port))
        quiet = ("--no-access-log", "--log-level", "error")
        environment = {"FLOOR_DATABASE_URL": self.floor_database_url}
        probe, log = f"{self.floor_url}/ready", self.folder / "floor.log"
        async with running_server((*arguments, *quiet), environment, probe=probe, log=log):
            yield

    async def populate(self, target: int, say: Any) -> float:
        """Load investors, while no service runs; returns the seconds that it took."""
        async with self.open_context() as context:
            return await load(context, self.read_settings(), self.model, target, say)

    async def count(self) -> int:
        """Return how many investors are loaded."""
        async with self.open_context() as context:
            return await count_loaded(context, self.model)

    async def read_version(self) -> str:
        """Return kind and version of the database."""
        async with self.open_context() as context, context.database.engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")  # the version is asked for at the first statement
            version = ".".join(map(str, connection.dialect.server_version_info or sqlite3.sqlite_version_info))
            return f"{'SQLite' if context.database.is_sqlite else 'PostgreSQL'} {version}"

    @asynccontextmanager
    async def open_context(self) -> AsyncIterator[Context]:
        """Open what the service works with, in this process."""
        context = build_context(self.read_settings())
        try:
            yield context
        finally:
            await context.fetcher.close()
            await context.database.close()

    def read_settings(self) -> Settings:
        """Return the settings as the service reads them."""
        values = {name.removeprefix("GOODSTANDING_").lower(): value for name, value in self.settings.items()}
        return load_settings(**values)


_LOT = {
    "investor_ref": MODEL,
    "offering_id": SALE,
    "quantity": str(RESALE_QUANTITY),
    "acquired_on": (datetime.now(UTC).date() - timedelta(days=800)).isoformat(),
    "from": "issuer",
    "accredited": True,
}


def _describe_security() -> list[tuple[str, dict[str, Any]]]:
    """Return a security that no benchmark exhausts, and whose reservations outlast each."""
    started = (datetime.now(UTC).date() - timedelta(days=900)).isoformat()
    terms = {"name": "Bench Units", "issuer": "BENCH-ISSUER", "currency": "USD", "issued_quantity": str(10**15)}
    offering = {
        "regime": "us.506c",
        "issuer": "BENCH-ISSUER",
        "security": "equity",
        "reporting": False,
        "class_outstanding_since": started,
        "issuer_domestic": True,
    }
    path = f"/v1/securities/{SECURITY}"
    return [(path, terms | {"settle_within": 7 * 24 * 3600}), (f"{path}/offerings/{SALE}", offering)]


async def open_bench(folder: Path, database_url: str, floor_database_url: str) -> Bench:
    """Set up service and floor on two databases of the same kind, or find them as they were left."""
    kept = folder / "settings.json"
    if kept.exists():
        if time.time() - kept.stat().st_mtime > FRESH_S:
            raise RuntimeError(f"what {folder} holds was screened too long ago to be permitted; remove it")
        settings = json.loads(kept.read_text()) | {"GOODSTANDING_DATABASE_URL": database_url}
    else:
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "GOODSTANDING_BASE_URL": f"http://localhost:{free_port()}",
            "GOODSTANDING_DATA_DIR": str(folder / "data"),
            "GOODSTANDING_DATABASE_URL": database_url,
            "GOODSTANDING_LOG_LEVEL": "WARNING",
        }
    bench = Bench(folder, settings, floor_database_url)
    if not kept.exists():
        for command in (("init",), ("seed", "--out", str(folder / "seed.json"))):
            finished = await run_command(*command, settings=settings)
            if finished.code != 0:
                raise RuntimeError(finished.err)
    bench.seed = json.loads((folder / "seed.json").read_text())
    if not kept.exists():
        async with bench.serving():
            await bench.prepare()
            await asyncio.sleep(1)  # the log takes up what is left to it
        kept.write_text(json.dumps(settings))
    return bench
