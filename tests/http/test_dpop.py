"""DPoP at the issuers' endpoints, at /oauth/token and at /v1: bound tokens, nonces, replay, challenges."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.credentials.jose import b64url_decode, b64url_encode
from service.issuer.offers import PRE_AUTHORIZED_CODE_GRANT
from tests.deployment import BASE_URL, Deployment, Member, running_deployment
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.oauth_support import Party
from tests.prepared import prepared

TOKEN_PATH, CREDENTIAL_PATH = "/issuers/kyc/token", "/issuers/kyc/credential"
ALGORITHMS = 'algs="ES256 ES384 EdDSA Ed25519"'
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@prepared
async def wallet(sqlite_deployment: Deployment) -> Wallet:
    return Wallet(sqlite_deployment, await add_issuer(sqlite_deployment))


@pytest.fixture
def party(wallet: Wallet) -> Party:
    return Party(wallet.deployment)


async def fetch_dpop_nonce(deployment: Deployment) -> str:
    nonce: str = (await deployment.http.post("/issuers/kyc/nonce")).headers["DPoP-Nonce"]
    return nonce


async def read_token_form(wallet: Wallet) -> dict[str, str]:
    made = await make_offer(wallet.deployment, wallet.member, expires_in=600)
    code = await wallet.read_code(made)
    return {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": code}


async def get_bound_token(wallet: Wallet, party: Party) -> tuple[str, str]:
    """Return a token bound to the party's key, and the nonce for the next proof."""
    proof = party.dpop("POST", TOKEN_PATH, nonce=await fetch_dpop_nonce(wallet.deployment))
    answer = await wallet.post_token(await read_token_form(wallet), DPoP=proof)
    assert answer.status_code == 200, answer.text
    assert answer.json().items() >= {"token_type": "DPoP", "expires_in": 3600}.items()
    return answer.json()["access_token"], answer.headers["DPoP-Nonce"]


async def ask_credential(wallet: Wallet, scheme: str, token: str, *proofs: str) -> httpx2.Response:
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", proof) for proof in proofs)]
    return await wallet.deployment.http.post(CREDENTIAL_PATH, json=body, headers=headers)


def assert_challenged(answer: httpx2.Response, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (401, error), answer.text
    assert f'error="{error}"' in answer.headers["www-authenticate"]
    assert "DPoP realm=" in answer.headers["www-authenticate"]
    assert ALGORITHMS in answer.headers["www-authenticate"]


async def test_a_bound_token_gets_a_credential_and_notifies(wallet: Wallet, party: Party) -> None:
    token, nonce = await get_bound_token(wallet, party)
    wallet.deployment.clock.advance(minutes=4)
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
    issued = await ask_credential(wallet, "DPoP", token, proof)
    assert issued.status_code == 200, issued.text
    notice = {"notification_id": issued.json()["notification_id"], "event": "credential_accepted"}
    path = "/issuers/kyc/notification"
    proof = party.dpop("POST", path, nonce=issued.headers["DPoP-Nonce"], access_token=token)
    headers = {"Authorization": f"dpop {token}", "DPoP": proof}
    assert (await wallet.deployment.http.post(path, json=notice, headers=headers)).status_code == 204


async def test_a_bound_token_outlives_a_bearer_token_and_its_offer(wallet: Wallet, party: Party) -> None:
    token, _ = await get_bound_token(wallet, party)
    wallet.deployment.clock.advance(minutes=59)
    nonce = await fetch_dpop_nonce(wallet.deployment)
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
    assert (await ask_credential(wallet, "DPoP", token, proof)).status_code == 200
    wallet.deployment.clock.advance(minutes=2)
    nonce = await fetch_dpop_nonce(wallet.deployment)
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
    assert_challenged(await ask_credential(wallet, "DPoP", token, proof), "invalid_token")


async def test_the_token_endpoint_asks_for_a_nonce_and_takes_it_once_sent(wallet: Wallet, party: Party) -> None:
    form = await read_token_form(wallet)
    for nonce in (None, "x", await wallet.fetch_nonce()):
        more = {} if nonce is None else {"nonce": nonce}
        answer = await wallet.post_token(form, DPoP=party.dpop("POST", TOKEN_PATH, **more))
        assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce"), answer.text
        assert answer.headers["cache-control"] == "no-store"
    old = answer.headers["DPoP-Nonce"]
    wallet.deployment.clock.advance(seconds=301)
    answer = await wallet.post_token(form, DPoP=party.dpop("POST", TOKEN_PATH, nonce=old))
    assert answer.json()["error"] == "use_dpop_nonce"
    proof = party.dpop("POST", TOKEN_PATH, nonce=answer.headers["DPoP-Nonce"])
    assert (await wallet.post_token(form, DPoP=proof)).status_code == 200


async def test_the_credential_endpoint_challenges_for_a_nonce(wallet: Wallet, party: Party) -> None:
    token, _ = await get_bound_token(wallet, party)
    answer = await ask_credential(wallet, "DPoP", token, party.dpop("POST", CREDENTIAL_PATH, access_token=token))
    assert_challenged(answer, "use_dpop_nonce")
    nonce = answer.headers["DPoP-Nonce"]
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
    assert (await ask_credential(wallet, "DPoP", token, proof)).status_code == 200


def damaged_proofs(party: Party, other: Party, token: str, nonce: str) -> list[tuple[str, list[str]]]:
    """Return, for each, the error that is due."""
    good = {"nonce": nonce, "access_token": token}
    claims = {"jti": "j", "htm": "POST", "htu": BASE_URL + CREDENTIAL_PATH, "iat": party.at(), "nonce": nonce}
    jwk = dict(party.key.jwk)
    return [
        ("invalid_dpop_proof", []),
        ("invalid_dpop_proof", [party.dpop("POST", CREDENTIAL_PATH, **good) for _ in range(2)]),
        ("invalid_dpop_proof", ["a.b.c"]),
        ("invalid_dpop_proof", [party.dpop("GET", CREDENTIAL_PATH, **good)]),
        ("invalid_dpop_proof", [party.dpop("POST", TOKEN_PATH, **good)]),
        ("invalid_dpop_proof", [party.dpop("POST", CREDENTIAL_PATH, nonce=nonce)]),
        ("invalid_dpop_proof", [party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token="x")]),
        ("invalid_dpop_proof", [party.sign("dpop+jwt", claims | {"iat": party.at(seconds=-301)}, jwk=jwk)]),
        ("invalid_dpop_proof", [party.sign("dpop+jwt", claims | {"iat": party.at(seconds=61)}, jwk=jwk)]),
        ("invalid_dpop_proof", [party.sign("JWT", claims, jwk=jwk)]),
        ("invalid_dpop_proof", [party.sign("dpop+jwt", claims, jwk=jwk, alg="none")]),
        ("invalid_dpop_proof", [party.sign("dpop+jwt", claims, jwk=jwk, alg="HS256")]),
        ("invalid_dpop_proof", [party.sign("dpop+jwt", claims, jwk=jwk | {"d": "AAAA"})]),
        ("invalid_dpop_proof", [party.sign("dpop+jwt", claims, jwk=dict(other.key.jwk))]),
        ("invalid_token", [other.dpop("POST", CREDENTIAL_PATH, **good)]),
    ]


async def test_a_proof_that_is_off_opens_nothing(wallet: Wallet, party: Party) -> None:
    token, nonce = await get_bound_token(wallet, party)
    for error, proofs in damaged_proofs(party, Party(wallet.deployment), token, nonce):
        assert_challenged(await ask_credential(wallet, "DPoP", token, *proofs), error)
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
    assert (await ask_credential(wallet, "DPoP", token, proof)).status_code == 200


async def test_a_proof_that_is_off_gets_no_token(wallet: Wallet, party: Party) -> None:
    form, nonce = await read_token_form(wallet), await fetch_dpop_nonce(wallet.deployment)
    for proof in (
        "a.b.c",
        party.dpop("GET", TOKEN_PATH, nonce=nonce),
        party.dpop("POST", CREDENTIAL_PATH, nonce=nonce),
        party.dpop("POST", "/issuers/other/token", nonce=nonce),
    ):
        answer = await wallet.post_token(form, DPoP=proof)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof"), answer.text
    good = party.dpop("POST", TOKEN_PATH, nonce=nonce)
    assert (await wallet.post_token(form, DPoP=good)).status_code == 200
    replayed = await wallet.post_token(await read_token_form(wallet), DPoP=good)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_dpop_proof")


async def test_a_token_is_sent_as_what_it_is(wallet: Wallet, party: Party) -> None:
    bound, nonce = await get_bound_token(wallet, party)
    assert_challenged(await ask_credential(wallet, "Bearer", bound), "invalid_token")
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=bound)
    assert_challenged(await ask_credential(wallet, "Bearer", bound, proof), "invalid_token")
    plain = (await wallet.post_token(await read_token_form(wallet))).json()
    assert (plain["token_type"], plain["expires_in"]) == ("Bearer", 300)
    token = plain["access_token"]
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
    assert_challenged(await ask_credential(wallet, "DPoP", token, proof), "invalid_token")
    assert (await ask_credential(wallet, "Bearer", token)).status_code == 200


async def test_row_25_a_proof_is_refused_by_every_process_once_one_took_it(migrated_url: str, tmp_path: Path) -> None:
    async with (
        running_deployment(migrated_url, tmp_path) as first,
        running_deployment(migrated_url, tmp_path) as second,
    ):
        wallet = Wallet(first, await add_issuer(first))
        party = Party(first)
        token, nonce = await get_bound_token(wallet, party)
        proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
        elsewhere = Wallet(second, wallet.member)
        answers = await asyncio.gather(
            *(ask_credential(each, "DPoP", token, proof) for each in (wallet, elsewhere) * 3)
        )
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) == 5
        for answer in refused:
            assert_challenged(answer, "invalid_dpop_proof")


async def test_row_9_the_other_signature_of_a_proof_is_used_up_with_it(wallet: Wallet, party: Party) -> None:
    token, nonce = await get_bound_token(wallet, party)
    proof = party.dpop("POST", CREDENTIAL_PATH, nonce=nonce, access_token=token)
    head, _, signature = proof.rpartition(".")
    raw = b64url_decode(signature)
    flipped = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert (await ask_credential(wallet, "DPoP", token, proof)).status_code == 200
    answer = await ask_credential(wallet, "DPoP", token, f"{head}.{b64url_encode(flipped)}")
    assert_challenged(answer, "invalid_dpop_proof")


async def test_metadata_name_the_algorithms(wallet: Wallet) -> None:
    for path in ("", "/issuers/kyc"):
        metadata = (await wallet.deployment.http.get(f"/.well-known/oauth-authorization-server{path}")).json()
        assert metadata["dpop_signing_alg_values_supported"] == ["ES256", "ES384", "EdDSA", "Ed25519"]


async def get_api_token(party: Party, member: Member, **form: str) -> httpx2.Response:
    nonce = await fetch_dpop_nonce(party.deployment)
    secret = {"client_id": member.credentials.client_id, "client_secret": member.credentials.client_secret}
    return await party.deployment.http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"} | secret | form,
        headers={"DPoP": party.dpop("POST", "/oauth/token", nonce=nonce)},
    )


async def call_v1(party: Party, token: str, *proofs: str, scheme: str = "DPoP", method: str = "GET") -> httpx2.Response:
    headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", proof) for proof in proofs)]
    return await party.deployment.http.request(method, "/v1/credentials?subject_ref=a", headers=headers)


def assert_problem(answer: httpx2.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, code), answer.text
    challenge = answer.headers["www-authenticate"]
    assert ALGORITHMS in challenge
    assert challenge.startswith("Bearer " if code == "invalid_token" else f'DPoP realm="goodstanding", error="{code}"')


async def test_an_api_client_binds_its_token_for_longer(wallet: Wallet, party: Party) -> None:
    answer = await get_api_token(party, wallet.member)
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("DPoP", 1800)
    token, nonce = answer.json()["access_token"], answer.headers["DPoP-Nonce"]
    for method in ("GET", "HEAD"):
        proof = party.dpop(method, "/v1/credentials", nonce=nonce, access_token=token)
        called = await call_v1(party, token, proof, method=method)
        assert called.status_code == 200, called.text
        assert called.headers["cache-control"] == "no-store"
        nonce = called.headers["DPoP-Nonce"]
    party.deployment.clock.advance(minutes=29)
    nonce = await fetch_dpop_nonce(party.deployment)
    proof = party.dpop("GET", "/v1/credentials", nonce=nonce, access_token=token)
    assert (await call_v1(party, token, proof)).status_code == 200
    party.deployment.clock.advance(minutes=2)
    proof = party.dpop("GET", "/v1/credentials", nonce=nonce, access_token=token)
    assert_problem(await call_v1(party, token, proof), "invalid_token")


async def test_v1_refuses_every_damaged_proof(wallet: Wallet, party: Party) -> None:
    answer = await get_api_token(party, wallet.member)
    token, nonce = answer.json()["access_token"], answer.headers["DPoP-Nonce"]
    good = {"nonce": nonce, "access_token": token}
    used = party.dpop("GET", "/v1/credentials", **good)
    assert (await call_v1(party, token, used)).status_code == 200
    cases: list[tuple[str, list[str]]] = [
        ("invalid_dpop_proof", [used]),
        ("invalid_dpop_proof", []),
        ("invalid_dpop_proof", [party.dpop("POST", "/v1/credentials", **good)]),
        ("invalid_dpop_proof", [party.dpop("GET", "/v1/credentials/x", **good)]),
        ("invalid_dpop_proof", [party.dpop("GET", "/v1/credentials", nonce=nonce, access_token="x")]),
        ("invalid_dpop_proof", [Party(party.deployment).dpop("GET", "/v1/credentials", **good)]),
        ("use_dpop_nonce", [party.dpop("GET", "/v1/credentials", access_token=token)]),
    ]
    for code, proofs in cases:
        assert_problem(await call_v1(party, token, *proofs), code)
    assert_problem(await call_v1(party, token, scheme="Bearer"), "invalid_token")
    plain = (await party.deployment.headers(wallet.member, "issuer"))["Authorization"].partition(" ")[2]
    proof = party.dpop("GET", "/v1/credentials", nonce=nonce, access_token=plain)
    assert_problem(await call_v1(party, plain, proof), "invalid_token")
    assert_problem(await call_v1(party, token, scheme="Basic"), "invalid_token")


async def test_the_api_token_endpoint_refuses_damaged_proofs(wallet: Wallet, party: Party) -> None:
    nonce = await fetch_dpop_nonce(party.deployment)
    credentials = wallet.member.credentials
    form = {"grant_type": "client_credentials", "client_id": credentials.client_id}
    form["client_secret"] = credentials.client_secret
    good = party.dpop("POST", "/oauth/token", nonce=nonce)
    statuses: list[Any] = []
    for proof in (good, good, party.dpop("GET", "/oauth/token", nonce=nonce), party.dpop("POST", "/oauth/token")):
        answer = await party.deployment.http.post("/oauth/token", data=form, headers={"DPoP": proof})
        statuses.append((answer.status_code, answer.json().get("error")))
    refused = (400, "invalid_dpop_proof")
    assert statuses == [(200, None), refused, refused, (400, "use_dpop_nonce")]
