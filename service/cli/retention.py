"""``retention``: erase what is due."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, new_app, print_fields, print_json
from service.cli.support import run_with_context
from service.privacy.retention import RetentionReport, run_retention
from service.privacy.wrapping import renew_wrapping
from service.web.context import Context

app = new_app("Erase what no rule wants kept any more.")


@app.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is due.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase every investor, answer of a wallet and kept answer that is due; the service does it by itself too.

    Exit 0. Prints the names under which the rest of each investor stays; in a dry run their refs.
    """

    async def use(context: Context) -> RetentionReport:
        return await run_retention(context, dry_run=dry_run)

    described = _describe(run_with_context(use), dry_run=dry_run)
    if as_json:
        print_json(described)
        return
    verb = "to erase" if dry_run else "erased"
    for each in described["investors"] + described["persons"]:
        typer.echo(f"{verb}: {each['org_id']} {each['name']}")
    counts = (len(described["investors"]), len(described["persons"]), described["presentations"], described["answers"])
    typer.echo("{}: investors {}, persons {}, nameless answers of wallets {}, kept answers {}".format(verb, *counts))


@app.command("renew-keys")
def renew_keys(as_json: JsonOption = False) -> None:
    """Wrap every person's key anew; run an hour later, destroy what wrapped them before.

    Copies of the database from before then say nothing of who was erased since, but with a copy of the keystore of
    then.
    """
    done = asdict(run_with_context(renew_wrapping))
    if as_json:
        print_json(done)
    else:
        print_fields(done)


def _describe(report: RetentionReport, *, dry_run: bool) -> dict[str, Any]:
    investors, persons = (
        [{"org_id": org_id, "name": name} for org_id, name in each] for each in (report.investors, report.persons)
    )
    return {
        "dry_run": dry_run,
        "investors": investors,
        "persons": persons,
        "presentations": report.presentations,
        "answers": report.answers,
    }
