"""Modules of OpenID's conformance suite for wallets that no other test has; docs/conformance-negatives.md lists all."""

import json
from typing import Any

import pytest

from service.credentials.credential_types import vct_of
from service.fetch import Fetcher
from service.wallet.errors import NothingFitsError
from service.wallet.present import present
from service.wallet.store import Wallet
from tests.flows.wallet.test_wallet_present import fetch, hold, refusal_of, select, unsigned
from tests.wallet_parties import NOW, FakeIssuer, FakeVerifier, ask, read_vp_token

MISSING = ask("other", "urn:example:nobody-has-this")["credentials"]


def _ask_for_sets(verifier: FakeVerifier, *sets: dict[str, Any]) -> None:
    held = ask("kyc", vct_of("kyc"), "country")["credentials"]
    verifier.parameters["dcql_query"] = {"credentials": held + MISSING, "credential_sets": list(sets)}


@pytest.mark.parametrize(
    "sets",
    [
        [{"options": [["kyc", "other"]]}],
        [{"options": [["kyc"]], "required": True}, {"options": [["other"]], "required": True}],
    ],
)
async def test_a_required_credential_that_nobody_has_sends_nothing(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher, sets: list[dict[str, Any]]
) -> None:
    await hold(wallet, issuer, fetcher)
    _ask_for_sets(verifier, *sets)
    request = await fetch(verifier.link(), fetcher)
    with pytest.raises(NothingFitsError):
        select(wallet, request)
    assert verifier.answers() == []


async def test_an_optional_credential_that_nobody_has_is_left_out(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    _ask_for_sets(verifier, {"options": [["kyc"]]}, {"options": [["other"]], "required": False})
    request = await fetch(verifier.link(), fetcher)
    await present(wallet, request, select(wallet, request), fetcher=fetcher, now=NOW)
    assert read_vp_token(verifier.answers()[0]).keys() == {"kyc"}


async def test_encryption_keys_of_unknown_kinds_are_passed_over(
    wallet: Wallet, issuer: FakeIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, issuer, fetcher)
    key, sealed = verifier.signer.create_decryption_key()
    unusable = [
        {"kty": "AKP", "alg": "ML-KEM-9999", "pub": "AAAA", "use": "enc", "kid": "later"},
        {"kty": "made-up", "use": "enc", "kid": "never"},
    ]
    metadata = {"jwks": {"keys": [*unusable, {**key, "alg": "ECDH-ES"}]}}
    verifier.parameters |= {"response_mode": "direct_post.jwt", "client_metadata": metadata}
    request = await fetch(verifier.link(), fetcher)
    await present(wallet, request, select(wallet, request), fetcher=fetcher, now=NOW)
    [form] = verifier.answers()
    opened = json.loads(verifier.signer.decrypt_jwe(form["response"], sealed, max_bytes=100_000))
    assert opened["vp_token"].keys() == {"kyc"}


async def test_a_response_uri_that_is_not_the_client_id_is_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    await refusal_of(unsigned(verifier, response_uri=f"{verifier.base_url}/other"), fetcher)
    assert verifier.answers() == []


async def test_a_client_id_prefix_that_nobody_knows_is_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    verifier.client_id = verifier.parameters["client_id"] = "invalid_scheme:verifier.example"
    await refusal_of(verifier.link(), fetcher)
    assert verifier.answers() == []


async def test_a_request_without_a_nonce_is_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    del verifier.parameters["nonce"]
    await refusal_of(verifier.link(), fetcher)
    assert verifier.answers() == [{"error": "invalid_request", "state": verifier.parameters["state"]}]
