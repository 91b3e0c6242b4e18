"""Offers and links are read strictly; what they add is ignored."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.fetch import Fetched
from service.wallet.errors import RejectedError, ServiceError, UnsupportedError, UsageError
from service.wallet.http import insert_well_known, read_error
from service.wallet.links import find_deep_link, read_link
from service.wallet.offers import PRE_AUTHORIZED_GRANT, read_offer

SCHEMES = ("openid-credential-offer",)


def offer(**changes: Any) -> dict[str, Any]:
    grants = {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c"}}
    base = {"credential_issuer": "https://i.example/a", "credential_configuration_ids": ["kyc"], "grants": grants}
    return {name: value for name, value in (base | changes).items() if value is not ...}


def with_grant(**members: Any) -> dict[str, Any]:
    return offer(grants={PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c", **members}})


def test_unknown_members_are_ignored() -> None:
    read = read_offer(offer(extra=1, grants={PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c", "x": 1}, "other": {}}))
    assert (read.credential_issuer, read.configuration_ids, read.code) == ("https://i.example/a", ("kyc",), "c")
    assert (read.tx_code, read.authorization_server) == (None, None)


def test_an_empty_tx_code_object_asks_for_a_code() -> None:
    prompt = read_offer(with_grant(tx_code={})).tx_code
    assert prompt is not None
    assert (prompt.numeric, prompt.length, prompt.description) == (True, None, "")


def test_tx_code_prompt_is_bounded() -> None:
    described = {"input_mode": "text", "length": True, "description": "d" * 5000}
    prompt = read_offer(with_grant(tx_code=described)).tx_code
    assert prompt is not None
    assert (prompt.numeric, prompt.length, prompt.description) == (False, None, "d" * 300)


@pytest.mark.parametrize(
    "raw",
    [
        offer(credential_issuer=...),
        offer(credential_issuer="ftp://i.example"),
        offer(credential_issuer="https://["),
        offer(credential_issuer="https://i.example@evil.example/"),
        offer(credential_issuer="https://i.example/\u202e"),
        offer(credential_issuer="https://i.example/a b"),
        offer(credential_issuer="https://i.example/?x"),
        offer(credential_issuer="https://i.example/#"),
        offer(credential_issuer=7),
        offer(credential_configuration_ids=[]),
        offer(credential_configuration_ids="kyc"),
        offer(credential_configuration_ids=["kyc", "kyc"]),
        offer(credential_configuration_ids=[7]),
        with_grant(tx_code="1234"),
        with_grant(authorization_server=7),
        with_grant(**{"pre-authorized_code": ""}),
    ],
)
def test_malformed_offers_are_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(RejectedError):
        read_offer(raw)


@pytest.mark.parametrize("grants", [..., {}, [], {"authorization_code": []}, {"other": {}}])
def test_an_offer_without_a_known_grant_is_not_supported(grants: Any) -> None:
    with pytest.raises(UnsupportedError):
        read_offer(offer(grants=grants))


def test_a_code_goes_before_a_visit_to_the_issuers_page() -> None:
    by_page = {"authorization_code": {"issuer_state": "s", "authorization_server": "https://as.example"}}
    ready = {PRE_AUTHORIZED_GRANT: {"pre-authorized_code": "c", "tx_code": {}}}
    read = read_offer(offer(grants=by_page))
    assert (read.code, read.issuer_state, read.tx_code) == (None, "s", None)
    assert (read.grant_type, read.authorization_server) == ("authorization_code", "https://as.example")
    read = read_offer(offer(grants=by_page | ready))
    assert (read.code, read.issuer_state, read.grant_type) == ("c", None, PRE_AUTHORIZED_GRANT)
    assert read_offer(offer(grants={"authorization_code": {}})).issuer_state is None
    with pytest.raises(RejectedError):
        read_offer(offer(grants={"authorization_code": {"issuer_state": 7}}))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    raw = dict.fromkeys(("credential_issuer", "credential_configuration_ids", "grants"), value)
    with pytest.raises(ServiceError):
        read_offer(raw)


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        ("https://i.example/a/b", "https://i.example/.well-known/x/a/b"),
        ("https://i.example", "https://i.example/.well-known/x"),
        ("https://i.example/", "https://i.example/.well-known/x"),
        ("http://localhost:8000/issuers/kyc", "http://localhost:8000/.well-known/x/issuers/kyc"),
    ],
)
def test_well_known_segment_goes_between_host_and_path(identifier: str, url: str) -> None:
    assert insert_well_known(identifier, "x") == url


@pytest.mark.parametrize(
    "text", ["mailto:a@b", "openid-credential-offer://?a=1&a=2", "https://[", "x" * 70_000, "https://a/?x=%ff"]
)
def test_unusable_links_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_link(text, schemes=SCHEMES)


def page(body: str, status: int = 200, kind: str = "text/html; charset=utf-8") -> Fetched:
    return Fetched(status, {"content-type": kind}, body.encode())


LINK = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa&amp;x=1"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (page(f"<a href='{LINK}'>a</a><b>{LINK}</b>"), LINK.replace("&amp;", "&")),
        (page(f"{LINK} {LINK}2"), None),
        (page("nothing"), None),
        (page(LINK, status=404), None),
        (page(LINK, kind="application/json"), None),
    ],
)
def test_a_page_gives_its_one_deep_link(answer: Fetched, found: str | None) -> None:
    assert find_deep_link(answer, schemes=SCHEMES) == found


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"error": "invalid_grant", "error_description": "used\\u001b"}', ("invalid_grant", "used\\u{1b}")),
        (b'{"error": 7}', ("http_400", "")),
        (b"<html>", ("http_400", "")),
        (b"[]", ("http_400", "")),
    ],
)
def test_errors_are_read_and_cleaned(body: bytes, read: tuple[str, str]) -> None:
    assert read_error(Fetched(400, {}, body)) == read
