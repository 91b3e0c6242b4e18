"""Wallets that prove who they are at an issuer's token endpoint, and the back office that knows them."""

import asyncio
from typing import Any

import httpx2
import pytest
from cryptography import x509

from service.credentials.certificates import write_x5c
from service.issuer.offers import PRE_AUTHORIZED_CODE_GRANT
from tests.certificate_support import load_public_key, new_root, to_pem
from tests.deployment import BASE_URL, START, Deployment, Member
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.oauth_support import Party
from tests.prepared import prepared

IDENTIFIER = f"{BASE_URL}/issuers/kyc"
ROOT = new_root(START)
METADATA = "/.well-known/oauth-authorization-server/issuers/kyc"


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


@pytest.fixture
def wallet(sqlite_deployment: Deployment, member: Member) -> Wallet:
    return Wallet(sqlite_deployment, member)


async def call(wallet: Wallet, method: str, path: str, body: Any = None) -> httpx2.Response:
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    return await wallet.deployment.http.request(method, f"/v1{path}", json=body, headers=headers)


async def register(wallet: Wallet, client_id: str = "w", **changes: Any) -> Party:
    party = Party(wallet.deployment)
    body = {
        "name": "W",
        "redirect_uris": ["https://wallet.example/cb"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": party.jwks,
    } | changes
    answer = await call(wallet, "PUT", f"/wallet-clients/{client_id}", body)
    assert answer.status_code == 201, answer.text
    return party


async def trust_provider(wallet: Wallet, *client_ids: str) -> Party:
    provider = Party(wallet.deployment)
    body = {"name": "Maker", "client_ids": client_ids, "jwks": provider.jwks}
    answer = await call(wallet, "PUT", "/wallet-providers/maker", body)
    assert answer.status_code == 201, answer.text
    return provider


async def ask(wallet: Wallet, form: dict[str, str] | None = None, **headers: str) -> httpx2.Response:
    code = await wallet.read_code(await make_offer(wallet.deployment, wallet.member))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": code} | (form or {})
    return await wallet.post_token(sent, **named)


def assert_refused(answer: httpx2.Response, error: str = "invalid_client", status: int = 401) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert all(" " <= sign <= "~" and sign not in '"\\' for sign in answer.json()["error_description"])


async def test_a_registered_wallet_authenticates_with_its_key(wallet: Wallet) -> None:
    party = await register(wallet)
    answer = await ask(wallet, party.assertion("w", IDENTIFIER))
    assert answer.status_code == 200, answer.text
    body = {"credential_configuration_id": "kyc", "proofs": {}}
    for claimed, status in (("w", 200), ("other", 400)):
        body["proofs"] = {"jwt": [wallet.prove(await wallet.fetch_nonce(), client_id=claimed)]}
        issued = await wallet.request_credential(answer.json()["access_token"], body)
        assert issued.status_code == status, issued.text
        answer = await ask(wallet, party.assertion("w", IDENTIFIER) | {"client_id": "w"})


@pytest.mark.parametrize(
    "changes", [{"aud": f"{IDENTIFIER}/token"}, {"aud": BASE_URL}, {"sub": "x"}, {"jti": None}, {"exp": 1}], ids=str
)
async def test_an_assertion_that_is_off_is_refused(wallet: Wallet, changes: dict[str, Any]) -> None:
    party = await register(wallet)
    assert_refused(await ask(wallet, party.assertion("w", IDENTIFIER, **changes)))


async def test_an_assertion_works_once_in_any_process(wallet: Wallet) -> None:
    party = await register(wallet)
    assertion = party.assertion("w", IDENTIFIER)
    answers = await asyncio.gather(*(ask(wallet, assertion) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert_refused(await ask(wallet, assertion))


async def test_somebody_elses_key_name_or_way_is_refused(wallet: Wallet) -> None:
    party = await register(wallet)
    stranger = Party(wallet.deployment)
    assert_refused(await ask(wallet, stranger.assertion("w", IDENTIFIER)))
    assert_refused(await ask(wallet, stranger.assertion("unknown", IDENTIFIER)))
    assert_refused(await ask(wallet, party.assertion("w", IDENTIFIER) | {"client_id": "other"}))
    assert_refused(await ask(wallet, party.assertion("w", IDENTIFIER) | {"client_assertion_type": "saml"}))
    assert_refused(await ask(wallet, {"client_assertion_type": "jwt"}))
    assert_refused(await ask(wallet, {"client_id": "w"}))  # the name of one that has to authenticate


async def test_a_wallet_without_keys_is_known_by_name(wallet: Wallet) -> None:
    await register(wallet, "plain", token_endpoint_auth_method="none", jwks=None)
    assert (await ask(wallet, {"client_id": "plain"})).status_code == 200
    assert_refused(await ask(wallet, Party(wallet.deployment).assertion("plain", IDENTIFIER)))


async def test_an_attested_wallet_authenticates(wallet: Wallet) -> None:
    sub = "https://wallet.example"
    provider, instance = await trust_provider(wallet, sub), Party(wallet.deployment)
    challenge = (await wallet.deployment.http.post("/issuers/kyc/challenge")).json()["attestation_challenge"]
    for more in ({}, {"challenge": challenge}):
        answer = await ask(
            wallet,
            {"client_id": sub},
            OAuth_Client_Attestation=provider.attest(sub, instance),
            OAuth_Client_Attestation_PoP=instance.attestation_pop(IDENTIFIER, **more),
        )
        assert answer.status_code == 200, answer.text


async def test_an_attestation_that_is_off_is_refused(wallet: Wallet) -> None:
    provider, instance, other = await trust_provider(wallet, "w"), Party(wallet.deployment), Party(wallet.deployment)
    good = provider.attest("w", instance)

    async def send(attestation: str, pop: str, **form: str) -> httpx2.Response:
        return await ask(wallet, form, OAuth_Client_Attestation=attestation, OAuth_Client_Attestation_PoP=pop)

    assert_refused(await send(other.attest("w", instance), instance.attestation_pop(IDENTIFIER)))
    assert_refused(await send(provider.attest("x", instance), instance.attestation_pop(IDENTIFIER)))
    assert_refused(await send(provider.attest("w", instance, exp=1), instance.attestation_pop(IDENTIFIER)))
    assert_refused(await send(good, other.attestation_pop(IDENTIFIER)))
    assert_refused(await send(good, instance.attestation_pop(BASE_URL)))
    assert_refused(await send(good, instance.attestation_pop(IDENTIFIER, iat=1)))
    assert_refused(await send(good, instance.attestation_pop(IDENTIFIER), client_id="x"))
    assert_refused(await ask(wallet, OAuth_Client_Attestation=good))
    assert_refused(await ask(wallet, OAuth_Client_Attestation_PoP=instance.attestation_pop(IDENTIFIER)))
    both = other.assertion("w", IDENTIFIER)
    assert_refused(await send(good, instance.attestation_pop(IDENTIFIER), **both), "invalid_request", 400)
    twice = [("OAuth-Client-Attestation", good)] * 2 + [
        ("OAuth-Client-Attestation-PoP", instance.attestation_pop(IDENTIFIER))
    ]
    form = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": "x"}
    assert_refused(await wallet.deployment.http.post("/issuers/kyc/token", data=form, headers=twice))


async def test_the_proof_of_an_attestation_works_once(wallet: Wallet) -> None:
    provider, instance = await trust_provider(wallet, "w"), Party(wallet.deployment)
    sent = {
        "OAuth_Client_Attestation": provider.attest("w", instance),
        "OAuth_Client_Attestation_PoP": instance.attestation_pop(IDENTIFIER),
    }
    answers = await asyncio.gather(*(ask(wallet, **sent) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_a_challenge_is_ours_for_this_issuer_and_fresh(wallet: Wallet) -> None:
    provider, instance = await trust_provider(wallet, "w"), Party(wallet.deployment)
    await add_issuer(wallet.deployment, "second")
    http = wallet.deployment.http
    given = await http.post("/issuers/kyc/challenge")
    assert given.headers["cache-control"] == "no-store"
    foreign = (await http.post("/issuers/second/challenge")).json()["attestation_challenge"]
    nonce = await wallet.fetch_nonce()
    wallet.deployment.clock.advance(seconds=301)
    for challenge in ("x", foreign, nonce, given.json()["attestation_challenge"]):
        answer = await ask(
            wallet,
            OAuth_Client_Attestation=provider.attest("w", instance),
            OAuth_Client_Attestation_PoP=instance.attestation_pop(IDENTIFIER, challenge=challenge),
        )
        assert_refused(answer, "use_attestation_challenge", 400)
        fresh = answer.headers["OAuth-Client-Attestation-Challenge"]
        again = await ask(
            wallet,
            OAuth_Client_Attestation=provider.attest("w", instance),
            OAuth_Client_Attestation_PoP=instance.attestation_pop(IDENTIFIER, challenge=fresh),
        )
        assert again.status_code == 200, again.text


async def test_a_wallet_registered_otherwise_is_not_attested(wallet: Wallet) -> None:
    await register(wallet)
    provider, instance = await trust_provider(wallet, "w"), Party(wallet.deployment)
    sent = {
        "OAuth_Client_Attestation": provider.attest("w", instance),
        "OAuth_Client_Attestation_PoP": instance.attestation_pop(IDENTIFIER),
    }
    assert_refused(await ask(wallet, **sent))


async def test_metadata_say_which_ways_are_open(wallet: Wallet) -> None:
    before = (await wallet.deployment.http.get(METADATA)).json()
    assert before["token_endpoint_auth_methods_supported"] == ["none", "private_key_jwt"]
    assert "ES256" in before["token_endpoint_auth_signing_alg_values_supported"]
    assert not {name for name in before if "attestation" in name or name == "challenge_endpoint"}
    await trust_provider(wallet, "w")
    after = (await wallet.deployment.http.get(METADATA)).json()
    assert after["token_endpoint_auth_methods_supported"][2] == "attest_jwt_client_auth"
    assert after["challenge_endpoint"] == f"{IDENTIFIER}/challenge"
    assert "ES256" in after["client_attestation_signing_alg_values_supported"]
    assert "ES256" in after["client_attestation_pop_signing_alg_values_supported"]
    await call(wallet, "DELETE", "/wallet-providers/maker")
    assert (await wallet.deployment.http.get(METADATA)).json() == before


async def test_wallets_and_providers_are_kept_per_issuer(wallet: Wallet) -> None:
    party, provider = await register(wallet), await trust_provider(wallet, "w", "v")
    other = Wallet(wallet.deployment, await add_issuer(wallet.deployment, "second"))
    for path, keys in (("/wallet-clients", party.jwks), ("/wallet-providers", provider.jwks)):
        [row] = (await call(wallet, "GET", path)).json()["data"]
        assert row["jwks"] == keys
        one = f"{path}/{row.get('client_id', row.get('id'))}"
        assert (await call(wallet, "GET", one)).json() == row
        assert (await call(other, "GET", path)).json() == {"data": [], "next": None}
        for method in ("GET", "DELETE"):
            assert (await call(other, method, one)).status_code == 404
        body = {name: value for name, value in row.items() if name not in ("client_id", "id", "updated_at")}
        changed = await call(wallet, "PUT", one, body | {"name": "New"})
        assert (changed.status_code, changed.json()["name"]) == (200, "New")
        assert (await call(wallet, "DELETE", one)).status_code == 204
        assert (await call(wallet, "GET", one)).status_code == 404
    assert_refused(await ask(other, party.assertion("w", f"{BASE_URL}/issuers/second")))
    assert_refused(await ask(wallet, party.assertion("w", IDENTIFIER)))  # forgotten


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": ["http://wallet.example/cb"]},
        {"redirect_uris": ["https://wallet.example/cb#x"]},
        {"redirect_uris": ["https://me@wallet.example/cb"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["data:text/html,x"]},
        {"redirect_uris": ["ftp://wallet.example/cb"]},
        {"redirect_uris": ["mailto:wallet@example.com"]},
        {"redirect_uris": ["/cb"]},
        {"redirect_uris": ["https://[x"]},
        {"redirect_uris": ["https://wallet.example/c b"]},
        {"jwks": None},
        {"jwks": {"keys": []}},
        {"token_endpoint_auth_method": "none"},
        {"token_endpoint_auth_method": "attest_jwt_client_auth"},
    ],
    ids=str,
)
async def test_registrations_that_cannot_be_kept(wallet: Wallet, changes: dict[str, Any]) -> None:
    body = {
        "name": "W",
        "redirect_uris": [],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": Party(wallet.deployment).jwks,
    }
    answer = await call(wallet, "PUT", "/wallet-clients/w", body | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, "wallet_client_invalid"), answer.text


async def test_addresses_that_a_wallet_may_have(wallet: Wallet) -> None:
    uris = ["https://w.example/cb?x=1", "http://localhost:7000/cb", "http://127.0.0.1/cb", "haip://cb", "com.w.app:/cb"]
    await register(wallet, redirect_uris=uris)


async def test_an_attestation_may_bring_its_certificates(wallet: Wallet) -> None:
    now = wallet.deployment.clock()
    root, stranger = new_root(now), new_root(now)
    maker, instance = Party(wallet.deployment), Party(wallet.deployment)
    body = {"name": "Maker", "client_ids": ["w"], "x509_anchors": [root.pem]}
    assert (await call(wallet, "PUT", "/wallet-providers/maker", body)).status_code == 201
    below = root.delegate()
    leaf = below.certify(load_public_key(maker.key.jwk))

    async def send(*chain: x509.Certificate, **header: Any) -> httpx2.Response:
        header |= {"x5c": write_x5c(chain)} if chain else {}
        attestation = maker.attest_with("w", instance, **header)
        pop = instance.attestation_pop(IDENTIFIER)
        return await ask(wallet, OAuth_Client_Attestation=attestation, OAuth_Client_Attestation_PoP=pop)

    assert (await send(leaf, below.certificate)).status_code == 200
    assert_refused(await send())
    assert_refused(await send(leaf))
    assert_refused(await send(leaf, below.certificate, root.certificate))
    assert_refused(await send(stranger.certify(load_public_key(maker.key.jwk))))
    assert_refused(await send(root.certify(load_public_key(instance.key.jwk))))
    assert_refused(await send(x5c="x"))
    wallet.deployment.clock.advance(days=91)
    assert_refused(await send(leaf, below.certificate))


@pytest.mark.parametrize(
    "keys",
    [
        {"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}},
        {},
        {"x509_anchors": []},
        {"x509_anchors": ["x"]},
        {"x509_anchors": [to_pem(ROOT.certify(ROOT.certificate.public_key()))]},
        {"x509_anchors": [ROOT.pem + ROOT.pem]},
    ],
    ids=range(6),
)
async def test_a_provider_without_usable_keys_is_not_kept(wallet: Wallet, keys: dict[str, Any]) -> None:
    body = {"name": "Maker", "client_ids": ["w"]} | keys
    answer = await call(wallet, "PUT", "/wallet-providers/maker", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "wallet_provider_invalid"), answer.text
