"""How many of the project's own scenarios exercise a rule, a regime, a reason, a test or a limit."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.cli.rule_words import BY_ENGINE, list_codes
from service.errors import ServiceError
from service.rules.catalog import ALWAYS_RULES, REGIMES
from service.rules.codes import OBLIGATIONS
from service.rules.engine import evaluate_transfer
from service.rules.rule import Rule
from service.rules.scenario import Scenario, load_scenario
from service.rules.scenario_text import parse_scenario_text
from service.schema_files import SCHEMAS_DIR

SCENARIOS_DIR = SCHEMAS_DIR.parent / "tests" / "scenarios"


@dataclass(slots=True)
class Counts:
    """Numbers of scenarios.

    Attributes:
        total: All that could be loaded.
        entries: By id of a regime, an investor test (``test:`` before it) or a limit (``limit:``).
        codes: By reason or obligation that the decision gave.
        run: By rule: how many ran it.
        spoke: By rule: in how many it denied, reviewed or imposed something.
    """

    total: int = 0
    entries: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    run: Counter[str] = field(default_factory=Counter)
    spoke: Counter[str] = field(default_factory=Counter)


def count_scenarios(folder: Path = SCENARIOS_DIR) -> Counts:
    """Count the scenarios of a folder's files; where there is no such folder every number is 0."""
    counts = Counts()
    for scenario in load_scenarios(folder):
        counts.total += 1
        if scenario.kind == "transfer":
            _count_transfer(scenario.facts, counts)
        elif scenario.kind == "qualify":
            counts.entries[f"test:{scenario.facts['test']}"] += 1
        else:
            counts.entries[f"limit:{scenario.facts['regime']}"] += 1
    return counts


def load_scenarios(folder: Path) -> Iterator[Scenario]:
    """Yield the scenarios of a folder's files; one that shows what a file must not hold is left out."""
    for file in sorted(folder.glob("*.yaml")):
        for raw in parse_scenario_text(file.read_text(encoding="utf-8"))["scenarios"]:
            try:
                yield load_scenario(raw)
            except ServiceError:
                continue


def _count_transfer(facts: Mapping[str, Any], counts: Counts) -> None:
    regime_id, day = facts["offering"]["regime"], facts.get("date")
    answer = evaluate_transfer(facts)
    given = {(reason.code, reason.citation) for reason in answer.reasons}
    codes = {reason.code for reason in answer.reasons} | {each.code for each in answer.obligations}
    counts.entries[regime_id] += 1
    counts.codes.update(codes)
    for rule in (*ALWAYS_RULES, *REGIMES[regime_id].rules):
        if day and rule.is_in_force(day) and facts["action"] in rule.actions:
            counts.run[rule.id] += 1
            counts.spoke[rule.id] += _has_spoken(rule, given, codes)


def _has_spoken(rule: Rule, given: set[tuple[str, str]], codes: set[str]) -> bool:
    answers = list_codes(rule) or sorted(BY_ENGINE)  # of a rule that only needs facts, that one was missing
    return any(code in codes if code in OBLIGATIONS else (code, rule.citation) in given for code in answers)
