"""``rules``: list and show the rules, run scenario files."""

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, new_app, print_json, printable
from service.cli.rule_book import find_entries, list_all, suggest_ids
from service.cli.rule_text import print_entry, print_kinds
from service.rules.catalog import RULES_SHA256
from service.rules.law import RULES_VERSION
from service.rules.scenario import Judgement, judge_text
from service.rules.scenario_text import ScenarioFileError

app = new_app("Rules with their citations, and the scenario files that test them.")


class ListedKind(StrEnum):
    """What ``rules list`` can be narrowed to."""

    REGIMES = "regimes"
    RULES = "rules"
    TESTS = "tests"
    LIMITS = "limits"
    VERSIONS = "versions"
    PENDING = "pending"


@app.command("list")
def list_entries(
    kind: Annotated[ListedKind | None, typer.Option(help="Only these.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List regimes, rules, investor tests, limits, versions and pending law."""
    listed = list_all()
    if as_json:
        named = "releases" if kind == ListedKind.VERSIONS else kind
        print_json({name: listed[name] for name in ("version", "sha256", named)} if named else listed)
        return
    typer.echo(f"Rules {RULES_VERSION} (sha256 {RULES_SHA256})")
    print_kinds(listed, [kind] if kind else list(ListedKind))


@app.command()
def show(
    entry_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A regime, rule, investor test, limit, reason code, category, action, version, pending law, "
            "or the beginning of ids, such as us.12g.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show what an id stands for: citation, source, confidence, dates, thresholds; exit 1 if it is unknown."""
    entries = find_entries(entry_id)
    if not entries:
        near = suggest_ids(entry_id)
        like = f"; similar: {', '.join(near)}" if near else ""
        typer.echo(f"nothing is called {printable(entry_id)}{like}", err=True)
        raise typer.Exit(1)
    if as_json:
        print_json({**entries[0], "also": entries[1:]})
        return
    for number, entry in enumerate(entries):
        typer.echo("\n" if number else "", nl=False)
        print_entry(entry)


@app.command("test")
def run_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenario files, YAML or JSON.")],
    as_json: JsonOption = False,
) -> None:
    """Run scenario files; exit 1 if any scenario fails, 2 if a file cannot be read."""
    started, passed, failures = time.perf_counter(), 0, list[dict[str, Any]]()
    for file in files:
        for judgement in _judge_file(file):
            if not judgement.mismatches:
                passed += 1
                continue
            failures.append({"file": str(file), "id": judgement.scenario_id, "mismatches": list(judgement.mismatches)})
            if not as_json:
                for mismatch in judgement.mismatches:
                    typer.echo(f"{printable(judgement.scenario_id)}: {printable(mismatch)}")
    if as_json:
        print_json(
            {
                "passed": passed,
                "failed": len(failures),
                "seconds": round(time.perf_counter() - started, 3),
                "failures": failures,
            }
        )
    else:
        typer.echo(f"{passed} passed, {len(failures)} failed")
    raise typer.Exit(1 if failures else 0)


def _judge_file(file: Path) -> Iterator[Judgement]:
    try:
        yield from judge_text(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        typer.echo(f"{file}: {reason}", err=True)
        raise typer.Exit(2) from error
    except ScenarioFileError as error:
        typer.echo(f"{file}: {printable(error.detail)}", err=True)
        raise typer.Exit(2) from error
