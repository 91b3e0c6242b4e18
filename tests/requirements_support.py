"""What a test may need beyond Python. A developer's run skips without it; a run that must be whole fails."""

import os
import shutil
from typing import NoReturn

import pytest

REQUIRE_ALL = "GOODSTANDING_REQUIRE_ALL"


def require_or_skip(name: str, reason: str) -> NoReturn:
    """End the current test because ``name`` is missing.

    Args:
        name: What is missing, as a reader would install it: ``postgresql-15``, ``nodejs``.
        reason: One plain clause saying what was looked for and not found.

    Raises:
        pytest.fail.Exception: ``GOODSTANDING_REQUIRE_ALL=1`` is set, as the checked run sets it.
        pytest.skip.Exception: Otherwise.
    """
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(f"{name} is required when {REQUIRE_ALL}=1: {reason}", pytrace=False)
    pytest.skip(f"{name} is not installed: {reason}")


def require_program(name: str, *, package: str) -> str:
    """Return the full path of program ``name`` on PATH, or end the test as ``require_or_skip`` does."""
    return shutil.which(name) or require_or_skip(package, f"no program {name} on PATH")
