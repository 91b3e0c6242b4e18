"""The fast way to canonical JSON writes what the reference implementation does, or leaves it to that."""

from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from service.credentials.canonical import canonicalize, join_members, write_canonical

SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(VALUES)
@example({"\U00010000": 1, "\ue000": 2})
@example({"b": 1, "a": [1.0, 1e21, -0.0], "\x7f\x1f\b": "\u2028"})
@example({"n": 2**53 - 1})
@example({"n": -(2**53)})
def test_every_value_is_written_as_the_reference_does(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        with pytest.raises(type(error)):
            canonicalize(value)
    else:
        assert canonicalize(value) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, object()])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises((rfc8785.CanonicalizationError, AttributeError)):
        canonicalize(value)


@given(st.dictionaries(st.from_regex(r"[a-z_.]{1,8}", fullmatch=True), VALUES))
@example({"b": {"z": 1, "a": "\u00fc"}, "a.b": [], "a": None})
def test_an_object_is_joined_from_its_members_as_if_written_whole(value: dict[str, Any]) -> None:
    try:
        expected = canonicalize(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        return
    assert join_members({name: write_canonical(each) for name, each in value.items()}).encode() == expected
