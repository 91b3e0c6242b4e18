"""The root of all commands."""

from typing import Annotated

import typer

from service import __version__
from service.cli import admin, did, keys, orgs, rules, schemas, serve, wallet
from service.cli.support import new_app

app = new_app("Reusable investor credentials and a transfer gate.")
app.command()(admin.init)
app.command()(serve.serve)
app.add_typer(orgs.app, name="org")
app.add_typer(keys.app, name="keys")
app.add_typer(rules.app, name="rules")
app.add_typer(did.app, name="did")
app.add_typer(schemas.app, name="schemas")
app.add_typer(wallet.app, name="wallet")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"goodstanding {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reusable investor credentials and a transfer gate."""
