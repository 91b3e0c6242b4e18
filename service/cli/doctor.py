"""``doctor``: check a live set-up, and say what to do where something is wrong."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import typer

from service.cli.doctor_checks import CHECKS, check_version
from service.cli.doctor_findings import Examined, Finding
from service.cli.doctor_settings import examine_settings, find_missing
from service.cli.output import JsonOption, print_json, printable
from service.cli.support import open_context
from service.errors import ServiceError
from service.settings import Settings, load_settings

_SIGNS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, files, database, keys, log and the running service; exit 1 if something is wrong."""
    found = asyncio.run(_examine(load_settings()))
    if as_json:
        print_json({"healthy": _is_healthy(found), "findings": [asdict(each) for each in found]})
    else:
        _print(found)
    if not _is_healthy(found):
        raise typer.Exit(1)


def _is_healthy(found: Sequence[Finding]) -> bool:
    return all(each.outcome != "fail" for each in found)


async def _examine(settings: Settings) -> list[Finding]:
    missing = find_missing(settings)
    if missing:
        return [missing]
    found = list(examine_settings(settings))
    try:
        async with open_context(settings, with_schema=False) as context:
            for check in CHECKS:
                found.append(await check(Examined(settings, context)))
                if check is check_version and found[-1].outcome == "fail":
                    break
    except ServiceError as error:
        found.append(Finding("deployment", "fail", error.detail, "See docs/settings.md."))
    return found


def _print(found: Sequence[Finding]) -> None:
    width = max(len(each.check) for each in found)
    for each in found:
        typer.echo(f"{_SIGNS[each.outcome]}  {each.check:<{width}}  {printable(each.detail)}")
        if each.remedy:
            typer.echo(f"{'':{width + 8}}{printable(each.remedy)}")
    counts = {outcome: sum(each.outcome == outcome for each in found) for outcome in _SIGNS}
    typer.echo(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} wrong")
