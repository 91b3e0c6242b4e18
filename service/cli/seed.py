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


async def seed_database(context: Context) -> dict[str, Any]:
    """Migrate the database and create what is missing; return the seed document, which is kept in the data directory.

    Args:
        context: Opened without a look at its schema.
    """
    await upgrade(context.database, context.signer)
    return await seed_deployment(context, load_settings().data_dir / "seed.json")


def seed(
    out: Annotated[Path | None, typer.Option(help="Write the seed document to this file, mode 0600.")] = None,
    _as_json: JsonOption = False,
) -> None:
    """Create the demo organisations and one security, on an empty database too; print or write what a client needs."""
    document = run_with_context(seed_database, with_schema=False)
    if out is None:
        print_json(document)
    else:
        replace_private_file(out, json.dumps(document, indent=2).encode())
        typer.echo(f"Seed document written to {out}.", err=True)
