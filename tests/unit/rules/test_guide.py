"""docs/adding-a-jurisdiction.md, run as it stands on a copy of the package; versions of the law beside each other."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.rules.catalog import digest_rules
from service.rules.law import FIRST_VERSION, RULES_VERSION, Law, NotInForceError, Row, Schedule

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "adding-a-jurisdiction.md").read_text(encoding="utf-8")
PACK = "service/rules/packs/xa_private.py"
RELEASE, PENDING, PACK_CODE, ROW, NEXT_RELEASE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
[SCENARIOS] = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
PROBE = """
import json
from datetime import date
from service.rules.catalog import digest_rules
from service.rules.engine import evaluate_transfer
from service.rules.facts import InvalidFactsError
from service.rules.law import choose_law
from service.rules.scenario_defaults import fill_defaults

buyer = {"kyc_valid_until": date(2029, 1, 1), "kyc_loa": "high", "sanctions": "clear", "screen_age_hours": 1}

def decide(law, day, quantity):
    sale = {"offering": {"regime": "xa.private"}, "action": "primary", "date": day, "qty": quantity, "price": 1}
    facts = fill_defaults({**sale, "buyer": dict(buyer), "state": {"offerees": 20}})
    try:
        return evaluate_transfer(facts, law).outcome
    except InvalidFactsError as error:
        return error.detail

names = NAMES
print(json.dumps({
    name: {
        "digest": digest_rules(choose_law(name)),
        "autumn": decide(choose_law(name), date(2027, 10, 1), 55_000),
        "later": decide(choose_law(name), date(2028, 1, 1), 74_999),
        "much later": decide(choose_law(name), date(2028, 1, 1), 75_000),
    }
    for name in names
}))
"""


class Checkout:
    """A copy of the package into which the guide's blocks are put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "schemas").symlink_to(ROOT / "schemas")

    def put(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def add(self, path: str, after: str, text: str) -> None:
        """Insert text after the first match of a pattern."""
        source = (self.folder / path).read_text(encoding="utf-8")
        found = re.search(after, source, re.DOTALL)
        assert found, after
        self.put(path, source[: found.end()] + text + source[found.end() :])

    def release(self, line: str) -> None:
        self.add("service/rules/law.py", r"\nRELEASES: .*?(?=\}\))", f", {line.strip().rstrip(',')}")

    def run(self, *arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        command = [sys.executable, *arguments]
        ran = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def probe(self, *names: str) -> dict[str, Any]:
        answers: dict[str, Any] = json.loads(self.run("-c", PROBE.replace("NAMES", repr(names))))
        return answers


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("checkout")
    made = Checkout(folder)
    made.release(RELEASE)
    made.add("service/rules/law.py", r"\nPENDING: .*?\{\n", PENDING)
    made.put(PACK, PACK_CODE)
    yield made
    shutil.rmtree(folder)


def test_two_files_make_a_jurisdiction(checkout: Checkout) -> None:
    scenarios = checkout.put("tests/scenarios/xa.yaml", SCENARIOS)
    told = checkout.run("-m", "service", "rules", "test", str(scenarios))
    assert f"$ goodstanding rules test tests/scenarios/xa.yaml\n{told}" in GUIDE
    shown = json.loads(checkout.run("-m", "service", "rules", "show", "xa.private.offer", "--json"))
    assert (shown["since"], shown["codes"]) == ("2027.1.1", ["MIN_DENOMINATION"])
    assert [row["value"] for row in shown["parameters"]["minimum"]] == ["30000", "50000", "75000"]


def test_versions_stay_evaluable(checkout: Checkout) -> None:
    before = checkout.probe(RULES_VERSION, "2027.1.1", "2027.1.1+LW-XA-BILL7")
    assert before[RULES_VERSION]["autumn"] == "unknown regime at offering.regime"
    assert before[RULES_VERSION]["digest"] == digest_rules(Law(RULES_VERSION))  # the pack came later
    assert [before["2027.1.1"][day] for day in ("autumn", "later")] == ["permit", "permit"]
    assumed = before["2027.1.1+LW-XA-BILL7"]
    assert [assumed[day] for day in ("autumn", "later", "much later")] == ["permit", "deny", "permit"]

    checkout.add(PACK, r"MINIMUM = Schedule\(.*?(?=\n\)\n)", f"\n    {ROW.strip()},")
    checkout.release(NEXT_RELEASE)
    after = checkout.probe("2027.1.1", "2027.2.1")
    assert after["2027.1.1"] == before["2027.1.1"]
    assert after["2027.2.1"]["autumn"] == "deny"
    assert after["2027.2.1"]["digest"] != after["2027.1.1"]["digest"]


def test_a_row_of_a_later_version_changes_nothing_before_it() -> None:
    day, old, new = date(2027, 10, 1), Law(FIRST_VERSION), Law("2027.10.1")
    first = Schedule(Row(1, effective_to=date(2026, 12, 31)), Row(2, date(2027, 1, 1)))
    later = Schedule(*first.rows, Row(3, date(2027, 9, 1), since="2027.9.1"), Row(4, pending="LW-X"))
    assert (later.on(day, old), later.on(day, new)) == (2, 3)
    assert later.on(date(2027, 8, 31), new) == 2
    assert later.describe(old) == first.describe(old) == first.describe(new)
    assert later.on(day, Law("2027.10.1", frozenset({"LW-X"}))) == 4
    with pytest.raises(NotInForceError):
        Schedule(Row(1, since="2027.9.1")).on(day, old)


def test_versions_are_compared_as_numbers() -> None:
    assert Law("2027.10.1").knows("2027.9.1", None)
    assert not Law("2027.9.1").knows("2027.10.1", None)
    assert not Law("2027.9.1").knows("2027.9.1", "LW-X")
