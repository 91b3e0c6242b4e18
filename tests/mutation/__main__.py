"""Run: ``python -m tests.mutation [MODULE...] [--json FILE]``. Exit 1 below the aim.

Forks one process per mutant and judges every own scenario in it; only what survives that meets the unit tests. A
general tool starts a whole test run per mutant, which takes hours for what takes minutes here.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Mutant, make_mutants, make_unchanged
from tests.mutation.trial import try_mutant

ROOT = Path(__file__).parents[2]
RULES = ROOT / "service" / "rules"
AIM = 0.95
TESTS = ("tests/unit/rules", "--deselect", "tests/unit/rules/test_scenarios.py", "-p", "no:randomly")
SLOW = ("tests/unit/rules/test_reference.py", "tests/unit/rules/test_properties.py")


def main() -> int:
    """Mutate, try, report; return the exit status."""
    arguments = _read_arguments()
    paths = [Path(each).resolve() for each in arguments.modules] or sorted(RULES.rglob("*.py"))
    scenarios = _load_scenarios()
    jobs = [(path, mutant) for path in paths for mutant in make_mutants(path.read_text("utf-8"))]
    tests = () if arguments.scenarios_only else (*TESTS, *(f"--ignore={slow}" for slow in SLOW))
    attempt = partial(_try, scenarios=scenarios, tests=tests)
    if paths and attempt((paths[0], make_unchanged(paths[0].read_text("utf-8")))):
        sys.exit("scenarios or tests fail without any mutant: whatever came of it would look caught")
    started, survivors = time.monotonic(), list[dict[str, Any]]()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for done, (job, caught) in enumerate(zip(jobs, pool.map(attempt, jobs), strict=True)):
            if not caught:
                survivors.append(_describe(*job))
                print(f"\r{survivors[-1]['place']}: {survivors[-1]['change']}", flush=True)
            print(f"\r{done + 1}/{len(jobs)} {len(survivors)} survived", end="", file=sys.stderr, flush=True)
    score = 1 - len(survivors) / max(len(jobs), 1)
    print(f"\n{len(jobs)} mutants, {len(survivors)} survived, score {score:.1%}, {time.monotonic() - started:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps({"mutants": len(jobs), "score": score, "survivors": survivors}, indent=2))
    return 0 if score >= AIM else 1


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="files below service/rules; all of them by default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scenarios-only", action="store_true", help="count as survivors what only unit tests catch")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    return parser.parse_args()


def _load_scenarios() -> list[Any]:
    """Parse every own scenario, and forget the modules that parsed them: a mutant must be imported afresh."""
    from service.rules.scenario_text import parse_scenario_text

    files = sorted((ROOT / "tests" / "scenarios").glob("*.yaml"))
    scenarios = [raw for file in files for raw in parse_scenario_text(file.read_text("utf-8"))["scenarios"]]
    for name in [name for name in sys.modules if name.startswith("service")]:
        del sys.modules[name]
    return scenarios


def _try(job: tuple[Path, Mutant], *, scenarios: list[Any], tests: tuple[str, ...]) -> bool:
    path, mutant = job
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return try_mutant(name, str(path), mutant, scenarios, tests)


def _describe(path: Path, mutant: Mutant) -> dict[str, Any]:
    return {"place": f"{path.relative_to(ROOT)}:{mutant.line}", "change": mutant.change}


if __name__ == "__main__":
    sys.exit(main())
