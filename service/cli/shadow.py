"""``shadow``: a venue's past trades through the rules, beside what happened to them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.orgs import find_by_slug
from service.cli.output import JsonOption, print_json
from service.cli.shadow_comparison import Answer, compare
from service.cli.shadow_judging import NEEDED_BY_PLATFORM, NEEDED_OFFLINE, judge_by_platform, judge_offline
from service.cli.shadow_report import write_report
from service.cli.shadow_text import print_comparison
from service.cli.shadow_trades import Trade, TradeFileError, read_trades
from service.cli.support import run_with_context
from service.errors import ServiceError
from service.rules.law import choose_law
from service.web.context import Context

STEP = 1000


class Defaults(StrEnum):
    """What stands for a fact that a row leaves out."""

    NONE = "none"
    SCENARIO = "scenario"


def shadow(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Past trades, a row each; see docs/shadow.md.")],
    platform: Annotated[
        str | None,
        typer.Option(metavar="SLUG", help="Take what columns leave out from this platform's register and standings."),
    ] = None,
    defaults: Annotated[
        Defaults, typer.Option(help="scenario: assume what scenario files assume of absent facts.")
    ] = Defaults.NONE,
    fact: Annotated[
        list[str] | None, typer.Option(metavar="PATH=VALUE", help="A fact of every row that does not state it.")
    ] = None,
    rules_version: Annotated[str | None, typer.Option(help="VERSION or VERSION+LW-... to judge by.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the comparison with a picture to this HTML file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge past trades as of their dates, and compare; nothing is recorded.

    Exit 0 if all agree, 1 if some do not or cannot be judged, 2 if it cannot be tried.
    """
    try:
        compared = _compare(file, platform, defaults, dict(map(_split_fact, fact or ())), rules_version)
        if report:
            write_report(report, compared, file=file.name, written_at=datetime.now(UTC))
    except (ServiceError, OSError, UnicodeDecodeError) as error:
        typer.echo(_describe(error, file), err=True)
        raise typer.Exit(2) from None
    if as_json:
        print_json(compared)
    else:
        print_comparison(compared)
    raise typer.Exit(0 if compared["agreed"] == compared["trades"] else 1)


def _describe(error: Exception, file: Path) -> str:
    if isinstance(error, ServiceError):
        return error.detail
    return f"{file}: {'not UTF-8' if isinstance(error, UnicodeDecodeError) else 'cannot be read or written'}"


def _split_fact(text: str) -> tuple[str, str]:
    path, found, value = text.partition("=")
    if not found or not value:
        raise TradeFileError(f"--fact {path}: PATH=VALUE is needed")
    return path, value


def _compare(
    file: Path, platform: str | None, defaults: Defaults, assumed: dict[str, str], rules_version: str | None
) -> dict[str, Any]:
    if platform and defaults != Defaults.NONE:
        raise TradeFileError("--defaults is for files without a platform: a platform supplies every fact itself")
    law, started = choose_law(rules_version), time.perf_counter()
    text = file.read_text(encoding="utf-8")
    trades = read_trades(text, needed=NEEDED_BY_PLATFORM if platform else NEEDED_OFFLINE, assumed=assumed)
    if platform:
        compared = compare(_judge_at(platform, trades, rules_version))
    else:
        judged = judge_offline(trades, law=law, with_defaults=defaults == Defaults.SCENARIO)
        compared = compare(_report_progress(judged, len(trades)))
    seconds = time.perf_counter() - started
    how = {"rules_version": law.name, "platform": platform, "defaults": defaults.value, "assumed": assumed}
    speed = {"seconds": round(seconds, 3), "trades_per_second": round(len(trades) / seconds)}
    return {**how, **speed, **compared}


def _judge_at(platform: str, trades: Sequence[Trade], rules_version: str | None) -> list[tuple[Trade, Answer]]:
    async def judge(context: Context) -> list[tuple[Trade, Answer]]:
        org = await find_by_slug(context, platform)
        found: list[tuple[Trade, Answer]] = []
        async for each in judge_by_platform(trades, context=context, org_id=org.id, rules_version=rules_version):
            found.append(each)
            _tell_progress(len(found), len(trades))
        return found

    return run_with_context(judge)


def _report_progress(judged: Iterable[tuple[Trade, Answer]], total: int) -> Iterator[tuple[Trade, Answer]]:
    for number, each in enumerate(judged, 1):
        yield each
        _tell_progress(number, total)


def _tell_progress(number: int, total: int) -> None:
    if number % STEP == 0 and number < total:
        typer.echo(f"{number:,} of {total:,} trades", err=True)
