"""What a rule can answer with, read from its own code: no list to keep in step with the packs."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import Any

from service.rules import packs
from service.rules.catalog import list_rules
from service.rules.codes import MESSAGES, OBLIGATIONS
from service.rules.law import CURRENT_LAW, Law
from service.rules.rule import Rule

ROUTES: Mapping[str, tuple[str, str]] = {
    "us.rule144": ("rule144", "17 CFR 230.144"),
    "us.4a7": ("4a7", "Securities Act s4(a)(7), 4(d)"),
    "us.144A": ("144A", "17 CFR 230.144A"),
    "us.reg_s_904": ("reg_s_904", "17 CFR 230.904"),
}
"""Exemptions of resale that are tried within a rule: public id -> route of a decision, citation."""
BY_ENGINE = frozenset({"INPUT_MISSING", "RULE_FAILED", "RULE_UNCONFIRMED"})
"""What the evaluation itself finds about any rule."""
_CODES = frozenset(MESSAGES) | frozenset(OBLIGATIONS)


def list_codes(rule: Rule) -> list[str]:
    """Return the reason and obligation codes that a rule can give, in the order of reasons."""
    words = _collect_words(rule)
    return [code for code in (*MESSAGES, *OBLIGATIONS) if code in words]


def list_routes(rule: Rule) -> list[str]:
    """Return the public ids of the exemptions that a rule tries."""
    words = _collect_words(rule)
    return [route_id for route_id, (route, _) in ROUTES.items() if route in words]


def list_givers(code: str, law: Law = CURRENT_LAW) -> list[Rule]:
    """Return the rules that can give a reason or obligation code."""
    return [rule for rule in list_rules(law).values() if code in _collect_words(rule)]


@cache
def _find_words(check: FunctionType) -> frozenset[str]:
    return frozenset(_walk(check, set()))


def _collect_words(rule: Rule) -> frozenset[str]:
    check: Any = rule.check or rule.check_party
    return _find_words(check)


def _walk(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield every string that a value of a pack leads to: constants of functions, and tables that they use."""
    if isinstance(value, str):
        yield value
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        yield from _walk_all((*value.keys(), *value.values()), seen)
    elif isinstance(value, (tuple, list, frozenset, set)):
        yield from _walk_all(value, seen)
    elif isinstance(value, FunctionType):
        yield from _walk_function(value, seen)
    elif isinstance(value, type) and value.__module__.startswith(packs.__name__):
        yield from _walk_all(_list_functions(value), seen)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _walk_all((getattr(value, field.name) for field in fields(value)), seen)


def _walk_all(values: Any, seen: set[int]) -> Iterator[str]:
    for value in values:
        yield from _walk(value, seen)


def _walk_function(function: FunctionType, seen: set[int]) -> Iterator[str]:
    if not function.__module__.startswith(packs.__name__):
        return
    bound = [cell.cell_contents for cell in function.__closure__ or ()]
    yield from _walk_all((*bound, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()), seen)
    yield from _walk_code(function.__code__, function.__globals__, seen)


def _walk_code(code: CodeType, names: Mapping[str, Any], seen: set[int]) -> Iterator[str]:
    for constant in code.co_consts:
        yield from _walk_code(constant, names, seen) if isinstance(constant, CodeType) else _walk(constant, seen)
    yield from _walk_all((names[name] for name in code.co_names if name in names), seen)


def _list_functions(kind: type) -> list[Any]:
    found = [each.fget if isinstance(each, property) else each for each in vars(kind).values()]
    return [getattr(each, "func", each) for each in found]
