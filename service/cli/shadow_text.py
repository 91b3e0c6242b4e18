"""A comparison of past trades with the rules as lines for a terminal."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import typer

from service.cli.output import printable
from service.cli.shadow_comparison import AGREED, KINDS

MOST_ROWS = 12


def describe_setting(compared: Mapping[str, Any]) -> list[str]:
    """Return how the trades were judged, and what was assumed of them."""
    lines = [f"Judged by rules {compared['rules_version']}, each trade by the law of its date."]
    if compared["platform"]:
        lines.append(f"Facts that the file leaves out are those of {compared['platform']} today: credentials and")
        lines.append("screenings count by their own dates, lots and counters as they stand.")
    elif compared["defaults"] == "scenario":
        lines.append("Assumed where the file is silent: what scenario files assume (--defaults scenario).")
    else:
        lines.append("Nothing was assumed: a fact that the file leaves out is missing.")
    lines += [f"Assumed of every trade that does not say: {path} = {v}." for path, v in compared["assumed"].items()]
    return lines


def list_rows(rows: Sequence[int], most: int = MOST_ROWS) -> str:
    """Return row numbers, cut off where they are many."""
    more = f" and {len(rows) - most:,} more" if len(rows) > most else ""
    return f"{', '.join(map(str, rows[:most]))}{more}"


def describe_example(example: Mapping[str, Any]) -> str:
    """Return one trade of a group in a line."""
    parts = [f"row {example['row']}", *(str(example[n]) for n in ("reference", "action", "regime") if example.get(n))]
    evidence = [f"{name} {value}" for name, value in (example.get("evidence") or {}).items()]
    remedy = example.get("remedy") or {}
    until = [f"possible from {remedy['at']}"] if remedy.get("at") else []
    return "; ".join([f"{' '.join(parts)} on {example['trade_date']}", *evidence, *until])


def print_comparison(compared: Mapping[str, Any]) -> None:
    """Print the numbers, then each group with its citation, basis, rows and an example."""
    typer.echo(
        f"{compared['trades']:,} trades: {compared['agreed']:,} agree, {compared['disagreed']:,} disagree, "
        f"{compared['for_review']:,} for review, {compared['unjudged']:,} cannot be judged "
        f"({compared['trades_per_second']:,} trades/s)"
    )
    for line in describe_setting(compared):
        typer.echo(printable(line))
    for kind, groups in groupby(compared["groups"], key=lambda group: group["kind"]):
        typer.echo(f"\n{KINDS[kind].capitalize()}")
        for group in groups:
            _print_group(group, brief=kind in AGREED)


def _print_group(group: Mapping[str, Any], *, brief: bool) -> None:
    party = f" ({group['party']})" if group["party"] else ""
    head = [f"{group['code']}{party}" if group["code"] else "-", group["basis"] or "-", group["citation"] or "-"]
    typer.echo(printable(f"  {group['count']:>6,}  {'  '.join(head)}"))
    typer.echo(printable(f"          {group['message']}"))
    if not brief:
        typer.echo(f"          rows {list_rows(group['rows'])}")
        typer.echo(printable(f"          e.g. {describe_example(group['example'])}"))
