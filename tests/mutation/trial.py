"""Try one mutant in a process of its own: first every scenario, then the unit tests of the rules."""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import types
from collections.abc import Sequence
from typing import Any

from tests.mutation.mutants import Mutant

CAUGHT, SURVIVED = 0, 1
SECONDS = 120
"""A mutant that runs longer loops for ever, which a test would notice too."""


class _MutantLoader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module the mutated tree instead of its file."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Claim the mutated module only."""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> None:
        """Leave the making of the module to the import system."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the mutated tree."""
        exec(compile(self.tree, self.path, "exec"), module.__dict__)


def try_mutant(name: str, path: str, mutant: Mutant, scenarios: Sequence[Any], tests: Sequence[str]) -> bool:
    """Tell whether a mutant is caught; forks, so that nothing of it stays.

    Args:
        name: Module, such as ``service.rules.engine``; not imported yet in this process.
        scenarios: Raw scenarios, as parsed.
        tests: Arguments for pytest; none to judge scenarios only.
    """
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            os._exit(_run(name, path, mutant, scenarios, tests))
    _, status = os.waitpid(child, 0)
    return status != SURVIVED << 8


def _run(name: str, path: str, mutant: Mutant, scenarios: Sequence[Any], tests: Sequence[str]) -> int:
    sys.meta_path.insert(0, _MutantLoader(name, path, mutant.tree))
    try:
        from service.rules.scenario import judge_raw

        if any(judge_raw(raw, "?").mismatches for raw in scenarios):
            return CAUGHT
        if not tests:
            return SURVIVED
        import pytest

        return SURVIVED if pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]) == 0 else CAUGHT
    except BaseException:  # a module that no longer loads is noticed by every test
        return CAUGHT
