"""Mutants of a module: one small change of its syntax tree each."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

_COMPARATORS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "all_hold": "any_holds", "any_holds": "all_hold"}
_SHOWN_COMPARATORS = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}
_NOT_BEHAVIOUR = {"slots", "frozen", "strict"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed module.

    Attributes:
        line: Where the change is.
        change: What it is, for the report.
    """

    line: int
    change: str
    tree: ast.Module


def make_mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's source."""
    original = ast.parse(source)
    skipped = _find_skipped(original)
    for index, node in enumerate(ast.walk(original)):
        if id(node) in skipped:
            continue
        for change, mutate in _list_changes(node):
            tree = copy.deepcopy(original)
            mutate(next(each for at, each in enumerate(ast.walk(tree)) if at == index))
            line = getattr(node, "lineno", 0)
            yield Mutant(line, change, ast.fix_missing_locations(tree))


def make_unchanged(source: str) -> Mutant:
    """Return the module as it stands, to see that scenarios and tests pass."""
    return Mutant(0, "nothing", ast.parse(source))


def _find_skipped(tree: ast.Module) -> set[int]:
    """Return what no answer depends on: annotations, docstrings, decorator options."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            parts.append(node.annotation)
        if isinstance(node, ast.FunctionDef):
            parts.append(node.returns)
        if isinstance(node, ast.keyword) and node.arg in _NOT_BEHAVIOUR:
            parts.append(node)
        for part in parts:
            skipped |= {id(each) for each in ast.walk(part)} if part else set()
    return skipped


_Change = tuple[str, Callable[[ast.AST], None]]


def _list_changes(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARATORS:
            new = _COMPARATORS[type(op)]
            yield f"{type(op).__name__} to {new.__name__}", lambda each: setattr(each, "ops", [new()])
        case ast.Compare(ops=[_, _] as ops):
            for at, op in enumerate(ops):
                if type(op) in _COMPARATORS:
                    yield _replace_comparator(at, _COMPARATORS[type(op)])
        case ast.BoolOp(op=op):
            other = ast.Or if isinstance(op, ast.And) else ast.And
            yield f"to {other.__name__}", lambda each: setattr(each, "op", other())
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", _drop_not
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
            swapped = _ARITHMETIC[type(op)]
            yield f"{type(op).__name__} to {swapped.__name__}", lambda each: setattr(each, "op", swapped())
        case ast.Name(id=name) if name in _NAMES:
            yield f"{name} to {_NAMES[name]}", lambda each: setattr(each, "id", _NAMES[name])
        case ast.Constant():
            yield from _list_constants(node.value)


def _replace_comparator(at: int, new: type[ast.cmpop]) -> _Change:
    def mutate(node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[at] = new()

    return f"comparator {at + 1} to {new.__name__}", mutate


def _drop_not(node: ast.AST) -> None:
    """Turn ``not x`` into ``not not x``, which holds exactly where ``x`` does."""
    assert isinstance(node, ast.UnaryOp)
    node.operand = ast.UnaryOp(op=ast.Not(), operand=node.operand)


def _list_constants(value: object) -> Iterator[_Change]:
    if isinstance(value, bool):
        yield f"{value} to {not value}", lambda each: setattr(each, "value", not value)
    elif isinstance(value, int):
        yield f"{value} to {value + 1}", lambda each: setattr(each, "value", value + 1)
        yield f"{value} to {value - 1}", lambda each: setattr(each, "value", value - 1)
    elif isinstance(value, str) and value in _SHOWN_COMPARATORS:
        yield f"{value} to {_SHOWN_COMPARATORS[value]}", lambda each: setattr(each, "value", _SHOWN_COMPARATORS[value])
    elif isinstance(value, str) and value:
        try:
            raised = str(Decimal(value) * 2 + 1)
        except InvalidOperation:
            return
        yield f"{value!r} to {raised!r}", lambda each: setattr(each, "value", raised)
