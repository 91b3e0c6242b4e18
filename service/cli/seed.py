"""``seed``: the demo organisations and one security."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, print_json
from service.cli.support import run_with_context
from service.demo.seed import seed_deployment
from service.keys.files import replace_private_file
from service.settings import load_settings
from service.storage.migrate import upgrade
from service.web.context import Context


def seed(
    out: Annotated[Path | None, typer.Option(help="Write the seed document to this file, mode 0600.")] = None,
    _as_json: JsonOption = False,
) -> None:
    """Create the demo organisations and one security, on an empty database too; print or write what a client needs."""
    settings = load_settings()

    async def run(context: Context) -> dict[str, Any]:
        await upgrade(context.database)
        return await seed_deployment(context, settings.data_dir / "seed.json")

    document = run_with_context(run, with_schema=False)
    if out is None:
        print_json(document)
    else:
        replace_private_file(out, json.dumps(document, indent=2).encode())
        typer.echo(f"Seed document written to {out}.", err=True)
