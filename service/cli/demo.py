"""``demo``: the story that shows everything at work."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.demo.story import tell_story


def demo(
    report: Annotated[Path | None, typer.Option(help="Write the story with pictures to this HTML file.")] = None,
) -> None:
    """Play the whole story on a fresh deployment; exit 0 only if every step came out as told."""
    console = Console(highlight=False, width=None)
    if not asyncio.run(tell_story(console, now=datetime.now(UTC), report=report)):
        raise typer.Exit(1)
