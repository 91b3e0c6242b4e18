"""A wallet answers a request with what was asked and nothing else, and refuses requests that aren't what they say."""

import json
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.responses import JSONResponse, Response

from service.credentials.credential import VerifiedCredential
from service.credentials.credential_types import vct_of
from service.credentials.did import DidKey, build_did_document, did_jwk_from_jwk, did_key_from_jwk
from service.credentials.jose import b64url_decode, load_key
from service.credentials.presentation import verify_presentation
from service.fetch import Fetcher, FetchError
from service.wallet.display import list_warnings
from service.wallet.errors import (
    NegativeAnswerError,
    NothingFitsError,
    RefusedError,
    RejectedError,
    UnsupportedError,
    UsageError,
)
from service.wallet.present import decline, present
from service.wallet.presentation_request import PresentationRequest
from service.wallet.receive import accept, propose
from service.wallet.records import StoredCredential
from service.wallet.requests import fetch_request
from service.wallet.selection import Selected, select_credentials
from service.wallet.store import Wallet
from tests.wallet_parties import NOW, FakeIssuer, FakeVerifier, ask, read_vp_token

AML = {"vct": vct_of("aml-screening"), "claims": {"result": "clear", "pep": False}}


async def hold(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, *, copies: int = 1, new_key: bool = False, **kind: Any
) -> StoredCredential:
    if kind:
        issuer.plain["vct"], issuer.claims = kind["vct"], kind["claims"]
        issuer.metadata["credential_configurations_supported"]["kyc"]["vct"] = kind["vct"]
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    (kept,) = await accept(
        wallet, proposal, tx_code=None, fetcher=fetcher, now=issuer.now, copies=copies, new_key=new_key
    )
    return kept


async def fetch(text: str, fetcher: Fetcher) -> PresentationRequest:
    return await fetch_request(text, wallet_nonce=secrets.token_urlsafe(16), fetcher=fetcher, now=NOW)


def select(wallet: Wallet, request: PresentationRequest) -> list[Selected]:
    held, history = wallet.list_credentials(), wallet.list_history()
    return select_credentials(request.query, held, history, client_id=request.client_id, now=NOW)


async def answer(wallet: Wallet, text: str, fetcher: Fetcher) -> str | None:
    request = await fetch(text, fetcher)
    return await present(wallet, request, select(wallet, request), fetcher=fetcher, now=NOW)


def verify(compact: str, issuer: FakeIssuer, verifier: FakeVerifier, **expected: str) -> VerifiedCredential:
    terms = {"expected_audience": verifier.client_id, "expected_nonce": verifier.parameters["nonce"]} | expected
    return verify_presentation(compact, load_key(issuer.key.jwk), now=NOW, **terms)


async def test_only_what_was_asked_is_shown(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    request = await fetch(verifier.link(), fetcher)
    (selected,) = select(wallet, request)
    assert dict(selected.disclosed) == {"country": "US", "age_over_18": True}
    assert set(selected.hidden) == {"given_name", "family_name", "id_number"}
    redirect_uri = await present(wallet, request, [selected], fetcher=fetcher, now=NOW)
    assert redirect_uri == "https://market.example/done"
    (form,) = verifier.answers()
    assert form["state"] == verifier.parameters["state"]
    token = read_vp_token(form)
    assert list(token) == ["kyc"]
    (compact,) = token["kyc"]
    assert verify(compact, issuer, verifier).disclosed == {"country", "age_over_18"}


async def test_a_query_without_claims_shows_none(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    verifier.parameters["dcql_query"] = ask("kyc", vct_of("kyc"))
    await answer(wallet, verifier.link(), fetcher)
    (compact,) = read_vp_token(verifier.answers()[0])["kyc"]
    assert verify(compact, issuer, verifier).disclosed == frozenset()


async def test_history_says_who_saw_what(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    held = await hold(wallet, issuer, fetcher)
    await answer(wallet, verifier.link(), fetcher)
    (entry,) = wallet.list_history()
    assert (entry.client_id, entry.client_name, entry.outcome) == (verifier.client_id, "Example Market", "accepted")
    assert entry.credentials[0].credential_id == held.id
    assert set(entry.credentials[0].claims) == {"country", "age_over_18"}


async def test_what_was_sent_is_recorded_even_if_no_answer_comes(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    verifier.routes["/verifiers/v/response"] = Response(b" " * 500_000)
    with pytest.raises(FetchError):
        await answer(wallet, verifier.link(), fetcher)
    assert [entry.outcome for entry in wallet.list_history()] == ["sending"]


@pytest.mark.parametrize(("offered", "used"), [(["A128GCM", "A256GCM"], "A256GCM"), (None, "A128GCM")])
async def test_answer_is_encrypted_where_that_is_asked(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher, offered: list[str] | None, used: str
) -> None:
    await hold(wallet, issuer, fetcher)
    key, sealed = verifier.signer.create_decryption_key()
    metadata: dict[str, Any] = {"jwks": {"keys": [{"kty": "RSA", "alg": "RSA-OAEP"}, key | {"alg": "ECDH-ES"}]}}
    if offered is not None:
        metadata["encrypted_response_enc_values_supported"] = offered
    verifier.parameters |= {"response_mode": "direct_post.jwt", "client_metadata": metadata}
    await answer(wallet, verifier.link(), fetcher)
    (form,) = verifier.answers()
    assert list(form) == ["response"]
    header = json.loads(b64url_decode(form["response"].split(".")[0]))
    assert (header["enc"], header["kid"]) == (used, key["kid"])
    opened = json.loads(verifier.signer.decrypt_jwe(form["response"], sealed, max_bytes=100_000))
    assert opened["state"] == verifier.parameters["state"]
    assert verify(opened["vp_token"]["kyc"][0], issuer, verifier).holder_bound


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "alg": "ECDH-ES", "x": "AAAA", "y": "AAAA"}]}},
        {"jwks": {"keys": "sig"}, "encrypted_response_enc_values_supported": ["A128CBC-HS256"]},
    ],
)
async def test_nothing_is_sent_in_plain_where_encryption_fails(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher, metadata: dict[str, Any]
) -> None:
    await hold(wallet, issuer, fetcher)
    verifier.parameters |= {"response_mode": "direct_post.jwt", "client_metadata": metadata}
    with pytest.raises((UnsupportedError, RejectedError)):
        await answer(wallet, verifier.link(), fetcher)
    assert verifier.answers() == []
    assert wallet.list_history() == []


async def test_request_may_be_posted_for_with_a_nonce(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    link = verifier.link(request_uri_method="post")
    await answer(wallet, link, fetcher)
    asked = verifier.requests_to("/verifiers/v/request")[0]
    assert (asked.method, asked.headers["accept"]) == ("POST", "application/oauth-authz-req+jwt")
    verifier.parameters["wallet_nonce"] = "another"
    with pytest.raises(RejectedError, match="wallet_nonce"):
        await fetch(link, fetcher)


async def test_request_may_come_by_value_or_on_a_page(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    query = urlencode({"client_id": verifier.client_id, "request": verifier.request_object()})
    assert (await fetch(f"https://wallet.example/?{query}", fetcher)).client_id == verifier.client_id
    page = f"<a href='{verifier.link().replace('&', '&amp;')}'>Open</a>"
    verifier.routes["/page"] = Response(page, media_type="text/html")
    origin = verifier.base_url.removesuffix("/verifiers/v")
    assert (await fetch(f"{origin}/page", fetcher)).client_id == verifier.client_id


@pytest.mark.parametrize("make_did", [did_key_from_jwk, did_jwk_from_jwk])
async def test_verifiers_may_be_named_by_their_key(verifier: FakeVerifier, fetcher: Fetcher, make_did: Any) -> None:
    did = make_did(verifier.key.jwk)
    verifier.client_id = verifier.parameters["client_id"] = f"decentralized_identifier:{did}"
    verifier.header["kid"] = f"{did}#{did.removeprefix('did:key:') if did.startswith('did:key:') else '0'}"
    assert (await fetch(verifier.link(), fetcher)).authenticated


async def refusal_of(text: str, fetcher: Fetcher) -> NegativeAnswerError:
    with pytest.raises(NegativeAnswerError) as caught:
        await fetch(text, fetcher)
    return caught.value


@pytest.mark.parametrize("strip", ["decentralized_identifier:", ""])
async def test_outer_and_inner_client_id_are_compared_whole(
    verifier: FakeVerifier, fetcher: Fetcher, strip: str
) -> None:
    inner = verifier.client_id.removeprefix(strip) if strip else verifier.client_id + "x"
    verifier.parameters["client_id"] = inner
    assert "different verifiers" in (await refusal_of(verifier.link(), fetcher)).detail
    assert verifier.answers() == []


async def test_a_request_of_another_key_is_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    verifier.sign = verifier.signer.signing_function(verifier.signer.create_key("ES256").kid)
    assert isinstance(await refusal_of(verifier.link(), fetcher), RejectedError)


async def test_a_key_inside_the_request_proves_nothing(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    other = verifier.signer.create_key("ES256")
    verifier.sign = verifier.signer.signing_function(other.kid)
    verifier.header["jwk"] = dict(other.jwk)
    assert isinstance(await refusal_of(verifier.link(), fetcher), RejectedError)
    del verifier.header["kid"]
    assert isinstance(await refusal_of(verifier.link(), fetcher), RejectedError)


@pytest.mark.parametrize(
    "change",
    [{"typ": "JWT"}, {"typ": "kb+jwt"}, {"alg": "none"}, {"alg": "EdDSA"}, {"kid": "#nobody"}, {"crit": ["exp"]}],
)
async def test_other_headers_are_refused(verifier: FakeVerifier, fetcher: Fetcher, change: dict[str, Any]) -> None:
    verifier.header |= change
    assert isinstance(await refusal_of(verifier.link(), fetcher), RejectedError)


async def test_document_of_another_did_is_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    # Whole in itself, and naming the key that signed: only its id shows that it isn't the verifier's.
    evil = "did:web:evil.example"
    methods = [DidKey(verifier.key.kid, verifier.key.jwk, ("authentication",))]
    verifier.routes["/verifiers/v/did.json"] = build_did_document(evil, methods)
    verifier.header["kid"] = f"{evil}#{verifier.key.kid}"
    assert isinstance(await refusal_of(verifier.link(), fetcher), RejectedError)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"aud": "https://other.example"}, None),
        ({"exp": int((NOW - timedelta(minutes=5)).timestamp())}, None),
        ({"iat": int((NOW + timedelta(minutes=5)).timestamp())}, None),
        ({"exp": "soon"}, None),
        ({"response_uri": None}, None),
        ({"response_uri": "https://["}, None),
        ({"response_uri": "https://market.example@evil.example/"}, None),
        ({"response_uri": "https://m\u0430rket.example/"}, None),
        ({"response_uri": "javascript:alert(1)"}, None),
        ({"state": "s p a c e"}, None),
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"response_type": "code"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"nonce": ""}, "invalid_request"),
        ({"nonce": "a b"}, "invalid_request"),
        ({"scope": "kyc"}, "invalid_request"),
        ({"dcql_query": {"credentials": []}}, "invalid_request"),
        ({"dcql_query": json.dumps(ask("kyc", "x"))}, "invalid_request"),
        ({"client_metadata": []}, "invalid_request"),
        ({"transaction_data": ["e30"]}, "invalid_transaction_data"),
        ({"transaction_data": []}, "invalid_transaction_data"),
    ],
)
async def test_other_parameters_are_refused_and_the_verifier_told(
    verifier: FakeVerifier, fetcher: Fetcher, change: dict[str, Any], told: str | None
) -> None:
    verifier.parameters |= change
    await refusal_of(verifier.link(), fetcher)
    expected = [] if told is None else [{"error": told, "state": verifier.parameters["state"]}]
    assert verifier.answers() == expected


async def test_only_the_request_object_counts(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    lure = verifier.link(
        response_uri="https://evil.example",
        nonce="chosen",
        dcql_query=json.dumps(ask("kyc", vct_of("kyc"), "id_number")),
        transaction_data="[]",
    )
    request = await fetch(lure, fetcher)
    assert request.reply.response_uri == verifier.parameters["response_uri"]
    assert request.nonce == verifier.parameters["nonce"]
    assert [claim.path for claim in request.query.credentials[0].claims or ()] == [("country",), ("age_over_18",)]


@pytest.mark.parametrize("path", ["/verifiers/v/request", "/verifiers/v/did.json"])
async def test_redirects_are_not_followed(verifier: FakeVerifier, fetcher: Fetcher, path: str) -> None:
    verifier.routes["/elsewhere"] = verifier.routes[path]
    verifier.routes[path] = Response(status_code=302, headers={"Location": "/elsewhere"})
    assert isinstance(await refusal_of(verifier.link(), fetcher), RefusedError)
    assert verifier.requests_to("/elsewhere") == []


async def test_an_answer_is_not_sent_on_to_another_place(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    verifier.routes["/elsewhere"] = {}
    verifier.routes["/verifiers/v/response"] = Response(status_code=307, headers={"Location": "/elsewhere"})
    with pytest.raises(RefusedError):
        await answer(wallet, verifier.link(), fetcher)
    assert verifier.requests_to("/elsewhere") == []
    assert [entry.outcome for entry in wallet.list_history()] == ["refused"]


async def test_oversized_requests_are_cut_off(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    verifier.routes["/verifiers/v/request"] = Response(b"a" * 100_000)
    with pytest.raises(FetchError):
        await fetch(verifier.link(), fetcher)


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "file:///etc/passwd", 7, ""])
async def test_only_web_addresses_are_offered_to_go_on(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher, uri: Any
) -> None:
    await hold(wallet, issuer, fetcher)
    verifier.routes["/verifiers/v/response"] = {"redirect_uri": uri}
    assert await answer(wallet, verifier.link(), fetcher) is None


async def test_an_unreadable_request_uri_is_never_called(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    with pytest.raises(FetchError):
        await fetch(f"openid4vp://?client_id={verifier.client_id}&request_uri=https://%5B", fetcher)


@pytest.mark.parametrize(
    "text",
    [
        "openid4vp://?request_uri=https://a.example",
        "ftp://a.example/?client_id=x",
        "openid4vp://?client_id=a&client_id=b&request_uri=https://a.example",
        "hello",
        "",
    ],
)
async def test_what_is_no_link_to_a_request_is_an_error(fetcher: Fetcher, text: str) -> None:
    with pytest.raises(UsageError):
        await fetch(text, fetcher)


@pytest.mark.parametrize("prefix", ["openid_federation:", "origin:", "", "redirect_uri:"])
async def test_other_client_identifiers_are_refused(verifier: FakeVerifier, fetcher: Fetcher, prefix: str) -> None:
    verifier.client_id = verifier.parameters["client_id"] = f"{prefix}verifier.example"
    assert isinstance(await refusal_of(verifier.link(), fetcher), UnsupportedError)


@pytest.mark.parametrize("prefix", ["x509_san_dns:", "x509_hash:", "verifier_attestation:"])
async def test_a_name_without_what_proves_it_is_refused(verifier: FakeVerifier, fetcher: Fetcher, prefix: str) -> None:
    verifier.client_id = verifier.parameters["client_id"] = f"{prefix}verifier.example"
    assert isinstance(await refusal_of(verifier.link(), fetcher), RejectedError)


def unsigned(verifier: FakeVerifier, **changes: str) -> str:
    response_uri = verifier.parameters["response_uri"]
    parameters = {name: verifier.parameters[name] for name in ("response_type", "response_mode", "nonce", "state")}
    parameters |= {"client_id": f"redirect_uri:{response_uri}", "response_uri": response_uri}
    parameters["dcql_query"] = json.dumps(verifier.parameters["dcql_query"])
    return "openid4vp://?" + urlencode(parameters | changes)


async def test_an_unsigned_request_goes_only_to_its_own_address_and_is_warned_of(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    request = await fetch(unsigned(verifier), fetcher)
    selection = select(wallet, request)
    assert any("nobody signed" in warning for warning in list_warnings(request, selection))
    await present(wallet, request, selection, fetcher=fetcher, now=NOW)
    (compact,) = read_vp_token(verifier.answers()[0])["kyc"]
    assert verify(compact, issuer, verifier, expected_audience=request.client_id).holder_bound
    await refusal_of(unsigned(verifier, response_uri="https://evil.example/"), fetcher)
    await refusal_of(unsigned(verifier, client_id=verifier.client_id), fetcher)
    await refusal_of(unsigned(verifier, transaction_data="[]"), fetcher)
    assert len(verifier.answers()) == 1


async def test_an_answer_that_goes_to_another_host_is_warned_of(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    assert list_warnings(await fetch(verifier.link(), fetcher), []) == []
    verifier.parameters["response_uri"] = "https://elsewhere.example/response"
    assert "another host" in list_warnings(await fetch(verifier.link(), fetcher), [])[0]


async def test_nothing_is_sent_if_nothing_fits(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    asked = ask("kyc", vct_of("kyc"), "birthdate")["credentials"] + ask("aml", vct_of("aml-screening"))["credentials"]
    verifier.parameters["dcql_query"] = {"credentials": asked}
    request = await fetch(verifier.link(), fetcher)
    with pytest.raises(NothingFitsError) as caught:
        select(wallet, request)
    details = [finding["detail"] for finding in caught.value.errors]
    assert details == ["the credential kyc lacks birthdate", "no credential of type aml-screening"]
    assert verifier.answers() == []


async def test_declining_tells_the_verifier_and_shows_nothing(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    await decline(wallet, await fetch(verifier.link(), fetcher), fetcher=fetcher, now=NOW)
    assert verifier.answers() == [{"error": "access_denied", "state": verifier.parameters["state"]}]
    assert [(entry.outcome, entry.credentials) for entry in wallet.list_history()] == [("declined", ())]


async def test_a_refusal_of_the_verifier_is_reported(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    no = JSONResponse({"error": "invalid_request", "error_description": "\x1b[31mno"}, status_code=400)
    verifier.routes["/verifiers/v/response"] = no
    with pytest.raises(RefusedError) as caught:
        await answer(wallet, verifier.link(), fetcher)
    assert caught.value.error == "invalid_request"
    assert "\x1b" not in caught.value.detail


def both() -> dict[str, Any]:
    asked = (
        ask("kyc", vct_of("kyc"), "country")["credentials"]
        + ask("aml", vct_of("aml-screening"), "result")["credentials"]
    )
    return {"credentials": asked}


async def test_credentials_shown_together_are_bound_to_one_key(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    shared = await hold(wallet, issuer, fetcher)
    issuer.now = NOW + timedelta(minutes=1)
    await hold(wallet, issuer, fetcher, new_key=True)  # newer, but it can't be combined
    aml = await hold(wallet, issuer, fetcher, **AML)
    verifier.parameters["dcql_query"] = both()
    selection = select(wallet, await fetch(verifier.link(), fetcher))
    assert {item.credential.id for item in selection} == {shared.id, aml.id}
    assert len({item.copy.kid for item in selection}) == 1


async def test_each_verifier_sees_a_key_of_its_own(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher, copies=2)
    request = await fetch(verifier.link(), fetcher)
    first = select(wallet, request)
    await present(wallet, request, first, fetcher=fetcher, now=NOW)
    again = select(wallet, request)
    held, history = wallet.list_credentials(), wallet.list_history()
    other = select_credentials(request.query, held, history, client_id="decentralized_identifier:did:x", now=NOW)
    assert first[0].copy == again[0].copy
    assert other[0].copy != first[0].copy


async def test_valid_credentials_go_before_expired_ones(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    issuer.now = NOW - timedelta(days=2)
    issuer.plain["exp"] = int((NOW + timedelta(days=9)).timestamp())
    good = await hold(wallet, issuer, fetcher)
    issuer.now = NOW - timedelta(days=1)
    issuer.plain["exp"] = int((NOW - timedelta(hours=1)).timestamp())
    await hold(wallet, issuer, fetcher)
    (selected,) = select(wallet, await fetch(verifier.link(), fetcher))
    assert selected.credential.id == good.id
