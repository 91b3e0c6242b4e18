"""Strict base64url and JSON."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.jose import (
    MalformedJoseError,
    b64url_decode,
    b64url_encode,
    parse_json,
)

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.binary())
def test_base64url_round_trips(data: bytes) -> None:
    assert b64url_decode(b64url_encode(data)) == data


@given(st.text("AQgwZ-_+/= \n9é", max_size=9))
def test_base64url_is_decoded_only_from_the_one_canonical_text(text: str) -> None:
    try:
        data = b64url_decode(text)
    except MalformedJoseError:
        return
    assert b64url_encode(data) == text


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA==",
        "AA=",
        "AB",
        "AAB",
        "A A",
        "AA\n",
        "+/+/",
        "AAAAA",
        "ÄA",
        "=",
        "AA\ud800",
        "    AAAA",
        "AA\n\n\n\nAA",
    ],
)
def test_other_base64url_is_refused(text: str) -> None:
    with pytest.raises(MalformedJoseError):
        b64url_decode(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
        lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
        max_leaves=8,
    ),
    st.booleans(),
)
def test_json_is_read_as_the_standard_library_reads_it(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text) == parse_json(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '"\\u0000"',
        '["\\\\\\u0000"]',
        '{"\\u0000": 1}',
        '{"a": {"b": 1, "\\u0062": 2}}',
        '[{"a": 1, "a": 1}]',
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        '{"exp": -1e999}',
        '"\\ud800"',
        '{"\\uDC00": 1}',
        '"\\udc00\\ud800"',
        '"\ud800"',
        "9" * 5000,
        "",
        "{",
        "{} {}",
        "'a'",
        "[1,]",
        '"a\nb"',
        "\ufeff{}",
        b"\xff",
        b"\xed\xa0\x80",
        b'"\xc0\x80"',
    ],
    ids=lambda text: repr(text)[:20],
)
def test_json_with_another_meaning_elsewhere_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedJoseError):
        parse_json(text)


def test_a_paired_surrogate_escape_is_one_character() -> None:
    assert parse_json('{"kid": "\\ud83d\\ude00"}') == {"kid": "\U0001f600"}


def test_json_depth_is_limited_and_brackets_in_strings_do_not_count() -> None:
    assert parse_json("[" * 32 + "]" * 32)
    assert parse_json('["' + "[{" * 500 + '\\"[[[["]')
    assert parse_json("[" + ",".join(["[]"] * 1000) + "]")
    for deep in ("[" * 33 + "]" * 33, '{"a":' * 33 + "1" + "}" * 33, '["\\"", ' + "[" * 32, "[" * 100_000):
        with pytest.raises(MalformedJoseError, match="deeper"):
            parse_json(deep)


def test_json_size_counts_encoded_bytes() -> None:
    assert parse_json('"éé"', max_bytes=6) == "éé"
    with pytest.raises(MalformedJoseError, match="longer"):
        parse_json('"éé"', max_bytes=5)
    with pytest.raises(MalformedJoseError, match="longer"):
        parse_json(b"[" + b"1," * 5_000_000 + b"1]")


@pytest.mark.parametrize("text", ['"' + '\\"[]' * 60_000, "[]," * 87_000, '[["\\' * 50_000, '{"' * 130_000])
def test_hostile_json_takes_linear_time(text: str) -> None:
    started = time.process_time()
    with pytest.raises(MalformedJoseError):
        parse_json(text)
    assert time.process_time() - started < 1


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert parse_json(r'"\\u0000"') == r"\u0000"
