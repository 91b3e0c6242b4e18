"""docs/rules.md: what the rules say, all of it, and the numbers of scenarios that exercise them."""

import re
from pathlib import Path

import pytest

from service.cli.rule_docs import render_rule_docs
from service.cli.rule_scenarios import count_scenarios
from service.rules.catalog import LIMITS, REGIMES, TESTS, list_rules
from service.rules.codes import MESSAGES, OBLIGATIONS
from service.rules.law import PENDING, RELEASES, Schedule
from service.rules.rule import Rule
from service.rules.worksheet import InvestorLimit, InvestorTest

ROOT = Path(__file__).parents[2]
PAGE, README = ROOT / "docs" / "rules.md", ROOT / "README.md"


@pytest.fixture(scope="module")
def page() -> str:
    return render_rule_docs()


def test_the_page_is_what_the_rules_say(page: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == page, "run `python -m service schemas write`"


def test_everything_has_its_row(page: str) -> None:
    first_cells = re.findall(r"^\| `?([^`|]+?)`? \|", page, re.MULTILINE)
    for entry_id in (*list_rules(), *TESTS, *LIMITS, *MESSAGES, *OBLIGATIONS, *PENDING, *RELEASES):
        assert entry_id in first_cells


def test_every_regime_has_an_anchor_and_links_lead_somewhere(page: str) -> None:
    anchors = set(re.findall(r'<a id="([^"]+)">', page))
    assert anchors == set(REGIMES)
    headings = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)", page, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors | headings


def test_every_dated_threshold_is_written_with_its_days(page: str) -> None:
    entries: list[Rule | InvestorTest | InvestorLimit] = [*list_rules().values(), *TESTS.values(), *LIMITS.values()]
    for entry in entries:
        for name, schedule in entry.parameters.items():
            for row in schedule.rows if isinstance(schedule, Schedule) else ():
                start = row.effective_from.isoformat() if row.effective_from else ""
                assert re.search(rf"^\| `{re.escape(entry.id)}` \| {re.escape(name)} \| .* \| {start} \|", page, re.M)


def test_rows_have_as_many_cells_as_their_headings(page: str) -> None:
    width = 0
    for line in page.splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells in {0, width} or width == 0, line
        width = cells


def test_counts_come_from_the_files(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "schema_version: 1\n"
        "scenarios:\n"
        "  - {id: A, kind: qualify, given: {test: us.qib, value: 1}, expect: {qualifies: false}}\n"
        "  - {id: B, kind: transfer, expect: {}, given: {action: primary, date: 2026-06-01, qty: 1, price: 1,\n"
        "     offering: {regime: us.506c, bad_actor: true}, buyer: {identified: false}}}\n"
        "  - {id: C, kind: transfer, expect: {}, given: {action: none, offering: {regime: us.506c}}}\n",
        encoding="utf-8",
    )
    counts = count_scenarios(tmp_path)
    assert counts.total == 2
    assert counts.entries == {"test:us.qib": 1, "us.506c": 1}
    assert counts.codes["US_506D_BAD_ACTOR"] == counts.spoke["us.506d.bad_actor"] == 1
    assert counts.run["us.506c.accredited"] == 1
    assert counts.spoke["us.506c.accredited"] == 0
    assert counts.run["us.resale"] == 0
    assert count_scenarios(tmp_path / "none").total == 0


def test_readme_lists_every_regime_with_its_confidence() -> None:
    table = README.read_text(encoding="utf-8").partition("| jurisdiction | rule packs |")[2].partition("\n\n")[0]
    rows = [line.split(" | ") for line in table.splitlines() if "`" in line]
    listed = [(re.findall(r"`([^`]+)`", row[1]), row[-1].strip(" |").split(", ")) for row in rows]
    assert sorted(name for names, _ in listed for name in names) == sorted(REGIMES)
    for names, confidence in listed:
        assert confidence == sorted({REGIMES[name].confidence for name in names}), names
