"""A wallet that comes back for its credential, and that lets nobody between read what it sends and gets."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from service.credentials.encryption_key import load_encryption_key
from service.fetch import Fetcher
from service.keys.jwe import encrypt
from service.wallet.collect import collect, collect_all
from service.wallet.errors import RefusedError, RejectedError, UnsupportedError
from service.wallet.receive import accept, propose
from service.wallet.store import Wallet
from tests.loopback import Received
from tests.wallet_parties import KYC_CLAIMS, NOW, FakeIssuer

CREDENTIAL, DEFERRED = "/issuers/kyc/credential", "/issuers/kyc/deferred_credential"
WAIT = {"transaction_id": "t-1", "interval": 30}


async def receive(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> Any:
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    return await accept(wallet, proposal, tx_code=None, fetcher=fetcher, now=NOW)


def defer(issuer: FakeIssuer) -> list[Received]:
    """Have the issuer ask for patience; what it was asked at first is kept."""
    first: list[Received] = []

    def wait(request: Received) -> Response:
        first.append(request)
        return JSONResponse(WAIT, status_code=202)

    issuer.metadata["deferred_credential_endpoint"] = f"{issuer.identifier}/deferred_credential"
    issuer.routes[CREDENTIAL] = wait
    issuer.routes[DEFERRED] = JSONResponse(WAIT, status_code=202)
    return first


async def test_a_later_credential_is_fetched_with_what_was_kept(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    first = defer(issuer)
    assert await receive(wallet, issuer, fetcher) == []
    [pending] = wallet.list_pending()
    assert (pending.transaction_id, pending.next_at) == ("t-1", NOW + timedelta(seconds=30))
    later = NOW + timedelta(minutes=1)
    assert await collect(wallet, pending, fetcher=fetcher, now=later) is None
    [pending] = wallet.list_pending()
    assert pending.next_at == later + timedelta(seconds=30)
    issuer.routes[DEFERRED] = issuer.give_credentials(first[0])
    stored = await collect(wallet, pending, fetcher=fetcher, now=later)
    assert stored is not None
    assert dict(stored.claims) == KYC_CLAIMS
    assert wallet.list_credentials() == [stored]
    assert wallet.list_pending() == []
    asked = issuer.requests_to(DEFERRED)
    assert [request.json for request in asked] == [{"transaction_id": "t-1"}] * 2
    assert {request.headers["authorization"] for request in asked} == {"Bearer token"}


@pytest.mark.parametrize("error", ["credential_request_denied", "invalid_transaction_id"])
async def test_what_was_denied_is_not_asked_for_again(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, error: str
) -> None:
    defer(issuer)
    await receive(wallet, issuer, fetcher)
    issuer.routes[DEFERRED] = JSONResponse({"error": error}, status_code=400)
    with pytest.raises(RefusedError, match=error):
        await collect(wallet, wallet.list_pending()[0], fetcher=fetcher, now=NOW)
    assert wallet.list_pending() == []


async def test_a_fault_on_the_way_leaves_it_pending(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    defer(issuer)
    await receive(wallet, issuer, fetcher)
    for answer in (
        JSONResponse({"error": "server_error"}, status_code=500),
        JSONResponse(WAIT | {"transaction_id": "t-2"}, status_code=202),
        JSONResponse({}, status_code=202),
    ):
        issuer.routes[DEFERRED] = answer
        received, refusals = await collect_all(wallet, fetcher=fetcher, clock=lambda: NOW, patience=timedelta(0))
        assert (received, len(refusals)) == ([], 1)
        assert [each.transaction_id for each in wallet.list_pending()] == ["t-1"]


async def test_patience_ends(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    defer(issuer)
    await receive(wallet, issuer, fetcher)
    found = await collect_all(wallet, fetcher=fetcher, clock=lambda: NOW, patience=timedelta(seconds=29))
    assert found == ([], [])
    assert len(issuer.requests_to(DEFERRED)) == 1


def encrypting(issuer: FakeIssuer, *, required: bool = False) -> None:
    """Have the issuer decrypt requests and encrypt answers."""
    public, sealed = issuer.signer.create_decryption_key()
    methods = {"enc_values_supported": ["A128GCM"], "encryption_required": required}
    jwks = {"keys": [{"kty": "RSA", "kid": "r"}, {**public, "alg": "ECDH-ES", "use": "enc"}]}
    issuer.metadata["credential_request_encryption"] = {"jwks": jwks, **methods}
    issuer.metadata["credential_response_encryption"] = {"alg_values_supported": ["ECDH-ES"], **methods}
    give = issuer.routes[CREDENTIAL]

    def answer(request: Received) -> Response:
        assert request.headers["content-type"] == "application/jwt"
        plain = issuer.signer.decrypt_jwe(request.body.decode(), sealed, max_bytes=100_000)
        asked = json.loads(plain)
        wanted = asked["credential_response_encryption"]
        key = load_encryption_key(wanted["jwk"])
        opened = replace(request, json=asked)
        token = encrypt(json.dumps(give(opened)).encode(), {**key.jwk, "kid": key.kid}, method=wanted["enc"])
        return Response(token, media_type="application/jwt")

    issuer.routes[CREDENTIAL] = answer


async def test_requests_and_answers_are_encrypted_where_that_is_offered(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    encrypting(issuer, required=True)
    [stored] = await receive(wallet, issuer, fetcher)
    assert dict(stored.claims) == KYC_CLAIMS


async def test_an_answer_in_plain_is_refused_where_an_encrypted_one_was_asked_for(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    encrypting(issuer)
    for answer in (JSONResponse({"credentials": []}), Response("a.b.c.d.e", media_type="application/jwt")):
        issuer.routes[CREDENTIAL] = answer
        with pytest.raises(RejectedError):
            await receive(wallet, issuer, fetcher)


@pytest.mark.parametrize("side", ["request", "response"])
async def test_encryption_that_is_demanded_and_unknown_is_said(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, side: str
) -> None:
    encrypting(issuer)
    issuer.metadata[f"credential_{side}_encryption"] |= {"enc_values_supported": ["A128CBC-HS256"]}
    assert (await propose(issuer.deep_link(), fetcher=fetcher)).issuer.name == "Careful Checks"
    issuer.metadata[f"credential_{side}_encryption"] |= {"encryption_required": True}
    with pytest.raises(UnsupportedError):
        await propose(issuer.deep_link(), fetcher=fetcher)
