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

    async def accept(self, offer: Mapping[str, Any]) -> Any:
        """Accept a credential offer as the API returned it."""
        code = ("--tx-code", offer["tx_code"]) if offer.get("tx_code") else ()
        return await self.ask("accept", offer["deep_link"], *code, "--yes")
