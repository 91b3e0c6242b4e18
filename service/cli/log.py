"""``log``: check the transparency log."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.log_proofs import consistency, receipt
from service.cli.log_state import STATE_FILE, find_keys, read_saved_checkpoint, read_state, save_state
from service.cli.log_witness import witness as run_witness
from service.cli.output import JsonOption, new_app, print_json, printable
from service.cli.support import run_with_context
from service.credentials.cosignature import COSIGNATURE_V1
from service.credentials.signed_note import VerifierKey, parse_vkey
from service.errors import InvalidInputError
from service.fetch import Fetcher
from service.log.history import read_published
from service.log.identity import list_log_keys, log_url
from service.log.records import check_records
from service.log.sources import RemoteLog, StoredLog
from service.log.verification import LogReport, verify_log
from service.settings import load_settings
from service.web.context import Context

DATABASE = "database"
app = new_app("Check the transparency log.")
app.command()(consistency)
app.command()(receipt)
app.command("witness")(run_witness)


class LogSourceUnclearError(InvalidInputError):
    """Two places to read from were named."""

    code = "log_source_unclear"


@app.callback()
def root() -> None:
    """Check the transparency log."""


async def _verify_address(
    url: str, vkey: str | None, seen: Mapping[str, Any], cosigners: Sequence[VerifierKey]
) -> tuple[LogReport, list[VerifierKey]]:
    fetcher = Fetcher(load_settings().fetch_allow, allow_loopback=True)
    try:
        keys = await find_keys(fetcher, url, vkey, seen)
        log, saved = RemoteLog(fetcher, url), read_saved_checkpoint(seen)
        return await verify_log(log, expected_keys=keys, saved=saved, expected_cosigners=cosigners), keys
    finally:
        await fetcher.close()


async def _verify_database(
    context: Context, seen: Mapping[str, Any], cosigners: Sequence[VerifierKey]
) -> tuple[LogReport, list[VerifierKey]]:
    async with context.database.reading() as session:
        keys = await list_log_keys(session, context.base_url, context.clock())
        log, saved = StoredLog(session), read_saved_checkpoint(seen)
        report = await verify_log(log, expected_keys=keys, saved=saved, expected_cosigners=cosigners)
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
    witness: Annotated[list[str] | None, typer.Option(help="Key of a witness who must have cosigned.")] = None,
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
    cosigners = [parse_vkey(each, expected_algorithm=COSIGNATURE_V1) for each in witness or []]
    source = DATABASE if database else (url or log_url(settings.base_url)).rstrip("/")
    seen_all = read_state(file)
    seen = seen_all.get(source, {})
    if database:
        report, keys = run_with_context(lambda context: _verify_database(context, seen, cosigners))
    else:
        report, keys = asyncio.run(_verify_address(source, vkey, seen, cosigners))
    if not report.problems:
        save_state(file, seen_all, source, keys, report.note)
    if as_json:
        print_json(_describe(report, source))
    else:
        _print(report, source)
    raise typer.Exit(1 if report.problems else 0)
