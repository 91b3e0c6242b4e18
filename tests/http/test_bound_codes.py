"""Codes and refresh tokens belong to the key and the instance that asked for them (RFC 9449, HAIP 1.0)."""

import httpx2

from tests.authorization_support import (
    CALLBACK,
    CLIENT_ID,
    ISSUER,
    Browser,
    CodeWallet,
    read_parameters,
    register_wallet,
    start,
)
from tests.deployment import Deployment
from tests.issuing_support import add_issuer, make_offer
from tests.oauth_support import Party
from tests.prepared import prepared

PAR, TOKEN = "/issuers/kyc/par", "/issuers/kyc/token"


@prepared
async def wallet(sqlite_deployment: Deployment) -> CodeWallet:
    return await start(sqlite_deployment)


def assert_error(answer: httpx2.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text


async def dpop(wallet: CodeWallet, party: Party, path: str) -> dict[str, str]:
    nonce = (await wallet.deployment.http.post(f"{wallet.path}/nonce")).headers["dpop-nonce"]
    return {"DPoP": party.dpop("POST", path, nonce=nonce)}


async def get_code(wallet: CodeWallet, headers: dict[str, str] | None = None, **changes: str) -> str:
    browser = Browser(wallet.deployment)
    pushed = await wallet.push(await wallet.offer(), headers, **changes)
    await browser.open(wallet.page(pushed))
    return read_parameters(await browser.submit())["code"]


async def test_a_code_is_redeemed_with_the_key_that_pushed_the_request(wallet: CodeWallet) -> None:
    ours, other = Party(wallet.deployment), Party(wallet.deployment)
    named = {"dpop_jkt": ours.key.kid}
    for bound in ({"headers": await dpop(wallet, ours, PAR)}, {**named}):
        headers = bound.pop("headers", None)
        for sent in ({}, await dpop(wallet, other, TOKEN)):
            code = await get_code(wallet, headers, **bound)
            assert_error(await wallet.redeem_code(code, sent), "invalid_grant")
            headers = headers and await dpop(wallet, ours, PAR)
        code = await get_code(wallet, headers, **bound)
        answer = await wallet.redeem_code(code, await dpop(wallet, ours, TOKEN))
        assert answer.json()["token_type"] == "DPoP"


async def test_two_keys_in_one_pushed_request_are_refused(wallet: CodeWallet) -> None:
    ours, other = Party(wallet.deployment), Party(wallet.deployment)
    headers = await dpop(wallet, ours, PAR)
    assert_error(await wallet.push(await wallet.offer(), headers, dpop_jkt=other.key.kid), "invalid_request")


async def test_a_nonce_that_is_missing_leaves_the_code(wallet: CodeWallet) -> None:
    party, code = Party(wallet.deployment), await get_code(wallet)
    answer = await wallet.redeem_code(code, {"DPoP": party.dpop("POST", TOKEN)})
    assert_error(answer, "use_dpop_nonce")
    again = {"DPoP": party.dpop("POST", TOKEN, nonce=answer.headers["dpop-nonce"])}
    assert (await wallet.redeem_code(code, again)).status_code == 200


async def test_a_refresh_token_needs_the_key_of_its_grant(wallet: CodeWallet) -> None:
    ours, other = Party(wallet.deployment), Party(wallet.deployment)
    code = await get_code(wallet)
    token = (await wallet.redeem_code(code, await dpop(wallet, ours, TOKEN))).json()["refresh_token"]
    assert_error(await wallet.refresh(token), "invalid_grant")
    assert_error(await wallet.refresh(token, await dpop(wallet, other, TOKEN)), "invalid_grant")
    answer = await wallet.refresh(token, await dpop(wallet, ours, TOKEN))
    assert answer.json()["token_type"] == "DPoP"


async def test_a_code_of_an_attested_wallet_is_for_that_instance(sqlite_deployment: Deployment) -> None:
    wallet = CodeWallet(sqlite_deployment, await add_issuer(sqlite_deployment))
    maker, ours, other = (Party(sqlite_deployment) for _ in range(3))
    body = {"name": "Maker", "client_ids": [CLIENT_ID], "jwks": maker.jwks}
    headers = await sqlite_deployment.headers(wallet.member, "issuer")
    await sqlite_deployment.http.put("/v1/wallet-providers/maker", json=body, headers=headers)

    def attested(instance: Party) -> dict[str, str]:
        return {
            "OAuth-Client-Attestation": maker.attest(CLIENT_ID, instance),
            "OAuth-Client-Attestation-PoP": instance.attestation_pop(ISSUER),
        }

    assert_error(await wallet.push(await wallet.offer()), "invalid_client", 401)
    for unsafe in ("javascript:alert(1)", "http://wallet.example/cb", CALLBACK + "#x"):
        refused = await wallet.push(await wallet.offer(), attested(ours), redirect_uri=unsafe)
        assert_error(refused, "invalid_request")
    code = await get_code(wallet, attested(ours))
    assert_error(await wallet.redeem_code(code, attested(other)), "invalid_grant")
    body = (await wallet.redeem_code(code, attested(ours))).json()
    assert_error(await wallet.refresh(str(body["refresh_token"]), attested(other)), "invalid_grant")
    assert (await wallet.refresh(str(body["refresh_token"]), attested(ours))).status_code == 200


async def test_a_wallet_with_a_key_authenticates_when_it_pushes_and_when_it_redeems(wallet: CodeWallet) -> None:
    party = Party(wallet.deployment)
    registration = {"name": "W", "redirect_uris": [CALLBACK], "jwks": party.jwks}
    registration |= {"token_endpoint_auth_method": "private_key_jwt"}
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    await wallet.deployment.http.put(f"/v1/wallet-clients/{CLIENT_ID}", json=registration, headers=headers)
    made = await wallet.offer()
    assert_error(await wallet.push(made), "invalid_client", 401)
    browser = Browser(wallet.deployment)
    await browser.open(wallet.page(await wallet.push(made, **party.assertion(CLIENT_ID, ISSUER))))
    code = read_parameters(await browser.submit())["code"]
    assert_error(await wallet.redeem_code(code), "invalid_client", 401)
    assert (await wallet.redeem_code(code, **party.assertion(CLIENT_ID, ISSUER))).status_code == 200


async def test_a_wallet_that_is_registered_for_dpop_gets_no_bearer_token(wallet: CodeWallet) -> None:
    assert (await wallet.redeem_code(await get_code(wallet))).json()["token_type"] == "Bearer"
    await register_wallet(wallet.deployment, wallet.member, dpop_bound_access_tokens=True)
    party, code = Party(wallet.deployment), await get_code(wallet)
    assert_error(await wallet.redeem_code(code), "invalid_dpop_proof")
    body = (await wallet.redeem_code(code, await dpop(wallet, party, TOKEN))).json()
    assert body["token_type"] == "DPoP"
    assert_error(await wallet.refresh(body["refresh_token"]), "invalid_dpop_proof")
    again = await wallet.refresh(body["refresh_token"], await dpop(wallet, party, TOKEN))
    assert again.json()["token_type"] == "DPoP"
    offered = await make_offer(wallet.deployment, wallet.member)
    pre_authorized = {
        "grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        "pre-authorized_code": await wallet.read_code(offered),
        "client_id": CLIENT_ID,
    }
    assert_error(await wallet.post_token(pre_authorized), "invalid_dpop_proof")
