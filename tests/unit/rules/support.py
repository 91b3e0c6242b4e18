"""Facts to start from: complete, and permitted."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from service.rules.scenario import load_scenario
from service.rules.scenario_text import parse_scenario_text

FOLDER = Path(__file__).parents[2] / "scenarios"
Path_ = tuple[str | int, ...]


def load_all() -> dict[str, dict[str, Any]]:
    """Return the complete facts of every own transfer scenario by id."""
    raws = [raw for file in FOLDER.glob("*.yaml") for raw in parse_scenario_text(file.read_text("utf-8"))["scenarios"]]
    transfers = (raw for raw in raws if raw["kind"] == "transfer")
    return {raw["id"]: dict(load_scenario(raw).facts) for raw in sorted(transfers, key=lambda raw: str(raw["id"]))}


ALL = load_all()


def facts_of(scenario_id: str, **changes: Any) -> dict[str, Any]:
    """Return a copy of a scenario's facts with changes; ``buyer__accredited=False`` reaches into parts."""
    facts = copy.deepcopy(ALL[scenario_id])
    for name, value in changes.items():
        *parents, last = name.split("__")
        target = facts
        for parent in parents:
            target = target[parent]
        target[last] = value
    return facts


def iterate_paths(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every member below ``value``."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        yield (*path, name)
        yield from iterate_paths(entry, (*path, name))


def without(facts: dict[str, Any], path: Path_) -> dict[str, Any]:
    """Return a copy of the facts without one member of an object."""
    changed = copy.deepcopy(facts)
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return changed


def shuffled(value: Any, key: Any) -> Any:
    """Return a copy whose objects list their members in another order."""
    if isinstance(value, dict):
        return {name: shuffled(value[name], key) for name in sorted(value, key=key)}
    return [shuffled(entry, key) for entry in value] if isinstance(value, list) else value
