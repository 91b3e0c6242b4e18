"""``log``: check the transparency log."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, new_app, print_json, printable
from service.cli.support import run_with_context
from service.credentials.signed_note import (
    Checkpoint,
    VerifierKey,
    format_vkey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from service.errors import InvalidInputError, MalformedError, ServiceError
from service.fetch import Fetcher
from service.keys.files import replace_private_file
from service.log.identity import describe_log, log_url
from service.log.records import check_records
from service.log.sequencer import read_published
from service.log.sources import RemoteLog, StoredLog, fetch_verifier_key
from service.log.verification import LogReport, verify_log
from service.settings import load_settings
from service.web.context import Context

DATABASE = "database"
STATE_FILE = "log-seen.json"
app = new_app("Check the transparency log.")


class LogSourceUnclearError(InvalidInputError):
    """Two places to read from were named."""

    code = "log_source_unclear"


class LogStateError(ServiceError):
    """The file with the checkpoint seen before cannot be read."""

    code = "log_state_unusable"


@app.callback()
def root() -> None:
    """Check the transparency log."""


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, OSError):
        state = None
    if not isinstance(state, dict) or not all(isinstance(each, dict) for each in state.values()):
        raise LogStateError(f"The file {path.name} is damaged; without it, what was seen before is not compared.")
    return state


def _saved_checkpoint(seen: Mapping[str, Any]) -> Checkpoint | None:
    note = seen.get("checkpoint")
    try:
        return parse_checkpoint(parse_note(str(note).encode()).text) if note else None
    except MalformedError:
        raise LogStateError("The checkpoint seen before is damaged.") from None


def _save(path: Path, state: dict[str, Any], source: str, keys: list[VerifierKey], report: LogReport) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    state[source] = {"vkeys": [format_vkey(key) for key in keys], "checkpoint": report.note}
    replace_private_file(path, json.dumps(state, indent=2).encode())


async def _verify_address(url: str, vkey: str | None, seen: Mapping[str, Any]) -> tuple[LogReport, list[VerifierKey]]:
    fetcher = Fetcher(load_settings().fetch_allow, allow_loopback=True)
    try:
        known = [vkey] if vkey else seen.get("vkeys", [])
        keys = [parse_vkey(each) for each in known] or [await fetch_verifier_key(fetcher, url)]
        return await verify_log(RemoteLog(fetcher, url), expected_keys=keys, saved=_saved_checkpoint(seen)), keys
    finally:
        await fetcher.close()


async def _verify_database(context: Context, seen: Mapping[str, Any]) -> tuple[LogReport, list[VerifierKey]]:
    async with context.database.reading() as session:
        described = await describe_log(session, context.base_url, context.clock())
        keys = [parse_vkey(each) for each in described["vkeys"]]
        report = await verify_log(StoredLog(session), expected_keys=keys, saved=_saved_checkpoint(seen))
        published = read_published(context.data_dir)
        if published is not None and published.size > len(report.entries):
            report.problems.append(f"checkpoint: {published.size} entries were published.")
        if report.checkpoint is not None:
            report.problems += await check_records(session, report.entries)
    return report, keys


def _describe(report: LogReport, source: str) -> dict[str, Any]:
    head = report.checkpoint
    return {
        "valid": not report.problems,
        "source": source,
        "origin": head.origin if head else None,
        "size": head.size if head else 0,
        "root": head.root.hex() if head else None,
        "problems": report.problems,
    }


def _print(report: LogReport, source: str) -> None:
    for problem in report.problems:
        typer.echo(printable(problem))
    if not report.problems:
        size = report.checkpoint.size if report.checkpoint else 0
        typer.echo(f"All {size} entries of {printable(source)} are in place, under one signed checkpoint.")


@app.command()
def verify(
    url: Annotated[str | None, typer.Option(help="Address of the log; default: that of this deployment.")] = None,
    database: Annotated[bool, typer.Option("--database", help="Read the database, and open every record.")] = False,
    vkey: Annotated[str | None, typer.Option(help="Verifier key; default: as seen before, else as it says.")] = None,
    state: Annotated[Path | None, typer.Option(help="File with what was seen before.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the whole log: every entry, every tile, the signed head, and that it continues the one seen before.

    Exit 0 if all is well, 1 if not, 2 if it cannot be checked.
    """
    if database and (url or vkey):
        raise LogSourceUnclearError("--database reads no address and has the keys itself.")
    settings = load_settings()
    file = state or settings.data_dir / STATE_FILE
    source = DATABASE if database else (url or log_url(settings.base_url)).rstrip("/")
    seen_all = _read_state(file)
    seen = seen_all.get(source, {})
    if database:
        report, keys = run_with_context(lambda context: _verify_database(context, seen))
    else:
        report, keys = asyncio.run(_verify_address(source, vkey, seen))
    if not report.problems:
        _save(file, seen_all, source, keys, report)
    if as_json:
        print_json(_describe(report, source))
    else:
        _print(report, source)
    raise typer.Exit(1 if report.problems else 0)
