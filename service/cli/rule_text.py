"""Entries of the rule book as lines for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from service.cli.output import print_fields, print_table
from service.cli.rule_book import Entry

KINDS: Mapping[str, tuple[str, ...]] = {
    "regimes": ("id", "confidence", "source", "effective_from", "effective_to", "title", "citation"),
    "rules": ("id", "basis", "confidence", "source", "effective_from", "effective_to", "citation"),
    "tests": ("id", "confidence", "source", "effective_from", "category", "title", "citation"),
    "limits": ("id", "confidence", "source", "effective_from", "currency", "title", "citation"),
    "versions": ("id", "adopted_on", "rules", "regimes", "sha256"),
    "pending": ("id", "brings", "changes", "title"),
}
"""Kinds of ``rules list``, and their columns."""
_ROW = ("value", "effective_from", "effective_to", "citation", "pending")


def print_kinds(listed: Entry, kinds: Sequence[str]) -> None:
    """Print a table for each kind that has entries."""
    for kind in kinds:
        entries = listed["releases" if kind == "versions" else kind]
        if not entries:
            continue
        typer.echo(f"\n{kind} ({len(entries)})")
        print_table(
            [column.replace("effective_", "") for column in KINDS[kind]],
            [[_to_cell(entry.get(column)) for column in KINDS[kind]] for entry in entries],
        )


def print_entry(entry: Entry) -> None:
    """Print one entry: a name and a value a line, what has rows as a table."""
    tables = {name: rows for name, rows in _list_tables(entry).items() if rows}
    shown = {name: value for name, value in entry.items() if name not in {"parameters", "changes"}}
    thresholds = {name: value for name, value in (entry.get("parameters") or {}).items() if isinstance(value, str)}
    print_fields({name: _to_line(value) for name, value in {**shown, **thresholds}.items()})
    for name, rows in tables.items():
        columns = [column for column in rows[0] if any(row[column] for row in rows)]
        typer.echo(f"\n{name}")
        print_table(
            [column.replace("effective_", "") for column in columns],
            [[_to_cell(row[column]) for column in columns] for row in rows],
        )


def _list_tables(entry: Entry) -> dict[str, list[dict[str, Any]]]:
    scheduled = {name: value for name, value in (entry.get("parameters") or {}).items() if isinstance(value, list)}
    return {**{name: [_order(row) for row in rows] for name, rows in scheduled.items()}, "": entry.get("changes") or []}


def _order(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in _ROW}


def _to_cell(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    return "" if value is None else str(value)


def _to_line(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_to_line(entry)}" for name, entry in value.items()) or "-"
    return "-" if value is None else str(value)
