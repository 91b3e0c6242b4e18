"""``replay``: make a decision again from its bundle."""

import json
from pathlib import Path
from typing import Annotated

import typer

from service.errors import ServiceError
from service.gate.replay import replay_text


def replay(
    file: Annotated[Path, typer.Argument(help="Decision bundle, as GET /v1/transfers/{id}/bundle answers.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Re-evaluate a decision bundle offline.

    Exit 0 if outcome, reasons, obligations, hash and signature come out the same, 1 if not, 2 if it cannot be tried.
    """
    try:
        text = file.read_bytes()
        mismatches = replay_text(text)
    except (ServiceError, OSError) as error:
        typer.echo(error.detail if isinstance(error, ServiceError) else f"The file cannot be read: {file}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        decision = json.loads(text)["decision"]  # readable: it was just replayed
        hashed = {"decision_hash": decision["decision_hash"], "outcome": decision["payload"]["outcome"]}
        typer.echo(json.dumps({"same": not mismatches, "mismatches": mismatches, **hashed}))
    else:
        for line in mismatches or ["The decision comes out the same."]:
            typer.echo(line)
    raise typer.Exit(1 if mismatches else 0)
