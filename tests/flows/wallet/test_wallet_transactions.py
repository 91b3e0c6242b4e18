"""A holder agrees to a trade or a representation in words, signs exactly that, and to nothing else."""

import io
import secrets
from typing import Any
from urllib.parse import urlencode

import pytest
from rich.console import Console

from service.credentials.jose import load_key
from service.credentials.presentation import verify_presentation
from service.credentials.transaction_data import REPRESENTATION, STATEMENTS, TRADE
from service.fetch import Fetcher
from service.wallet.display import render_request
from service.wallet.errors import NothingFitsError, RejectedError
from service.wallet.present import present
from service.wallet.presentation_request import PresentationRequest
from service.wallet.receive import accept, propose
from service.wallet.requests import fetch_request
from service.wallet.selection import Selected, select_credentials
from service.wallet.store import Wallet
from service.wallet.transactions import assign_transactions
from tests.unit.test_transaction_data import REPRESENTATION_DATA, TRADE_DATA, encode
from tests.wallet_parties import NOW, FakeIssuer, FakeVerifier, read_vp_token


async def fetch(link: str, fetcher: Fetcher) -> PresentationRequest:
    return await fetch_request(link, wallet_nonce=secrets.token_urlsafe(16), fetcher=fetcher, now=NOW)


async def select(wallet: Wallet, issuer: FakeIssuer, request: PresentationRequest, fetcher: Fetcher) -> list[Selected]:
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    await accept(wallet, proposal, tx_code=None, fetcher=fetcher, now=issuer.now)
    return select_credentials(request.query, wallet.list_credentials(), [], client_id=request.client_id, now=NOW)


@pytest.mark.parametrize(("offered", "used"), [(None, "sha-256"), (["sha-512", "sha-384"], "sha-384")])
async def test_a_trade_is_shown_in_words_and_signed(
    wallet: Wallet,
    issuer: FakeIssuer,
    verifier: FakeVerifier,
    fetcher: Fetcher,
    offered: list[str] | None,
    used: str,
) -> None:
    trade = TRADE_DATA if offered is None else TRADE_DATA | {"transaction_data_hashes_alg": offered}
    entries = [encode(trade), encode(REPRESENTATION_DATA | {"transaction_data_hashes_alg": [used]})]
    verifier.parameters["transaction_data"] = entries
    request = await fetch(verifier.link(), fetcher)
    selection = await select(wallet, issuer, request, fetcher)
    screen = io.StringIO()
    Console(file=screen, width=200).print(render_request(request, selection))
    shown = screen.getvalue()
    for words in ("By answering you agree to this", "100 of demo", "1000.00 USD per unit", "200000 USD"):
        assert words in shown
    await present(wallet, request, selection, fetcher=fetcher, now=NOW)
    [compact] = read_vp_token(verifier.answers()[0])["kyc"]
    terms: dict[str, Any] = {"expected_audience": verifier.client_id, "expected_nonce": verifier.parameters["nonce"]}
    assert verify_presentation(
        compact,
        load_key(issuer.key.jwk),
        now=NOW,
        expected_transaction_data=entries,
        expected_hash_algorithms={used},
        **terms,
    )
    [entry] = wallet.list_history()
    assert "You buy: 100 of demo" in entry.agreed[0]
    assert STATEMENTS["us.506c.min_investment"] in entry.agreed[1]


BAD: list[Any] = [
    "text",
    [],
    [7],
    ["e30"],
    [encode(TRADE_DATA)] * 11,
    [encode({"type": "payment", "credential_ids": ["kyc"]})],
    [encode(TRADE_DATA), encode(TRADE_DATA | {"type": f"{TRADE}0"})],
    [encode(TRADE_DATA | {"extra": 1})],
    [encode(TRADE_DATA | {"credential_ids": ["other"]})],
    [encode(TRADE_DATA | {"credential_ids": ["kyc", "other"]})],
    [encode(TRADE_DATA | {"transaction_data_hashes_alg": ["md5"]})],
    [encode({"type": REPRESENTATION, "credential_ids": ["kyc"], "representation": "us.506c.income", "statement": "x"})],
]


async def test_what_cannot_be_shown_is_refused_and_the_verifier_told(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    for count, entries in enumerate(BAD, start=1):
        verifier.parameters["transaction_data"] = entries
        with pytest.raises(RejectedError) as caught:
            await fetch(verifier.link(), fetcher)
        assert caught.value.error == "invalid_transaction_data"
        assert [answer["error"] for answer in verifier.answers()] == ["invalid_transaction_data"] * count


async def test_an_agreement_needs_the_proof_of_the_holder(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    verifier.parameters["transaction_data"] = [encode(TRADE_DATA)]
    verifier.parameters["dcql_query"]["credentials"][0]["require_cryptographic_holder_binding"] = False
    with pytest.raises(RejectedError):
        await fetch(verifier.link(), fetcher)


async def test_nobody_agrees_with_nobody(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    """An unsigned request is anybody's."""
    address = verifier.parameters["response_uri"]
    parameters = verifier.parameters | {"client_id": f"redirect_uri:{address}", "dcql_query": '{"credentials":[]}'}
    plain = {name: value for name, value in parameters.items() if isinstance(value, str)}
    query = '{"credentials":[{"id":"kyc","format":"dc+sd-jwt","meta":{"vct_values":["x"]}}]}'
    link = "openid4vp://?" + urlencode({**plain, "dcql_query": query})
    assert (await fetch(link, fetcher)).transactions == ()
    with pytest.raises(RejectedError):
        await fetch(link + "&" + urlencode({"transaction_data": f'["{encode(TRADE_DATA)}"]'}), fetcher)
    assert verifier.answers() == []


async def test_the_credential_that_carries_an_agreement_must_be_shown(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    other = {"id": "other", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:x"]}}
    verifier.parameters["dcql_query"]["credentials"].append(other)
    verifier.parameters["dcql_query"]["credential_sets"] = [
        {"options": [["kyc"]]},
        {"options": [["other"]], "required": False},
    ]
    verifier.parameters["transaction_data"] = [encode(TRADE_DATA | {"credential_ids": ["other", "kyc"]})]
    request = await fetch(verifier.link(), fetcher)
    selection = await select(wallet, issuer, request, fetcher)
    assert {name: len(each) for name, each in assign_transactions(request.transactions, selection).items()} == {
        "kyc": 1
    }
    verifier.parameters["transaction_data"] = [encode(TRADE_DATA | {"credential_ids": ["other"]})]
    request = await fetch(verifier.link(), fetcher)
    with pytest.raises(NothingFitsError):
        await present(wallet, request, selection, fetcher=fetcher, now=NOW)
    assert verifier.answers() == []


async def test_parts_that_want_different_hashes_are_refused(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    entries = [encode(TRADE_DATA | {"transaction_data_hashes_alg": ["sha-512"]}), encode(REPRESENTATION_DATA)]
    verifier.parameters["transaction_data"] = entries
    request = await fetch(verifier.link(), fetcher)
    selection = await select(wallet, issuer, request, fetcher)
    with pytest.raises(RejectedError):
        await present(wallet, request, selection, fetcher=fetcher, now=NOW)
    assert verifier.answers() == []
