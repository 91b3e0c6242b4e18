"""Every scenario of ``tests/scenarios``, as one case each."""

from pathlib import Path
from typing import Any

import pytest

from service.rules.scenario import judge_raw
from service.rules.scenario_text import parse_scenario_text

FOLDER = Path(__file__).parents[2] / "scenarios"


def load_raw() -> list[Any]:
    files = sorted(FOLDER.glob("*.yaml"))
    return [raw for file in files for raw in parse_scenario_text(file.read_text(encoding="utf-8"))["scenarios"]]


RAW = load_raw()


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw["id"])
def test_scenario(raw: dict[str, Any]) -> None:
    assert judge_raw(raw, "?").mismatches == ()


def test_scenarios_have_unique_ids_and_citations() -> None:
    ids = [raw["id"] for raw in RAW]
    assert len(set(ids)) == len(ids) > 150
    assert all(raw["rule"] and raw["title"] for raw in RAW)
