"""What a clone gets: nothing that the service needs may be named in .gitignore."""

import subprocess
from pathlib import Path

import pytest

from tests.requirements_support import require_program

ROOT = Path(__file__).parents[2]
SHIPPED = ("service", "schemas", "deploy", "docs")


def test_nothing_that_is_shipped_is_ignored() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout: an archive holds only what was tracked")
    files = [path for folder in SHIPPED for path in (ROOT / folder).rglob("*") if path.is_file()]
    names = "\n".join(str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts)
    asked = subprocess.run(
        [require_program("git", package="git"), "check-ignore", "--no-index", "--stdin"],
        cwd=ROOT,
        input=names,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, asked.stdout) == (1, ""), asked.stdout + asked.stderr  # 1: none is ignored
