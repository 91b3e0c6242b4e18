"""How many keys a statement is asked for at a time."""

import pytest

from service.storage.core import _pad


@pytest.mark.parametrize(("count", "padded"), [(1, 1), (2, 2), (3, 4), (5, 8), (64, 64), (65, 128)])
def test_lists_of_keys_have_few_lengths(count: int, padded: int) -> None:
    values = [f"{number:03d}" for number in range(count)]
    assert len(_pad(values)) == padded
    assert sorted(set(_pad(values))) == values
