"""An investor with the command-line wallet in a folder of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.demo.processes import DemoError, Finished, run_command


class Holder:
    """Runs ``python -m service wallet ...`` as a separate process, with ``--json``."""

    def __init__(self, name: str, home: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.home = home
        self._settings = settings

    async def run(self, *arguments: str) -> Finished:
        """Run one wallet command to its end."""
        return await run_command("wallet", *arguments, "--home", str(self.home), "--json", settings=self._settings)

    async def ask(self, *arguments: str) -> Any:
        """Run one wallet command that has to succeed and return what it printed.

        Raises:
            DemoError: Exit code other than 0.
        """
        finished = await self.run(*arguments)
        if finished.code != 0:
            raise DemoError(f"wallet {arguments[0]}: exit {finished.code}: {(finished.err or finished.out).strip()}")
        return finished.json()

    async def accept(self, *offers: Mapping[str, Any]) -> Any:
        """Accept credential offers as the API returned them, in one call; one with a transaction code by itself."""
        codes = [part for offer in offers if offer.get("tx_code") for part in ("--tx-code", offer["tx_code"])]
        return await self.ask("accept", *(offer["deep_link"] for offer in offers), *codes, "--yes")
