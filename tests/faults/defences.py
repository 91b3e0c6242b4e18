"""Take each defence away, one at a time, and see the test that watches over it fail.

Run: ``python -m tests.faults.defences [NAME...]``. Exit 1 if a test does not notice, 2 if the list is out of date.

Each trial is a copy of the tree in a temporary directory, with one text replaced, in which one test runs. That the
tests pass while nothing is taken away is checked first: whatever fails anyway would look as if it noticed.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.defence_list import DEFENCES, Defence

ROOT = Path(__file__).parents[2]
PASSED, FAILED, HUNG = 0, 1, -1
SECONDS = 900
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "data")


class DefenceOutOfDateError(Exception):
    """The list names a text, or a test, that is not there."""


def remove(defence: Defence, root: Path) -> None:
    """Replace the text of a defence everywhere in its file.

    Raises:
        DefenceOutOfDateError: It is not there.
    """
    file = root / defence.file
    text = file.read_text("utf-8") if file.exists() else ""
    if defence.text not in text:
        raise DefenceOutOfDateError(f"{defence.name}: {defence.file} does not hold {defence.text!r}")
    file.write_text(text.replace(defence.text, defence.replacement), "utf-8")


@contextmanager
def _copied_tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="goodstanding-defence-", ignore_cleanup_errors=True) as home:
        yield shutil.copytree(ROOT, Path(home, "tree"), ignore=LEFT_OUT)


def _run(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests in a tree; return pytest's exit status and what it printed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    try:
        finished = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return HUNG, f"no end after {SECONDS} s"
    return finished.returncode, finished.stdout + finished.stderr


def _notices(defence: Defence) -> bool:
    """Tell whether the test fails, by an assertion of its own and not because nothing starts any more."""
    with _copied_tree() as root:
        remove(defence, root)
        status, output = _run(root, [defence.test])
    if status == PASSED:
        return False
    if status != FAILED or f"FAILED {defence.test.partition('[')[0]}" not in output:
        raise DefenceOutOfDateError(f"{defence.name}: {defence.test} cannot run:\n{output[-2000:]}")
    return True


def _check_unchanged(defences: Sequence[Defence]) -> None:
    with _copied_tree() as root:
        status, output = _run(root, sorted({each.test for each in defences}))
    if status != PASSED:
        raise DefenceOutOfDateError(f"With every defence in place:\n{output[-2000:]}")


def main() -> int:
    """Try every defence, print a table; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.defences", description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names; all of them by default")
    names = tuple(parser.parse_args().names)
    chosen = [each for each in DEFENCES if not names or each.name.startswith(names)]
    try:
        with _copied_tree() as root:
            for each in chosen:
                remove(each, root)
        _check_unchanged(chosen)
        unnoticed = sum(not _report(each) for each in chosen)
    except DefenceOutOfDateError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(chosen)} defences removed, {unnoticed} unnoticed")
    return 1 if unnoticed else 0


def _report(defence: Defence) -> bool:
    started = time.monotonic()
    noticed = _notices(defence)
    word = "noticed" if noticed else "UNNOTICED"
    print(f"{defence.name:34} {word:10} {time.monotonic() - started:5.0f} s  {defence.test}", flush=True)
    return noticed


if __name__ == "__main__":
    sys.exit(main())
