"""Everything that the scenes of the story share."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from service.demo.client import OrganizationClient
from service.demo.holder import Holder
from service.demo.processes import DemoError, free_port, run_command, running_service
from service.demo.storyteller import Storyteller
from service.fetch import Fetcher

NEW_YORK = ZoneInfo("America/New_York")


@dataclass
class Stage:
    """A running service, the three organisations' clients, and what earlier scenes left for later ones."""

    folder: Path
    settings: Mapping[str, str]
    teller: Storyteller
    fetcher: Fetcher
    seed: dict[str, Any]
    kyc: OrganizationClient
    accreditor: OrganizationClient
    platform: OrganizationClient
    now: datetime
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def security(self) -> dict[str, Any]:
        """The demo security of the seed document: ``id`` and ``offerings``."""
        found: dict[str, Any] = self.seed["organizations"]["platform"]["securities"]["demo"]
        return found

    def holder(self, name: str) -> Holder:
        """Return an investor with a wallet folder of their own."""
        return Holder(name, self.folder / "wallets" / name, self.settings)


def _make_settings(folder: Path) -> dict[str, str]:
    return {
        "GOODSTANDING_BASE_URL": f"http://localhost:{free_port()}",
        "GOODSTANDING_DATA_DIR": str(folder / "data"),
        "GOODSTANDING_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'data' / 'demo.sqlite3'}",
    }


async def _prepare(folder: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    seed_file = folder / "seed.json"
    finished = await run_command("seed", "--out", str(seed_file), settings=settings)
    if finished.code != 0:
        raise DemoError(f"seed: {finished.err.strip() or finished.out.strip()}")
    document: dict[str, Any] = json.loads(seed_file.read_text())
    return document


@asynccontextmanager
async def open_stage(folder: Path, teller: Storyteller, now: datetime) -> AsyncIterator[Stage]:
    """Set up a fresh deployment in ``folder``, run it, and take it down afterwards."""
    settings = _make_settings(folder)
    fetcher = Fetcher(allow_loopback=True)
    try:
        with teller.step("operator", "Set up a new deployment on SQLite") as step:
            seed = await _prepare(folder, settings)
            step.expect(True, "database migrated, keys made, demo organisations seeded")
        base, members = settings["GOODSTANDING_BASE_URL"], seed["organizations"]
        async with running_service(fetcher, settings, folder / "service.log"):
            yield Stage(
                folder,
                settings,
                teller,
                fetcher,
                seed,
                OrganizationClient(fetcher, base, members["kyc"], "issuer audit"),
                OrganizationClient(fetcher, base, members["accreditor"], "issuer audit"),
                OrganizationClient(fetcher, base, members["platform"], "verifier gate compliance audit"),
                now,
            )
    finally:
        await fetcher.close()
