"""Refresh tokens: one after the other, for the wallet that they were given to, until the credential is revoked."""

from typing import Any

import httpx2
import pytest
from sqlmodel import select

from service.privacy.retention import run_retention
from service.storage.tables import RefreshToken, WalletGrant
from tests.authorization_support import CodeWallet, register_wallet, start
from tests.deployment import Deployment
from tests.issuing_support import KYC_CLAIMS
from tests.prepared import prepared


@prepared
async def wallet(sqlite_deployment: Deployment) -> CodeWallet:
    return await start(sqlite_deployment)


def assert_error(answer: httpx2.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text


async def begin(wallet: CodeWallet) -> dict[str, Any]:
    """Return a token response; its credential was not fetched yet."""
    body: dict[str, Any] = (await wallet.redeem_code(await wallet.get_code(await wallet.offer()))).json()
    return body


async def begin_and_fetch(wallet: CodeWallet) -> tuple[str, str]:
    """Return the id of an issued credential and its refresh token."""
    made = await wallet.offer()
    body = (await wallet.redeem_code(await wallet.get_code(made))).json()
    assert (await wallet.get_credential(body["access_token"])).status_code == 200
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    shown = (await wallet.deployment.http.get(f"/v1/credential-offers/{made['id']}", headers=headers)).json()
    return shown["credentials"][0]["id"], body["refresh_token"]


async def set_status(wallet: CodeWallet, credential_id: str, status: str) -> None:
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    body = {"status": status, "reason": "test"}
    answer = await wallet.deployment.http.post(f"/v1/credentials/{credential_id}/status", json=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_whoever_was_too_slow_goes_on_without_asking_again(wallet: CodeWallet) -> None:
    body = await begin(wallet)
    wallet.deployment.clock.advance(minutes=5)
    assert_error(await wallet.get_credential(body["access_token"]), "invalid_token", 401)
    answer = await wallet.refresh(body["refresh_token"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    again = answer.json()
    assert again.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert again["refresh_token"] != body["refresh_token"]
    assert (await wallet.get_credential(again["access_token"])).status_code == 200


async def test_a_renewed_credential_is_fetched_without_the_person(wallet: CodeWallet) -> None:
    held, token = await begin_and_fetch(wallet)
    claims = KYC_CLAIMS | {"state": "CA"}
    for _ in range(2):  # the second renewal renews the first one
        renewal = await wallet.offer(claims=claims, renews=held)
        body = (await wallet.refresh(token)).json()
        assert (await wallet.get_credential(body["access_token"])).status_code == 200
        headers = await wallet.deployment.headers(wallet.member, "issuer")
        shown = (await wallet.deployment.http.get(f"/v1/credential-offers/{renewal['id']}", headers=headers)).json()
        assert shown["state"] == "redeemed"
        held, token = shown["credentials"][0]["id"], body["refresh_token"]


async def test_without_a_renewal_nothing_is_issued_twice(wallet: CodeWallet) -> None:
    _, token = await begin_and_fetch(wallet)
    await wallet.offer()  # another offer to the same person renews nothing
    body = (await wallet.refresh(token)).json()
    assert_error(await wallet.get_credential(body["access_token"]), "credential_request_denied")


async def test_a_renewal_is_of_the_same_person_and_type(wallet: CodeWallet) -> None:
    held, _ = await begin_and_fetch(wallet)
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    base = {"credential_configuration_id": "kyc", "claims": KYC_CLAIMS, "subject_ref": "investor-1", "tx_code": False}
    for changes in ({"renews": "cred_unknown"}, {"renews": held, "subject_ref": "investor-2"}):
        answer = await wallet.deployment.http.post("/v1/credential-offers", json=base | changes, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "offer_renewal_invalid")


async def test_a_lost_answer_may_be_asked_for_again(wallet: CodeWallet) -> None:
    first = (await begin(wallet))["refresh_token"]
    lost = (await wallet.refresh(first)).json()["refresh_token"]
    second = (await wallet.refresh(first)).json()["refresh_token"]
    third = await wallet.refresh(second)
    assert third.status_code == 200
    assert_error(await wallet.refresh(lost), "invalid_grant")  # it was superseded: who has it copied it
    assert_error(await wallet.refresh(third.json()["refresh_token"]), "invalid_grant")


async def test_a_token_that_comes_again_ends_the_grant(wallet: CodeWallet) -> None:
    first = await begin(wallet)
    second = (await wallet.refresh(first["refresh_token"])).json()
    third = (await wallet.refresh(second["refresh_token"])).json()
    assert_error(await wallet.refresh(first["refresh_token"]), "invalid_grant")
    for body in (first, second, third):
        assert_error(await wallet.refresh(body["refresh_token"]), "invalid_grant")
        assert_error(await wallet.get_credential(body["access_token"]), "invalid_token", 401)
    context = wallet.deployment.context
    wallet.deployment.clock.advance(hours=2)
    await run_retention(context)
    async with context.database.reading() as session:
        for table in (WalletGrant, RefreshToken):
            assert (await session.exec(select(table))).all() == []
    assert_error(await wallet.refresh(third["refresh_token"]), "invalid_grant")


async def test_another_wallet_or_issuer_gets_nothing_and_ends_nothing(wallet: CodeWallet) -> None:
    await register_wallet(wallet.deployment, wallet.member, "second")
    other = await start(wallet.deployment, "other")
    token = (await begin(wallet))["refresh_token"]
    assert_error(await wallet.refresh(token, client_id="second"), "invalid_grant")
    assert_error(await wallet.refresh(token, client_id="stranger"), "invalid_client", 401)
    assert_error(await other.refresh(token), "invalid_grant")
    assert_error(await wallet.refresh(""), "invalid_request")
    assert_error(await wallet.refresh("guess"), "invalid_grant")
    assert_error(await wallet.refresh(token, scope="kyc aml-screening"), "invalid_scope")
    assert (await wallet.refresh(token, scope="kyc")).status_code == 200


async def test_a_revoked_credential_is_not_renewed(wallet: CodeWallet) -> None:
    held, token = await begin_and_fetch(wallet)
    await wallet.offer(renews=held)
    await set_status(wallet, held, "suspended")
    token = (await wallet.refresh(token)).json()["refresh_token"]
    held, token = await begin_and_fetch(wallet)
    await set_status(wallet, held, "revoked")
    await wallet.offer(renews=held)
    assert_error(await wallet.refresh(token), "invalid_grant")


@pytest.mark.parametrize("end", ["expired", "cancelled"])
async def test_a_renewal_that_was_never_fetched_leaves_room_for_the_next(wallet: CodeWallet, end: str) -> None:
    held, token = await begin_and_fetch(wallet)
    missed = await wallet.offer(renews=held)
    token = (await wallet.refresh(token)).json()["refresh_token"]
    if end == "expired":
        wallet.deployment.clock.advance(hours=3)
    else:
        headers = await wallet.deployment.headers(wallet.member, "issuer")
        answer = await wallet.deployment.http.delete(f"/v1/credential-offers/{missed['id']}", headers=headers)
        assert answer.status_code == 200, answer.text
    body = (await wallet.refresh(token)).json()
    assert_error(await wallet.get_credential(body["access_token"]), "credential_request_denied")
    await wallet.offer(renews=held)
    body = (await wallet.refresh(body["refresh_token"])).json()
    assert (await wallet.get_credential(body["access_token"])).status_code == 200


async def test_revoking_stops_a_renewal_that_was_taken_up(wallet: CodeWallet) -> None:
    held, token = await begin_and_fetch(wallet)
    await wallet.offer(renews=held)
    body = (await wallet.refresh(token)).json()
    await set_status(wallet, held, "revoked")
    assert_error(await wallet.get_credential(body["access_token"]), "credential_request_denied")
    assert_error(await wallet.refresh(body["refresh_token"]), "invalid_grant")


async def test_whoever_was_asked_gets_what_replaces_a_revoked_credential(wallet: CodeWallet) -> None:
    held, _ = await begin_and_fetch(wallet)
    await set_status(wallet, held, "revoked")
    made = await wallet.offer(renews=held)
    body = (await wallet.redeem_code(await wallet.get_code(made))).json()
    body = (await wallet.refresh(body["refresh_token"])).json()
    assert (await wallet.get_credential(body["access_token"])).status_code == 200


async def test_an_offer_that_expired_ends_the_grant(wallet: CodeWallet) -> None:
    body = await begin(wallet)
    wallet.deployment.clock.advance(hours=3)
    assert_error(await wallet.refresh(body["refresh_token"]), "invalid_grant")


async def test_a_withdrawn_offer_ends_the_grant(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    body = (await wallet.redeem_code(await wallet.get_code(made))).json()
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    await wallet.deployment.http.delete(f"/v1/credential-offers/{made['id']}", headers=headers)
    assert_error(await wallet.refresh(body["refresh_token"]), "invalid_grant")


async def test_a_grant_lasts_a_year(wallet: CodeWallet) -> None:
    _, token = await begin_and_fetch(wallet)
    wallet.deployment.clock.advance(days=364)
    token = (await wallet.refresh(token)).json()["refresh_token"]
    wallet.deployment.clock.advance(days=1)
    assert_error(await wallet.refresh(token), "invalid_grant")
