"""``make bench``: measure against a floor of the same run, and print or write what was found."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench.databases import Databases, has_postgres, open_databases
from tests.bench.deployment import Bench, open_bench
from tests.bench.flows import measure_flows
from tests.bench.formats import measure_formats
from tests.bench.growth import measure_growth
from tests.bench.in_process import measure_in_process_verify, measure_rules
from tests.bench.profiling import measure_profiles
from tests.bench.report.document import PARTS, Findings, Section, dump_findings, read_findings, write_findings
from tests.bench.report.machine import describe_machine
from tests.bench.report.page import RESULTS, write_docs
from tests.bench.report.terminal import print_findings
from tests.bench.results import Row
from tests.bench.rounds import Pace, say
from tests.bench.rows import measure_ladder, measure_rows

ROWS_SIZE = 1000
SIZES, ALL_SIZES = (1000, 10_000), (1000, 10_000, 100_000, 1_000_000)
NO_DATABASE = "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, where, and for how long."""

    parts: Sequence[str]
    kinds: Sequence[str]
    sizes: Sequence[int]
    pace: Pace
    keep: Path | None


async def _collect(rows: AsyncIterator[Row], section: Section) -> None:
    async for row in rows:
        section.rows.append(row)


async def _measure_kind(plan: Plan, kind: str, databases: Databases, findings: Findings) -> None:
    bench = await open_bench(databases.folder, databases.service_url, databases.floor_url)
    machine = describe_machine(await bench.read_version())
    if "rows" in plan.parts or "profile" in plan.parts:
        await bench.populate(ROWS_SIZE, say)
    if "rows" in plan.parts:
        section = findings.sections[kind, "rows"] = Section(machine)
        async with bench.serving(), bench.flooring():
            for rows in (measure_rows, measure_in_process_verify, measure_flows, measure_ladder):
                await _collect(rows(bench, plan.pace), section)
        await _collect(measure_formats(plan.pace), section)
    if "profile" in plan.parts:
        section = findings.sections[kind, "profile"] = Section(machine)
        async for what, profile in measure_profiles(bench, plan.pace):
            section.profiles[what] = profile
    if "growth" in plan.parts:
        await _measure_growth(plan, kind, bench, findings, Section(machine))


async def _measure_growth(plan: Plan, kind: str, bench: Bench, findings: Findings, section: Section) -> None:
    """Measure, and write down each point: loading is too long to be done again for nothing."""
    kept = bench.folder / "growth.json"
    findings.sections[kind, "growth"] = section = read_findings(kept).sections.get((kind, "growth"), section)
    async for point in measure_growth(bench, plan.sizes, plan.pace, known=tuple(section.points)):
        section.points.append(point)
        write_findings(Findings({(kind, "growth"): section}), kept)


async def _measure(plan: Plan) -> Findings:
    findings = Findings()
    if "rules" in plan.parts:
        section = findings.sections[NO_DATABASE, "rules"] = Section(describe_machine("no database"))
        await _collect(measure_rules(plan.pace), section)
    for kind in plan.kinds if set(plan.parts) - {"rules"} else ():
        say(f"{kind}: setting up")
        with open_databases(kind, plan.keep) as databases:
            await _measure_kind(plan, kind, databases, findings)
    return findings


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--database", choices=["none", "sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument("--growth", action="store_true", help=f"only growth, by {ALL_SIZES[-1]:,} investors")
    parser.add_argument("--profile", action="store_true", help="only where the time goes")
    parser.add_argument("--sizes", type=lambda text: [int(each) for each in text.split(",")], help="of growth")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each half of a round")
    parser.add_argument("--keep", type=Path, help="folder to keep the databases in; a run that was stopped goes on")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md, its plots and results")
    options = parser.parse_args()
    if set(options.parts) - set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    return options


def _plan(options: argparse.Namespace) -> Plan:
    parts = (["growth"] if options.growth else []) + (["profile"] if options.profile else [])
    kinds = {"both": ["sqlite", "postgresql"], "none": []}.get(options.database, [options.database])
    if options.database == "both" and not has_postgres():
        say("PostgreSQL is not installed here: SQLite only")
        kinds = ["sqlite"]
    sizes = options.sizes or (ALL_SIZES if options.growth else SIZES)
    return Plan(parts or options.parts, kinds, sizes, Pace(options.rounds, options.seconds), options.keep)


def main() -> None:
    """Parse the arguments, measure, print or write."""
    options = _parse_arguments()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the client should not be what limits
        findings = runner.run(_measure(_plan(options)))
    if options.json:
        print(dump_findings(findings))
    else:
        print_findings(findings, sys.stdout)
    if options.write_docs:
        for file in write_docs(read_findings(RESULTS).merge(findings)):
            say(f"wrote {file.name}")


if __name__ == "__main__":
    main()
