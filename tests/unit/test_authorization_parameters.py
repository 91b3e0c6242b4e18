"""Parameters of pushed authorization requests, PKCE, and addresses that a wallet may be sent to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ProtocolError
from service.issuer.authorization_parameters import (
    MAX_STATE_CHARACTERS,
    matches_redirect_uri,
    read_pushed_request,
    verify_code_verifier,
)

CALLBACK = "https://wallet.example/cb?tenant=1"
# RFC 7636, appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
FORM = {
    "response_type": "code",
    "redirect_uri": CALLBACK,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "scope": "kyc",
}


def details(*names: Any) -> str:
    return json.dumps([{"type": "openid_credential", "credential_configuration_id": name} for name in names])


def test_a_request_is_read() -> None:
    more = {"state": "s", "issuer_state": "i", "dpop_jkt": CHALLENGE, "nonce": "unknown", "resource": ""}
    read = read_pushed_request(FORM | more, redirect_uris=["https://wallet.example/", CALLBACK])
    assert (read.redirect_uri, read.state, read.code_challenge) == (CALLBACK, "s", CHALLENGE)
    assert (read.scope_ids, read.detail_ids) == (("kyc",), ())
    assert (read.issuer_state, read.dpop_jkt) == ("i", CHALLENGE)


def test_scope_and_details_are_read_apart() -> None:
    form = FORM | {"scope": "openid kyc  kyc aml-screening", "authorization_details": details("kyc", "kyc")}
    read = read_pushed_request(form, redirect_uris=[CALLBACK])
    assert (read.scope_ids, read.detail_ids) == (("kyc", "aml-screening"), ("kyc",))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"redirect_uri": "https://wallet.example/cb"}, "invalid_request"),
        ({"redirect_uri": CALLBACK + "&more=1"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/cb?tenant=1"}, "invalid_request"),
        ({"state": "s" * (MAX_STATE_CHARACTERS + 1)}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": VERIFIER + "A"}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"authorization_details": "{"}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": details("nothing")}, "invalid_authorization_details"),
        ({"authorization_details": details(7)}, "invalid_authorization_details"),
    ],
)
def test_what_is_not_allowed_is_named(changes: dict[str, str], error: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_pushed_request(FORM | changes, redirect_uris=[CALLBACK])
    assert caught.value.error == error


def test_a_wallet_without_addresses_is_sent_nowhere() -> None:
    with pytest.raises(ProtocolError, match="none of the client's"):
        read_pushed_request(FORM, redirect_uris=[])


def test_the_verifier_belongs_to_its_challenge() -> None:
    assert verify_code_verifier(VERIFIER, challenge=CHALLENGE)
    for other in (VERIFIER[:-1], VERIFIER[:-1] + "A", CHALLENGE, "", "a" * 129, VERIFIER + "\n"):
        assert not verify_code_verifier(other, challenge=CHALLENGE)


@given(st.text(max_size=200))
def test_no_other_text_is_the_verifier(text: str) -> None:
    assert verify_code_verifier(text, challenge=CHALLENGE) == (text == VERIFIER)


@pytest.mark.parametrize(
    ("given_uri", "registered", "matches"),
    [
        ("https://wallet.example/cb", "https://wallet.example/cb", True),
        ("https://wallet.example/cb", "https://wallet.example/cb/", False),
        ("https://wallet.example/CB", "https://wallet.example/cb", False),
        ("https://wallet.example:443/cb", "https://wallet.example/cb", False),
        ("https://wallet.example/cb/../x", "https://wallet.example/cb", False),
        ("com.wallet.app:/cb", "com.wallet.app:/cb", True),
        ("http://127.0.0.1:51004/cb", "http://127.0.0.1/cb", True),
        ("http://[::1]:51004/cb", "http://[::1]/cb", True),
        ("http://127.0.0.1:51004/cb", "http://127.0.0.1:3000/cb", True),
        ("http://127.0.0.1:51004/cb?a=1", "http://127.0.0.1/cb?a=1", True),
        ("http://127.0.0.1:51004/c\r\nb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:51004/c\tb", "http://127.0.0.1/cb", False),
        ("\x01http://127.0.0.1/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1/cb\n", "http://127.0.0.1/cb", False),
        (" http://127.0.0.1/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:51004/cb#", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:51004/cb?", "http://127.0.0.1/cb", False),
        ("HTTP://127.0.0.1:51004/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:0/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:65536/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:65535/cb", "http://127.0.0.1/cb", True),
        ("http://127.0.0.1:51004/other", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:51004/cb?x", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:51004/cb#x", "http://127.0.0.1/cb", False),
        ("http://me@127.0.0.1:51004/cb", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:99999/cb", "http://127.0.0.1/cb", False),
        ("https://127.0.0.1:51004/cb", "https://127.0.0.1/cb", False),
        ("http://127.0.0.2:51004/cb", "http://127.0.0.1/cb", False),
        ("http://localhost:51004/cb", "http://localhost/cb", False),
        ("http://127.0.0.1.evil.example:51004/cb", "http://127.0.0.1/cb", False),
    ],
)
def test_addresses_are_compared_exactly_but_for_a_loopback_port(given_uri: str, registered: str, matches: bool) -> None:
    assert matches_redirect_uri(given_uri, registered) is matches
