"""A whole deployment inside the test process: real keys, real database, real HTTP stack without sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from service.app import create_app
from service.keys import FileKeystore
from service.organizations.clients import ClientCredentials, create_client
from service.organizations.organizations import NewOrganization, allowed_scopes, create_organization
from service.organizations.setup import create_system_keys
from service.settings import Settings
from service.storage.tables import Organization
from service.web.context import Context

BASE_URL = "http://localhost:8000"
PASSPHRASE = "correct horse battery staple"
START = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


_keystore_header: bytes | None = None


@dataclass
class TestClock:
    """A clock that moves when a test says so."""

    __test__ = False
    now: datetime = START
    database_ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return self.now

    async def read_as_database(self, _connection: AsyncConnection) -> datetime:
        """Be the database's clock too."""
        return self.now + self.database_ahead

    def advance(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@dataclass
class Member:
    """An organisation of the deployment with one API client that has every scope of its roles."""

    organization: Organization
    credentials: ClientCredentials

    @property
    def org_id(self) -> str:
        return self.organization.id


@dataclass
class Deployment:
    """The application, its context, a clock, and an HTTP client that talks to it."""

    app: FastAPI
    context: Context
    clock: TestClock
    http: httpx2.AsyncClient
    settings: Settings
    tokens: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    made: Any = None  # what a fixture under ``tests.prepared.prepared`` made of it

    async def add_organization(self, slug: str, *roles: str, scopes: set[str] | None = None, **more: Any) -> Member:
        new = NewOrganization(name=slug.title(), slug=slug, roles=roles, **more)
        async with self.context.database.transaction() as session:
            row = await create_organization(session, self.context.signer, self.context.base_url, new, self.clock())
            wanted = scopes or allowed_scopes(roles)
            credentials = create_client(session, row, name="test", scopes=wanted, now=self.clock())
        return Member(row, credentials)

    async def headers(self, member: Member, *scopes: str) -> dict[str, str]:
        """Return an Authorization header; the token is renewed when the test's clock has passed it."""
        wanted = " ".join(scopes)
        known = self.tokens.get((member.credentials.client_id, wanted))
        if known is None or known[1] <= self.clock():
            answer = await self.http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials", "scope": wanted},
                auth=(member.credentials.client_id, member.credentials.client_secret),
            )
            assert answer.status_code == 200, answer.text
            known = (answer.json()["access_token"], self.clock() + timedelta(seconds=answer.json()["expires_in"] - 10))
            self.tokens[member.credentials.client_id, wanted] = known
        return {"Authorization": f"Bearer {known[0]}"}


def prepare_keystore(data_dir: Path) -> None:
    """Give the deployment a keystore whose slow key derivation this process has done before; keys are its own."""
    global _keystore_header
    directory = data_dir / "keys"
    directory.mkdir(mode=0o700, exist_ok=True)
    if (directory / "keystore.json").exists():
        return
    if _keystore_header is None:
        FileKeystore(directory, PASSPHRASE)
        _keystore_header = (directory / "keystore.json").read_bytes()
    else:
        (directory / "keystore.json").write_bytes(_keystore_header)


@asynccontextmanager
async def running_deployment(
    database_url: str, data_dir: Path, *, with_sequencer: bool = False, **settings: Any
) -> AsyncIterator[Deployment]:
    """Open a deployment on a migrated database; without the sequencer, nothing changes but by requests."""
    prepare_keystore(data_dir)
    settings.setdefault("key_passphrase", PASSPHRASE)
    values = Settings(base_url=BASE_URL, data_dir=data_dir, database_url=database_url, _env_file=None, **settings)
    clock = TestClock()
    app = create_app(values, clock=clock, database_clock=clock.read_as_database, with_sequencer=with_sequencer)
    context: Context = app.state.context
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=BASE_URL) as http,
    ):
        async with context.database.transaction() as session:
            await create_system_keys(session, context.signer, clock())
        yield Deployment(app, context, clock, http, values)
