"""Deferred issuance (OpenID4VCI 1.0, section 9): asked for now, issued when the issuer says so."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey
from sqlmodel import select

from service.credentials.jose import parse_json, parse_jws
from service.credentials.sd_jwt import parse_sd_jwt
from service.issuer.offers import PRE_AUTHORIZED_CODE_GRANT
from service.storage.expired import sweep_expired
from service.storage.tables import Credential, CredentialOffer, SigningKey
from service.web.signing import ENCRYPTION
from tests.deployment import Deployment, Member
from tests.issuing_support import Wallet, add_issuer, assert_error, make_offer
from tests.oauth_support import Party
from tests.prepared import prepared

REGISTRY = jwe.JWERegistry(algorithms=["ECDH-ES", "A128GCM"])


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


@pytest.fixture
def wallet(sqlite_deployment: Deployment, member: Member) -> Wallet:
    return Wallet(sqlite_deployment, member)


async def ask(wallet: Wallet, *, copies: int = 1) -> tuple[dict[str, Any], str, httpx2.Response]:
    """Redeem a deferred offer; returns the offer, the access token and the answer of the credential endpoint."""
    made = await make_offer(wallet.deployment, wallet.member, deferred=True)
    token: str = (await wallet.request_token(made)).json()["access_token"]
    return made, token, await ask_again(wallet, token, copies=copies)


async def ask_again(wallet: Wallet, token: str, *, copies: int = 1) -> httpx2.Response:
    nonce = await wallet.fetch_nonce()
    proofs = {"jwt": [wallet.prove(nonce) for _ in range(copies)]}
    return await wallet.request_credential(token, {"credential_configuration_id": "kyc", "proofs": proofs})


async def come_back(wallet: Wallet, token: str, transaction_id: Any, **more: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    body = {"transaction_id": transaction_id} | more
    return await wallet.deployment.http.post("/issuers/kyc/deferred_credential", json=body, headers=headers)


async def decide(wallet: Wallet, made: dict[str, Any], verdict: str) -> httpx2.Response:
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    return await wallet.deployment.http.post(f"/v1/credential-offers/{made['id']}/{verdict}", headers=headers)


def holder_keys(answer: httpx2.Response) -> list[Any]:
    compacts = [entry["credential"] for entry in answer.json()["credentials"]]
    return [parse_json(parse_jws(parse_sd_jwt(compact).issuer_jwt).payload)["cnf"]["jwk"] for compact in compacts]


async def test_metadata_name_the_endpoint(wallet: Wallet) -> None:
    metadata = (await wallet.deployment.http.get("/.well-known/openid-credential-issuer/issuers/kyc")).json()
    assert metadata["deferred_credential_endpoint"] == f"{wallet.identifier}/deferred_credential"


async def test_a_held_credential_is_waited_for_and_issued_once(wallet: Wallet) -> None:
    made, token, first = await ask(wallet, copies=2)
    assert (first.status_code, first.headers["cache-control"]) == (202, "no-store")
    assert first.json().keys() == {"transaction_id", "interval"}
    assert first.json()["interval"] > 0
    transaction_id = first.json()["transaction_id"]
    pending = await come_back(wallet, token, transaction_id, unknown="ignored")
    assert (pending.status_code, pending.json()) == (202, first.json())
    released = await decide(wallet, made, "release")
    assert (released.status_code, released.json()["state"], released.json()["deferral"]) == (200, "pending", "released")
    issued = await come_back(wallet, token, transaction_id)
    assert (issued.status_code, issued.headers["cache-control"]) == (200, "no-store")
    assert issued.json().keys() == {"credentials"}
    assert holder_keys(issued) == [key.jwk for key in wallet.keys]
    assert_error(await come_back(wallet, token, transaction_id), "invalid_transaction_id")


async def test_a_denied_credential_is_not_issued(wallet: Wallet) -> None:
    made, token, first = await ask(wallet)
    denied = await decide(wallet, made, "deny")
    assert (denied.json()["state"], denied.json()["deferral"]) == ("cancelled", "denied")
    assert_error(await come_back(wallet, token, first.json()["transaction_id"]), "credential_request_denied")
    assert_error(await ask_again(wallet, token), "credential_request_denied")
    assert (await decide(wallet, made, "deny")).status_code == 200
    assert (await decide(wallet, made, "release")).json()["code"] == "offer_not_held"


async def test_a_withdrawn_offer_is_denied_too(wallet: Wallet) -> None:
    made, token, first = await ask(wallet)
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    await wallet.deployment.http.delete(f"/v1/credential-offers/{made['id']}", headers=headers)
    assert_error(await come_back(wallet, token, first.json()["transaction_id"]), "credential_request_denied")


async def test_what_was_released_before_anybody_asked_is_issued_at_once(wallet: Wallet) -> None:
    made = await make_offer(wallet.deployment, wallet.member, deferred=True)
    for _ in range(2):
        assert (await decide(wallet, made, "release")).json()["deferral"] == "released"
    assert (await wallet.redeem(made)).status_code == 200
    assert (await decide(wallet, made, "deny")).json()["code"] == "offer_not_held"


async def test_only_held_offers_are_decided(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member)
    for verdict in ("release", "deny"):
        answer = await decide(wallet, made, verdict)
        assert (answer.status_code, answer.json()["code"]) == (409, "offer_not_held")
        assert (await decide(wallet, {"id": "offer_0"}, verdict)).status_code == 404


async def test_a_transaction_is_known_to_its_offer_only(wallet: Wallet) -> None:
    _, token, first = await ask(wallet)
    _, other, _ = await ask(wallet)
    plain = (await wallet.request_token(await make_offer(wallet.deployment, wallet.member))).json()["access_token"]
    for bearer, transaction_id in (
        (other, first.json()["transaction_id"]),
        (plain, first.json()["transaction_id"]),
        (plain, ""),
        (token, "guess"),
        (token, "é"),
    ):
        assert_error(await come_back(wallet, bearer, transaction_id), "invalid_transaction_id")
    assert_error(await come_back(wallet, "guess", first.json()["transaction_id"]), "invalid_token", 401)
    assert_error(await come_back(wallet, token, 7), "invalid_credential_request")


async def test_a_new_request_takes_the_place_of_the_one_before(wallet: Wallet) -> None:
    made, token, first = await ask(wallet)
    second = await ask_again(wallet, token)
    assert_error(await come_back(wallet, token, first.json()["transaction_id"]), "invalid_transaction_id")
    await decide(wallet, made, "release")
    issued = await come_back(wallet, token, second.json()["transaction_id"])
    assert holder_keys(issued) == [wallet.keys[-1].jwk]


async def test_a_bound_token_lasts_as_long_as_the_wait(wallet: Wallet) -> None:
    party, http = Party(wallet.deployment), wallet.deployment.http
    made = await make_offer(wallet.deployment, wallet.member, deferred=True)

    async def prove(path: str, **more: str) -> str:
        nonce = (await http.post("/issuers/kyc/nonce")).headers["DPoP-Nonce"]
        return party.dpop("POST", path, nonce=nonce, **more)

    code = await wallet.read_code(made)
    form = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": code}
    granted = (await wallet.post_token(form, DPoP=await prove("/issuers/kyc/token"))).json()
    assert granted.items() >= {"token_type": "DPoP", "expires_in": 30 * 86_400}.items()
    token = granted["access_token"]

    async def send(endpoint: str, body: dict[str, Any]) -> httpx2.Response:
        path = f"/issuers/kyc/{endpoint}"
        headers = {"Authorization": f"DPoP {token}", "DPoP": await prove(path, access_token=token)}
        return await http.post(path, json=body, headers=headers)

    proofs = {"jwt": [wallet.prove(await wallet.fetch_nonce())]}
    first = await send("credential", {"credential_configuration_id": "kyc", "proofs": proofs})
    assert first.status_code == 202
    wallet.deployment.clock.advance(days=20)
    await decide(wallet, made, "release")
    assert (await send("deferred_credential", {"transaction_id": first.json()["transaction_id"]})).status_code == 200


async def test_keys_are_proved_at_the_first_request(wallet: Wallet) -> None:
    made = await make_offer(wallet.deployment, wallet.member, deferred=True)
    token = (await wallet.request_token(made)).json()["access_token"]
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove("guess")]}}
    assert_error(await wallet.request_credential(token, body), "invalid_nonce")


async def test_the_longer_it_takes_the_later_to_ask_again(wallet: Wallet) -> None:
    _, token, first = await ask(wallet)
    wallet.deployment.clock.advance(seconds=290)
    again = await come_back(wallet, token, first.json()["transaction_id"])
    assert first.json()["interval"] < again.json()["interval"] < 60


async def test_the_response_is_encrypted_as_the_deferred_request_asks(wallet: Wallet) -> None:
    made, token, first = await ask(wallet)
    mine = ECKey.generate_key("P-256", {"kid": "later", "alg": "ECDH-ES"})
    body = {"transaction_id": first.json()["transaction_id"]}
    wanted = {"credential_response_encryption": {"jwk": mine.as_dict(private=False), "enc": "A128GCM"}}
    assert_error(await come_back(wallet, token, **body, **wanted), "invalid_encryption_parameters")
    async with wallet.deployment.context.database.reading() as session:
        key = (await session.exec(select(SigningKey).where(SigningKey.purpose == ENCRYPTION))).one()
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": key.kid}
    recipient = ECKey.import_key(key.public_jwk)
    content = jwe.encrypt_compact(header, json.dumps(body | wanted).encode(), recipient, registry=REGISTRY)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/jwt"}
    opened = []
    for status in (202, 200):
        answer = await wallet.deployment.http.post("/issuers/kyc/deferred_credential", content=content, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/jwt")
        plain = jwe.decrypt_compact(answer.text, mine, registry=REGISTRY)
        assert plain.headers()["kid"] == "later"
        assert plain.plaintext is not None
        opened.append(json.loads(plain.plaintext))
        await decide(wallet, made, "release")
    assert opened[0] == first.json()
    assert len(opened[1]["credentials"]) == 1


async def test_of_many_that_come_back_at_once_one_is_answered(deployment: Deployment) -> None:
    wallet = Wallet(deployment, await add_issuer(deployment))
    made, token, first = await ask(wallet)
    await decide(wallet, made, "release")
    answers = await asyncio.gather(*(come_back(wallet, token, first.json()["transaction_id"]) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_transaction_id"}
    async with deployment.context.database.reading() as session:
        assert len((await session.exec(select(Credential))).all()) == 1


async def test_a_transaction_outlives_the_offers_hour_and_ends_after_thirty_days(wallet: Wallet) -> None:
    made, _, first = await ask(wallet)
    clock = wallet.deployment.clock
    clock.advance(days=29)
    await sweep_expired(wallet.deployment.context.database, clock.now)
    assert (await decide(wallet, made, "release")).json()["state"] == "pending"
    clock.advance(days=1)
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    state = await wallet.deployment.http.get(f"/v1/credential-offers/{made['id']}", headers=headers)
    assert (state.json()["state"], first.status_code) == ("expired", 202)
    clock.advance(hours=2)
    await sweep_expired(wallet.deployment.context.database, clock.now)
    async with wallet.deployment.context.database.reading() as session:
        row = await session.get_one(CredentialOffer, (wallet.member.org_id, made["id"]))
    assert (row.sealed_claims, row.holder_jwks) == (b"", None)
