"""How fast the rules evaluate: the costliest regime over the own scenarios, against reading the same facts."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from service.cli.rule_scenarios import SCENARIOS_DIR, load_scenarios
from service.rules.engine import evaluate_transfer
from tests.bench.rows import Row

AIM_PER_SECOND = 10_000
FEWEST = 5  # scenarios, below which a regime's mean says little
ROUNDS = 5
Facts = Mapping[str, Any]


def rules_evaluation(seconds: float) -> list[Row]:
    """Measure ``evaluate_transfer`` in one process: the regime of the lowest rate over its scenarios, and all of them.

    The floor visits every fact once. The aim is a number of calls a second, so the ratio to reach depends on the floor.
    """
    by_regime: defaultdict[str, list[Facts]] = defaultdict(list)
    for scenario in load_scenarios(SCENARIOS_DIR):
        if scenario.kind == "transfer":
            by_regime[scenario.facts["offering"]["regime"]].append(scenario.facts)
    many = {regime_id: facts for regime_id, facts in by_regime.items() if len(facts) >= FEWEST}
    costliest = min(many, key=lambda regime_id: _best_rate(evaluate_transfer, many[regime_id], seconds / len(many)))
    everything = [facts for group in by_regime.values() for facts in group]
    return [
        _measure(f"rules: evaluate, costliest ({costliest})", many[costliest], seconds),
        _measure("rules: evaluate, every own scenario", everything, seconds),
    ]


def _measure(what: str, facts: Sequence[Facts], seconds: float) -> Row:
    floor, measured = _best_rate(_visit, facts, seconds), _best_rate(evaluate_transfer, facts, seconds)
    return Row(what, measured, floor, "evaluations/s", round(AIM_PER_SECOND / floor, 3))


def _best_rate(function: Callable[[Facts], Any], facts: Sequence[Facts], seconds: float) -> float:
    """Return calls per second of processor time in the best of some rounds: neighbours on the box count little."""
    return max(_rate(function, facts, seconds / ROUNDS) for _ in range(ROUNDS))


def _rate(function: Callable[[Facts], Any], facts: Sequence[Facts], seconds: float) -> float:
    calls, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds or not calls:
        for each in facts:
            function(each)
        calls += len(facts)
    return calls / spent


def _visit(value: Any) -> int:
    """Visit every fact once: the least that any function of the facts does."""
    if isinstance(value, dict):
        return sum(_visit(each) for each in value.values())
    return sum(_visit(each) for each in value) if isinstance(value, list) else 1
