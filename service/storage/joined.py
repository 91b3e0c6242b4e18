"""One statement of several, for PostgreSQL, whose parameters have numbers."""

import re
from collections.abc import Iterator
from functools import lru_cache

_STATEMENTS_KEPT = 1_000
_PARAMETER = re.compile(r"\$(\d+)")


@lru_cache(_STATEMENTS_KEPT)
def join_changes(texts: tuple[str, ...]) -> str:
    """Make one statement of changes."""
    return f"WITH {', '.join(f'change_{number} AS ({each})' for number, each in enumerate(_renumber(texts)))} SELECT"


@lru_cache(_STATEMENTS_KEPT)
def join_queries(texts: tuple[str, ...]) -> str:
    """Make one query of several: one row, with an array of each one's rows."""
    return f"SELECT {', '.join(f'ARRAY(SELECT ROW(part.*) FROM ({each}) AS part)' for each in _renumber(texts))}"  # noqa: S608  # of statements that are prepared


def _renumber(texts: tuple[str, ...]) -> Iterator[str]:
    """Let the parameters of each text follow those of the one before."""
    before = 0
    for text in texts:
        shift, found = before, [int(each) for each in _PARAMETER.findall(text)]
        yield _PARAMETER.sub(lambda match, shift=shift: f"${int(match[1]) + shift}", text)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        before += max(found, default=0)
