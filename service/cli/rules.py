"""``rules``: list and show the rules, run scenario files."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, new_app, print_fields, print_json, print_table, printable
from service.rules.catalog import (
    REGIMES,
    RULES_SHA256,
    describe_regime,
    describe_rule,
    list_rules,
)
from service.rules.law import RULES_VERSION
from service.rules.purposes import PURPOSES, describe_purpose
from service.rules.scenario import Judgement, judge_text
from service.rules.scenario_text import ScenarioFileError

app = new_app("Rules with their citations, and the scenario files that test them.")


@app.command("list")
def list_all(as_json: JsonOption = False) -> None:
    """List regimes and rules."""
    rules = list_rules()
    if as_json:
        print_json(
            {
                "version": RULES_VERSION,
                "sha256": RULES_SHA256,
                "regimes": [describe_regime(regime) for regime in REGIMES.values()],
                "rules": [describe_rule(rule) for rule in rules.values()],
                "purposes": [describe_purpose(purpose) for purpose in PURPOSES.values()],
            }
        )
        return
    typer.echo(f"Rules {RULES_VERSION} (sha256 {RULES_SHA256})")
    print_table(
        ("rule", "basis", "confidence", "from", "citation"),
        [(rule.id, rule.basis, rule.confidence, rule.effective_from or "", rule.citation) for rule in rules.values()],
    )


@app.command()
def show(
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="A rule or a regime, such as us.506c.")],
    as_json: JsonOption = False,
) -> None:
    """Show one rule or regime: citation, source, dates, confidence, thresholds."""
    described = _describe(rule_id)
    if described is None:
        typer.echo(f"no rule or regime {printable(rule_id)}", err=True)
        raise typer.Exit(1)
    if as_json:
        print_json(described)
    else:
        print_fields({name: _to_line(value) for name, value in described.items()})


def _describe(rule_id: str) -> dict[str, Any] | None:
    if rule_id in REGIMES:
        return describe_regime(REGIMES[rule_id])
    rule = list_rules().get(rule_id)
    return describe_rule(rule) if rule else None


def _to_line(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} = {entry}" for name, entry in value.items())
    return "-" if value is None else str(value)


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
