"""docs/problems.md and the codes themselves: each means one thing, is documented, and is met in a test."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from service.cli.problem_docs import (
    PROTOCOL_ERRORS,
    UNCLASSED_CHECKS,
    UNCLASSED_PROBLEMS,
    list_kinds,
    render_problem_docs,
)
from service.errors import ServiceError

ROOT = Path(__file__).parents[2]
DOCUMENTED = ROOT / "docs" / "problems.md"


def test_the_page_is_what_the_code_says() -> None:
    assert DOCUMENTED.read_text(encoding="utf-8") == render_problem_docs(), "run `python -m service schemas write`"


def test_a_code_means_one_thing() -> None:
    owners: defaultdict[str, set[type[ServiceError]]] = defaultdict(set)
    for kind in list_kinds():
        owners[kind.code].add(next(base for base in reversed(kind.__mro__) if getattr(base, "code", "") == kind.code))
    shared = {code: sorted(map(repr, kinds)) for code, kinds in owners.items() if len(kinds) > 1}
    assert shared == {}


def test_codes_are_lower_snake_case_and_every_kind_says_what_it_means() -> None:
    for kind in list_kinds():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.code), kind
        assert kind.__doc__, kind


def test_every_error_of_a_protocol_is_documented() -> None:
    raised = {
        node.args[0].value
        for path in (ROOT / "service").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "ProtocolError"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert raised - set(PROTOCOL_ERRORS) == set()
    # Raised with the code of the proof that failed.
    assert set(PROTOCOL_ERRORS) - raised == {"invalid_nonce", "use_dpop_nonce"}


def test_every_code_is_met_in_a_test() -> None:
    bases = {
        "conflict",
        "forbidden",
        "negative_answer",
        "protocol_error",
        "rate_limited",
        "unauthorized",
        "unavailable",
    }
    codes = {*UNCLASSED_PROBLEMS, *UNCLASSED_CHECKS, *PROTOCOL_ERRORS, *(kind.code for kind in list_kinds())}
    met = set(_read_names_and_literals())
    met |= {kind.code for kind in list_kinds() if kind.__name__ in met}
    assert sorted(codes - met - bases) == []


def _read_names_and_literals() -> Iterator[str]:
    """Yield what the tests name: identifiers, and strings that are nothing else but a word."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        if path == Path(__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr
