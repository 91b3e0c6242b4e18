"""``seed`` and ``demo``: the demo organisations, and the story that shows everything at work."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from service.cli.output import JsonOption, print_json
from service.cli.support import run_with_context
from service.composition import read_clock
from service.demo.seed import seed_deployment
from service.demo.story import tell_story
from service.keys.files import replace_private_file
from service.settings import load_settings
from service.web.context import Context


def seed(
    out: Annotated[Path | None, typer.Option(help="Write the seed document to this file, mode 0600.")] = None,
    _as_json: JsonOption = False,
) -> None:
    """Create the demo organisations and one security; print or write what a client needs to know."""
    settings = load_settings()

    async def run(context: Context) -> dict[str, Any]:
        return await seed_deployment(context, settings.data_dir / "seed.json")

    document = run_with_context(run)
    if out is None:
        print_json(document)
    else:
        replace_private_file(out, json.dumps(document, indent=2).encode())
        typer.echo(f"Seed document written to {out}.", err=True)


def demo(
    report: Annotated[Path | None, typer.Option(help="Write the story with pictures to this HTML file.")] = None,
) -> None:
    """Play the whole story on a fresh deployment; exit 0 only if every step came out as told."""
    console = Console(highlight=False, width=None)
    if not asyncio.run(tell_story(console, now=read_clock(), report=report)):
        raise typer.Exit(1)
