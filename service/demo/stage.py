"""Everything that the scenes of the story share."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from service.demo.client import OrganizationClient
from service.demo.holder import Holder
from service.demo.processes import free_port, running_service
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


@asynccontextmanager
async def open_stage(folder: Path, teller: Storyteller, now: datetime) -> AsyncIterator[Stage]:
    """Set up a fresh deployment in ``folder``, run it, and take it down afterwards."""
    settings = _make_settings(folder)
    async with AsyncExitStack() as closing:
        fetcher = Fetcher(allow_loopback=True)
        closing.push_async_callback(fetcher.close)
        with teller.step("operator", "Set up a new deployment on SQLite and start it") as step:
            await closing.enter_async_context(running_service(fetcher, settings, folder / "service.log", "--seed"))
            seed = json.loads((Path(settings["GOODSTANDING_DATA_DIR"]) / "seed.json").read_text())
            step.expect(True, "database migrated, keys made, demo organisations seeded, ready for requests")
        base, members = settings["GOODSTANDING_BASE_URL"], seed["organizations"]
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
