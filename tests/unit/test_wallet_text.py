"""Text of others never steers the terminal."""

import io
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from service.credentials.dcql import parse_dcql_query
from service.wallet.display import render_request
from service.wallet.presentation_request import PresentationRequest, ReplyAddress
from service.wallet.text import MAX_CHARACTERS, clean_text

QUERY = {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["x"]}}]}
REQUEST = PresentationRequest(
    client_id="decentralized_identifier:did:web:v.example",
    authenticated=True,
    client_name="V",
    purpose="",
    reply=ReplyAddress("https://v.example/r", None),
    encrypted=False,
    nonce="n",
    query=parse_dcql_query(QUERY),
)


@given(st.text())
def test_cleaned_text_is_one_printable_line(text: str) -> None:
    for character in clean_text(text):
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Ada Lee", "Ada Lee"),
        ("身份认证（KYC）", "身份认证（KYC）"),
        ("\x1b[31mred", "\\u{1b}[31mred"),
        ("a\u202eb", "a\\u{202e}b"),
        ("a\nb\u2028c", "a\\u{a}b\\u{2028}c"),
        ("\u200bx\ufeff", "\\u{200b}x\\u{feff}"),
        (True, "yes"),
        (False, "no"),
        (None, ""),
        (7, "7"),
        (["US", "\x07"], "US, \\u{7}"),
        ({"city": "Rome\x00"}, "city: Rome\\u{0}"),
    ],
)
def test_values_are_written_as_people_read_them(value: object, shown: str) -> None:
    assert clean_text(value) == shown


def test_long_text_is_cut() -> None:
    assert clean_text("x" * 10_000) == "x" * MAX_CHARACTERS + "…"


def test_piled_up_accents_are_not_drawn() -> None:
    assert clean_text("a" + "\u0301" * 50).count("\u0301") == 4


@pytest.mark.parametrize("hostile", ["[bold]x[/bold]", "[link=https://evil.example]x[/link]", ":skull:", "[/nothing]"])
def test_markup_is_shown_as_it_is(hostile: str) -> None:
    screen = io.StringIO()
    request = replace(REQUEST, client_name=hostile, purpose=hostile)
    Console(file=screen, width=200, force_terminal=True).print(render_request(request, []))
    assert screen.getvalue().count(hostile) == 2


def test_a_whole_screen_holds_no_control_but_our_colours() -> None:
    screen = io.StringIO()
    hostile = "\x1b]0;owned\x07\x1b[2J\u202e"
    request = replace(REQUEST, client_id=hostile, client_name=hostile, purpose=hostile)
    Console(file=screen, width=200, no_color=True).print(render_request(request, []))
    assert not {"\x1b", "\x07", "\u202e"} & set(screen.getvalue())
