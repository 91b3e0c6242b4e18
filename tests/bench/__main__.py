"""``make bench``: run every benchmark and print each as a ratio against its floor."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from _pytest.outcomes import Failed, Skipped

from tests.bench import rows as bench_rows
from tests.bench.deployment import Bench, open_bench
from tests.bench.rows import Row
from tests.bench.rules import rules_evaluation
from tests.postgres import find_binaries, running_postgres


@contextmanager
def _databases(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder / 'service.sqlite3'}", f"sqlite+aiosqlite:///{folder / 'floor.sqlite3'}"
        return
    with (
        running_postgres(durable=True) as server,
        server.temporary_database() as service,
        server.temporary_database() as floor,
    ):
        yield service, floor


async def _measure(bench: Bench, scale: float) -> list[Row]:
    _say("admitting 16 investors through issuing and presentation")
    await bench.admit(16)
    found = []
    for name, work in (
        ("in-process verification", bench_rows.in_process_verification(bench, 2 * scale)),
        ("verify endpoint", bench_rows.verify_endpoint(bench, int(1500 * scale))),
        ("transfer endpoint", bench_rows.transfer_endpoint(bench, int(600 * scale))),
        ("flows", bench_rows.flows(bench, int(60 * scale))),
    ):
        _say(name)
        found += await work
    return found


def has_postgres() -> bool:
    """Tell whether a server could be started."""
    try:
        find_binaries()
    except (Skipped, Failed):
        return False
    return True


def _say(line: str) -> None:
    print(f"... {line}", file=sys.stderr, flush=True)


def _print(kind: str, rows: list[Row]) -> None:
    print(f"\n{kind}: ratio = measured / floor of the same run")
    for row in rows:
        sign, mark = ("<=" if row.at_most else ">="), ("reached" if row.reached else "short")
        numbers = f"{row.measured:>9.1f} / {row.floor:>9.1f} {row.unit:<16}"
        print(f"  {row.what:<40} {numbers} ratio {row.ratio:>6.2f}  aim {sign} {row.aim:<5} {mark}")


async def _run(kind: str, scale: float) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="goodstanding-bench-") as name, _databases(kind, Path(name)) as urls:
        try:
            async with open_bench(Path(name), *urls) as bench:
                return await _measure(bench, scale)
        except RuntimeError:
            _say((Path(name) / "service.log").read_text()[-2000:])
            raise


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--database", choices=["none", "sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--scale", type=float, default=1.0, help="length of each run, 1 = about a minute a database")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    kinds = {"both": ["sqlite", "postgresql"], "none": []}.get(options.database, [options.database])
    if options.database == "both" and not has_postgres():
        _say("PostgreSQL is not installed here: SQLite only")
        kinds = ["sqlite"]
    _say("rules")
    results = {"no database": rules_evaluation(2 * options.scale)}
    results |= {kind: asyncio.run(_run(kind, options.scale)) for kind in kinds}
    if options.json:
        named = {kind: [asdict(row) | {"ratio": row.ratio} for row in rows] for kind, rows in results.items()}
        print(json.dumps(named, indent=2))
        return
    for kind, rows in results.items():
        _print(kind, rows)


if __name__ == "__main__":
    main()
