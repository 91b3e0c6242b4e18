"""The root of all commands; each is imported only when it is called, so that the wallet starts fast."""

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from service import __version__

# name -> module, attribute, one line of help; the order is that of ``--help``
COMMANDS = {
    "init": ("service.cli.admin", "init", "Create or migrate the database and make the deployment's own keys."),
    "seed": ("service.cli.seed", "seed", "Create the demo organisations and one security."),
    "serve": ("service.cli.serve", "serve", "Run the service."),
    "sample-platform": (
        "service.cli.sample_platform",
        "sample_platform",
        "A small platform, beside a running service.",
    ),
    "demo": ("service.cli.demo", "demo", "Play the whole story on a fresh deployment."),
    "org": ("service.cli.orgs", "app", "Organisations, their roles and their API clients."),
    "accounts": ("service.cli.accounts", "app", "People who work for an organisation, and links that sign them in."),
    "keys": ("service.cli.keys", "app", "Signing keys of organisations, and of the deployment itself."),
    "letters": ("service.cli.letters", "app", "Check a letter about a qualified investor against the record."),
    "wallet": ("service.cli.wallet", "app", "Keep credentials and show them: a holder on the command line."),
    "rules": ("service.cli.rules", "app", "Rules with their citations, and the scenario files that test them."),
    "log": ("service.cli.log", "app", "Check the transparency log."),
    "reconcile": ("service.cli.reconcile", "reconcile_registers", "Add up every register again from its rows."),
    "backup": ("service.cli.backup", "backup", "Copy database, keys and published head while the service runs."),
    "doctor": ("service.cli.doctor", "doctor", "Check a live set-up, and say what to do where something is wrong."),
    "restore": ("service.cli.backup", "restore", "Put a backup in place, unless its log is older than the published."),
    "retention": ("service.cli.retention", "app", "Erase what no rule wants kept any more."),
    "replay": ("service.cli.replay", "replay", "Re-evaluate a decision bundle offline."),
    "shadow": ("service.cli.shadow", "shadow", "Compare a venue's past trades with the rules; nothing is recorded."),
    "webhooks": ("service.cli.webhooks", "app", "Receive webhooks, have an example sent, have one sent again."),
    "did": ("service.cli.did", "app", "Decentralized identifiers."),
    "schemas": ("service.cli.schemas", "app", "Write or check the generated files."),
}


def _load(name: str) -> Any:
    """Return the click command behind a name."""
    module, attribute, summary = COMMANDS[name]
    found = getattr(importlib.import_module(module), attribute)
    if isinstance(found, typer.Typer):
        command: Any = typer.main.get_group(found)
    else:
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        single.command(name)(found)
        command = typer.main.get_command(single)
    command.name = name
    command.short_help = summary
    return command


class LazyCommands(TyperGroup):
    """A group that knows the names of its commands and loads one when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return every name, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one command, or None."""
        return _load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands from the table: loading each for its one line would take seconds."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_module, _attribute, summary) in COMMANDS.items()])


app = typer.Typer(
    cls=LazyCommands, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


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
