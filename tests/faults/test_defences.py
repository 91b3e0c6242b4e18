"""The list of defences matches the source: else nobody would know that one is not tried any more."""

import re

import pytest

from tests.faults.defence_list import DEFENCES, Defence
from tests.faults.defences import ROOT, DefenceOutOfDateError, remove


@pytest.mark.parametrize("defence", DEFENCES, ids=[each.name for each in DEFENCES])
def test_text_and_test_are_there(defence: Defence) -> None:
    assert defence.text in (ROOT / defence.file).read_text("utf-8")
    file, _, name = defence.test.partition("::")
    assert re.search(rf"^(async )?def {name.partition('[')[0]}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_names_are_unique() -> None:
    assert len({each.name for each in DEFENCES}) == len(DEFENCES)


def test_a_text_that_is_gone_is_told() -> None:
    gone = Defence("x", "README.md", "no such text in this file, or any", "", "tests/x.py::test_x")
    with pytest.raises(DefenceOutOfDateError, match="does not hold"):
        remove(gone, ROOT)
