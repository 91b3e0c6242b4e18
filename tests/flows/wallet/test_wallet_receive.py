"""A wallet takes an offer, and refuses whatever isn't what it says it is."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from service.credentials.credential_types import vct_of
from service.fetch import Fetcher, FetchError
from service.wallet.errors import NegativeAnswerError, RefusedError, RejectedError, UnsupportedError, UsageError
from service.wallet.receive import accept, propose
from service.wallet.records import StoredCredential
from service.wallet.store import Wallet
from tests.loopback import Received
from tests.wallet_parties import KYC_CLAIMS, NOW, FakeIssuer, public

METADATA = "/.well-known/openid-credential-issuer/issuers/kyc"
SERVER = "/.well-known/oauth-authorization-server/issuers/kyc"
KEYS = "/.well-known/jwt-vc-issuer/issuers/kyc"


async def receive(wallet: Wallet, text: str, fetcher: Fetcher, **more: Any) -> list[StoredCredential]:
    proposal = await propose(text, fetcher=fetcher)
    return await accept(wallet, proposal, **({"tx_code": None, "now": NOW, "fetcher": fetcher} | more))


async def test_credential_is_received_kept_and_reported(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    (received,) = await receive(wallet, issuer.deep_link(), fetcher)
    assert dict(received.claims) == KYC_CLAIMS
    assert (received.issuer, received.issuer_name, received.vct) == (issuer.identifier, "Careful Checks", vct_of("kyc"))
    assert received.labels["given_name"] == "Given name"
    assert wallet.list_credentials() == [received]
    assert issuer.events() == ["credential_accepted"]
    request = issuer.requests_to("/issuers/kyc/credential")[0]
    assert request.headers["authorization"] == "Bearer token"
    assert request.json["credential_configuration_id"] == "kyc"
    assert "credential_identifier" not in request.json


async def test_an_offer_may_come_in_every_form(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    page = f"<html><a href='{issuer.deep_link()}'>Open</a></html>"
    issuer.routes["/page"] = Response(page, media_type="text/html")
    origin = issuer.identifier.removesuffix("/issuers/kyc")
    uri = f"{issuer.identifier}/offer"
    forms = [
        json.dumps(issuer.offer()),
        uri,
        f"{origin}/wallet?credential_offer_uri={uri}",
        f"{origin}/page",
        issuer.deep_link(),
    ]
    for form in forms:
        assert (await propose(form, fetcher=fetcher)).offer.code == "code"


async def test_identifiers_of_the_token_response_name_the_credential(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    detail = {"type": "openid_credential", "credential_configuration_id": "kyc", "credential_identifiers": ["k-1"]}
    issuer.token["authorization_details"] = [detail]
    await receive(wallet, issuer.deep_link(), fetcher)
    body = issuer.requests_to("/issuers/kyc/credential")[0].json
    assert body["credential_identifier"] == "k-1"
    assert "credential_configuration_id" not in body


async def test_credentials_share_one_key_and_their_copies_one_key_each(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    (first,) = await receive(wallet, issuer.deep_link(), fetcher, copies=3)
    (second,) = await receive(wallet, issuer.deep_link(), fetcher, copies=9)
    (apart,) = await receive(wallet, issuer.deep_link(), fetcher, new_key=True)
    kids = [copy.kid for copy in first.copies]
    assert len(set(kids)) == 3
    assert [copy.kid for copy in second.copies] == kids  # cut to the issuer's batch size
    assert apart.copies[0].kid not in kids


async def test_a_stale_nonce_is_replaced_once(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    stale = JSONResponse({"error": "invalid_nonce"}, status_code=400)

    def first_fails(request: Received) -> Any:
        tries = len(issuer.requests_to("/issuers/kyc/credential"))
        return stale if tries == 1 else issuer.give_credentials(request)

    issuer.routes["/issuers/kyc/credential"] = first_fails
    await receive(wallet, issuer.deep_link(), fetcher)
    assert len(issuer.requests_to("/issuers/kyc/nonce")) == 2
    issuer.routes["/issuers/kyc/credential"] = stale
    with pytest.raises(RefusedError) as refusal:
        await receive(wallet, issuer.deep_link(), fetcher)
    assert refusal.value.error == "invalid_nonce"
    assert len(issuer.requests_to("/issuers/kyc/nonce")) == 4


async def test_transaction_code_is_sent_only_where_it_is_wanted(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    await receive(wallet, issuer.deep_link(), fetcher, tx_code="1234")
    assert "tx_code" not in issuer.requests_to("/issuers/kyc/token")[0].form
    issuer.tx_code = "4711"
    with pytest.raises(UsageError):
        await receive(wallet, issuer.deep_link(), fetcher)
    with pytest.raises(RefusedError):
        await receive(wallet, issuer.deep_link(), fetcher, tx_code="1234")
    await receive(wallet, issuer.deep_link(), fetcher, tx_code="4711")


async def refusal_of(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> NegativeAnswerError:
    with pytest.raises(NegativeAnswerError) as caught:
        await receive(wallet, issuer.deep_link(), fetcher)
    assert wallet.list_credentials() == []
    return caught.value


@pytest.mark.parametrize("other", ["https://evil.example/issuers/kyc", "{0}/", None])
async def test_metadata_of_another_issuer_are_refused(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, other: str | None
) -> None:
    issuer.metadata["credential_issuer"] = None if other is None else other.format(issuer.identifier)
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RejectedError)
    assert issuer.requests_to("/issuers/kyc/token") == []


async def test_metadata_of_another_authorization_server_are_refused(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    issuer.routes[SERVER] = {"issuer": "https://evil.example", "token_endpoint": f"{issuer.identifier}/token"}
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RejectedError)
    assert issuer.requests_to("/issuers/kyc/token") == []


async def test_well_known_segment_is_inserted_not_appended(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    issuer.routes[f"/issuers/kyc{METADATA.removesuffix('/issuers/kyc')}"] = issuer.routes.pop(METADATA)
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RefusedError)


async def test_credential_bound_to_another_key_is_refused(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    issuer.bind = lambda _: issuer.key.jwk
    assert "holder key" in (await refusal_of(wallet, issuer, fetcher)).detail
    assert issuer.events() == ["credential_failure"]


async def test_copies_bound_to_one_key_are_refused(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    first: list[Mapping[str, Any]] = []

    def bind(jwk: Mapping[str, Any]) -> Mapping[str, Any]:
        first.append(jwk)
        return first[0]

    issuer.bind = bind
    with pytest.raises(RejectedError):
        await receive(wallet, issuer.deep_link(), fetcher, copies=2)


async def test_copies_that_say_different_things_are_refused(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    def bind(jwk: Mapping[str, Any]) -> Mapping[str, Any]:
        issuer.claims["country"] = issuer.claims["country"] + "x"
        return jwk

    issuer.bind = bind
    with pytest.raises(RejectedError, match="differ"):
        await receive(wallet, issuer.deep_link(), fetcher, copies=2)


async def test_credential_that_another_key_signed_is_refused(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    issuer.sign = issuer.signer.signing_function(issuer.signer.create_key("ES256").kid)
    assert "signature" in (await refusal_of(wallet, issuer, fetcher)).detail
    assert issuer.events() == ["credential_failure"]


async def test_keys_of_another_issuer_are_refused(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    issuer.routes[KEYS] = {"issuer": "https://evil.example", "jwks": {"keys": [public(issuer.key)]}}
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RejectedError)


@pytest.mark.parametrize(
    "plain", [{"vct": "urn:goodstanding:vct:aml-screening:1"}, {"exp": int(NOW.timestamp()) - 3600}]
)
async def test_credential_of_another_type_or_time_is_refused(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, plain: dict[str, Any]
) -> None:
    issuer.plain |= plain
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RejectedError)
    assert issuer.events() == ["credential_failure"]


async def test_more_credentials_than_keys_are_refused(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    def give_two(request: Received) -> Any:
        answer = issuer.give_credentials(request)
        return {"credentials": answer["credentials"] * 2}

    issuer.routes["/issuers/kyc/credential"] = give_two
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RejectedError)


@pytest.mark.parametrize("path", [METADATA, SERVER, KEYS, "/issuers/kyc/offer", "/issuers/kyc/token"])
async def test_redirects_are_not_followed(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, path: str) -> None:
    issuer.routes["/elsewhere"] = issuer.routes[path]
    issuer.routes[path] = Response(status_code=307, headers={"Location": "/elsewhere"})
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RefusedError)
    assert issuer.requests_to("/elsewhere") == []


@pytest.mark.parametrize("path", [METADATA, "/issuers/kyc/offer", "/issuers/kyc/token", "/issuers/kyc/credential"])
async def test_oversized_answers_are_cut_off(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, path: str) -> None:
    issuer.routes[path] = Response(b" " * (2 * 1024 * 1024) + b"{}", media_type="application/json")
    with pytest.raises(FetchError):
        await receive(wallet, issuer.deep_link(), fetcher)
    assert wallet.list_credentials() == []


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b"[" * 5000, b"[]", b'"x"', b"\xff", b'{"a": NaN}'])
async def test_hostile_json_is_refused(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, body: bytes) -> None:
    issuer.routes[METADATA] = Response(body, media_type="application/json")
    assert isinstance(await refusal_of(wallet, issuer, fetcher), RejectedError)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "jwt_vc_json"},
        {"proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["PS256"]}}},
        {
            "proof_types_supported": {
                "jwt": {"proof_signing_alg_values_supported": ["ES256"], "key_attestations_required": {}}
            }
        },
        {"proof_types_supported": {}},
    ],
)
async def test_what_the_wallet_cannot_receive_is_not_redeemed(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, change: dict[str, Any]
) -> None:
    issuer.metadata["credential_configurations_supported"]["kyc"] |= change
    assert isinstance(await refusal_of(wallet, issuer, fetcher), UnsupportedError)
    assert issuer.requests_to("/issuers/kyc/token") == []


async def test_a_later_credential_needs_an_address_to_come_back_to(
    wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher
) -> None:
    later = JSONResponse({"transaction_id": "t", "interval": 60}, status_code=202)
    issuer.routes["/issuers/kyc/credential"] = later
    assert isinstance(await refusal_of(wallet, issuer, fetcher), UnsupportedError)
    assert wallet.list_pending() == []


async def test_plain_http_beyond_this_machine_is_never_called(fetcher: Fetcher) -> None:
    with pytest.raises(FetchError):
        await propose("http://issuer.example/offer", fetcher=fetcher)
    with pytest.raises(FetchError):
        await propose("openid-credential-offer://?credential_offer_uri=https://10.0.0.1/offer", fetcher=fetcher)
