"""A deployment and a floor as processes of their own, and the data that the benchmarks need."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.demo import cases
from service.demo.client import OrganizationClient
from service.demo.processes import free_port, run_command, running_service
from service.fetch import Fetcher
from service.keys import FileKeystore
from tests.bench.holder import BenchHolder, accreditation_claims
from tests.bench.load import Connection


@dataclass
class Bench:
    """What every benchmark needs; ``holders`` have three credentials each and are known to the platform."""

    base_url: str
    floor_url: str
    seed: dict[str, Any]
    kyc: OrganizationClient
    accreditor: OrganizationClient
    platform: OrganizationClient
    platform_token: str
    keystore: FileKeystore
    holders: list[tuple[str, BenchHolder]] = field(default_factory=list)

    def issuer_path(self, name: str) -> str:
        return f"/issuers/{self.seed['organizations'][name]['slug']}"

    async def offer(self, name: str, configuration: str, claims: dict[str, Any], subject: str) -> dict[str, Any]:
        client = self.kyc if name == "kyc" else self.accreditor
        body = {
            "credential_configuration_id": configuration,
            "claims": claims,
            "subject_ref": subject,
            "tx_code": False,
        }
        offer: dict[str, Any] = await client.post("/v1/credential-offers", body)
        return offer

    async def issue_all(self, connection: Connection, subject: str) -> BenchHolder:
        holder, now = BenchHolder.create(self.keystore), datetime.now(UTC)
        wanted = (
            ("kyc", "kyc", cases.identity_of_us_person(now.date())),
            ("kyc", "aml-screening", cases.screening(now)),
            ("accreditor", "qualified-investor", accreditation_claims()),
        )
        for name, configuration, claims in wanted:
            offer = await self.offer(name, configuration, claims, subject)
            await holder.receive(connection, self.issuer_path(name), offer)
        return holder

    async def ask(self, subject: str) -> dict[str, Any]:
        request: dict[str, Any] = await self.platform.post(
            "/v1/presentation-requests", {"purpose": "us.506c", "investor_ref": subject}
        )
        return request

    async def admit(self, count: int) -> None:
        """Bring ``count`` investors through issuing and presentation."""
        connection = Connection(self.base_url)
        for number in range(count):
            subject = f"bench-{number}"
            holder = await self.issue_all(connection, subject)
            await holder.answer(connection, await self.ask(subject))
            self.holders.append((subject, holder))
        connection.close()


@asynccontextmanager
async def _running_floor(database_url: str, log: Path) -> AsyncIterator[str]:
    port = free_port()
    arguments = (
        "-m",
        "uvicorn",
        "tests.bench.floor:app",
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "error",
    )
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdout=output,
            stderr=output,
            env={**os.environ, "FLOOR_DATABASE_URL": database_url},
        )
    url = f"http://localhost:{port}"
    try:
        for _ in range(200):
            try:
                await Connection(url).request("GET", "/ready")
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def open_bench(folder: Path, database_url: str, floor_database_url: str) -> AsyncIterator[Bench]:
    """Set up service and floor on two databases of the same kind."""
    settings = {
        "GOODSTANDING_BASE_URL": f"http://localhost:{free_port()}",
        "GOODSTANDING_DATA_DIR": str(folder / "data"),
        "GOODSTANDING_DATABASE_URL": database_url,
        "GOODSTANDING_LOG_LEVEL": "WARNING",
    }
    for command in (("init",), ("seed", "--out", str(folder / "seed.json"))):
        finished = await run_command(*command, settings=settings)
        if finished.code != 0:
            raise RuntimeError(finished.err)
    seed = json.loads((folder / "seed.json").read_text())
    fetcher = Fetcher(allow_loopback=True)
    base, members = settings["GOODSTANDING_BASE_URL"], seed["organizations"]
    async with (
        running_service(fetcher, settings, folder / "service.log"),
        _running_floor(floor_database_url, folder / "floor.log") as floor_url,
    ):
        clients = [
            OrganizationClient(fetcher, base, members[name], scope)
            for name, scope in (
                ("kyc", "issuer audit"),
                ("accreditor", "issuer audit"),
                ("platform", "verifier gate compliance audit"),
            )
        ]
        token = await clients[2].authorize()
        keystore = FileKeystore(folder / "holders", secrets.token_hex(8))
        yield Bench(base, floor_url, seed, clients[0], clients[1], clients[2], token, keystore)
    await fetcher.close()
