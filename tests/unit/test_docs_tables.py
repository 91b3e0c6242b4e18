"""Tables in docs/ that name modules and tests: each of them exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["docs/threats.md", "docs/spec-coverage.md", "docs/spec-divergences.md", "docs/conformance-negatives.md"]
_TEST = re.compile(r"`(tests/[\w./-]+\.py)::(\w+)`")
_FILE = re.compile(r"`((?:service|tests|docs|schemas)/[\w./-]+\.\w+)(?:`|::)")


@cache
def _list_tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    named = set(_FILE.findall((ROOT / page).read_text(encoding="utf-8")))
    assert named
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []


@pytest.mark.parametrize("page", PAGES)
def test_named_tests_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(_TEST.findall(text))
    assert named
    assert text.count(".py::") == len(_TEST.findall(text)), "a test is named in a form that is not checked"
    assert sorted(f"{path}::{name}" for path, name in named if name not in _list_tests(path)) == []


@pytest.mark.parametrize(("page", "last"), [("docs/spec-coverage.md", 33)])
def test_every_item_has_its_row(page: str, last: int) -> None:
    numbers = re.findall(r"^\| (\d+) \|", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert list(map(int, numbers)) == list(range(1, last + 1))


def test_every_threat_has_a_number_of_its_own() -> None:
    rows = re.findall(r"^\| (\d+a?) \|.*$", (ROOT / "docs/threats.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(rows) > 60
    assert len(set(rows)) == len(rows)


def test_every_negative_case_has_its_test_or_says_why_not() -> None:
    text = (ROOT / "docs/conformance-negatives.md").read_text(encoding="utf-8")
    rows = [row.strip("| ").split(" | ") for row in re.findall(r"^\| `\w+` \|.*$", text, flags=re.MULTILINE)]
    assert len(rows) > 60
    assert len({row[0] for row in rows}) == len(rows)
    for module, _, answer, tests in rows:
        assert _TEST.search(tests) or tests == "open" or answer.startswith("not applicable: "), module
