"""The saved corpus again, and mutations of it: a value or a ``ServiceError``, in little time and memory."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import read_corpus
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS, try_input

MAX_SECONDS = 0.5
ROOT = Path(__file__).parents[2]

# What mutation puts in: signs with a meaning, and values at the edge of a type.
TOKENS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b",",
        b":",
        b".",
        b"~",
        b"\n",
        b"=",
        b"#",
        b"%",
        b"\\",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
    ),
    *(b"null", b"true", b"-1", b"0", b"1e9", b"1e999", b"18446744073709551616", b"NaN", b'""', b"{}", b"[]", b"[[]]"),
    *(
        b'"_sd"',
        b'"..."',
        b'"_sd_alg"',
        b"#0",
        b"#1",
        b"\\ud800",
        b"\\u0000",
        b"\xef\xbb\xbf",
        b"\xd9\xa1",
        b"did:jwk:",
    ),
]


def _mutate(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, text in edits:
        place = at % (len(seed) + 1)
        seed = seed[:place] + text + seed[place + length :]
    return seed


EDITS = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(0, 12), st.sampled_from(TOKENS) | st.binary(max_size=4)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("target", TARGETS)
def test_the_saved_corpus_raises_nothing_else_and_takes_no_time(target: str) -> None:
    slow = {}
    for data in [*SEEDS[target], *read_corpus(target)]:
        began = time.process_time()
        try_input(target, data)
        if (seconds := time.process_time() - began) > MAX_SECONDS:
            slow[data[:80]] = seconds
    assert slow == {}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_reaches_both_ends(target: str) -> None:
    """One that never accepts would try only the first line of its parser."""
    assert {try_input(target, data) for data in [*SEEDS[target], b"?"]} == {True, False}


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutated_inputs_raise_nothing_else(target: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from([*SEEDS[target], *read_corpus(target)]))
    try_input(target, _mutate(seed, data.draw(EDITS)))


@pytest.mark.parametrize("target", TARGETS)
def test_large_inputs_take_little_time(target: str) -> None:
    """One sign over and over, up to about the size that the service takes: no work grows with its square."""
    slow = {}
    for sign in TOKENS:
        began = time.process_time()
        try_input(target, sign * (200_000 // len(sign)))
        if (seconds := time.process_time() - began) > MAX_SECONDS:
            slow[sign] = seconds
    assert slow == {}


@pytest.mark.skipif(importlib.util.find_spec("atheris") is not None, reason="atheris is installed")
def test_a_long_run_says_what_it_needs() -> None:
    ran = subprocess.run([sys.executable, "-m", "tests.fuzz"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2
    assert "pip install" in ran.stderr
    assert "atheris" in ran.stderr
