"""Passkeys: what registers one, what signs in with one, and what does not; on both kinds of database."""

import asyncio
import itertools
import json
from typing import Any

import pytest
from sqlmodel import select

from service.accounts.accounts import disable_account
from service.accounts.passkeys import (
    MOST,
    PasskeyCopiedError,
    PasskeyKnownError,
    PasskeyNameError,
    PasskeyRefusedError,
    list_passkeys,
    make_registration_options,
    make_sign_in_options,
    register_passkey,
    remove_passkey,
    sign_in_with_passkey,
)
from service.accounts.sessions import find_session
from service.errors import NotFoundError
from service.storage.tables import Account, AuditEntry, Passkey
from tests.console_support import add_account
from tests.deployment import BASE_URL, Deployment
from tests.passkey_support import PRESENT, SoftPasskey
from tests.prepared import prepared

HERE, ELSEWHERE = "this browser", "another browser"


@prepared
async def account(deployment: Deployment) -> Account:
    return await add_account(deployment, await deployment.add_organization("oak", "issuer"), "officer")


async def ask_to_register(deployment: Deployment, account: Account, browser: str = HERE) -> str:
    async with deployment.context.database.reading() as session:
        known = await list_passkeys(session, account.org_id, account.id)
    return make_registration_options(
        deployment.context.signer, account, known, base_url=BASE_URL, browser=browser, now=deployment.clock()
    )


async def register(
    deployment: Deployment, account: Account, credential: str, *, name: str = "Laptop", browser: str = HERE
) -> Passkey:
    async with deployment.context.database.transaction() as session:
        return await register_passkey(
            session,
            deployment.context.signer,
            account,
            credential,
            name=name,
            base_url=BASE_URL,
            browser=browser,
            now=deployment.clock(),
        )


async def new_passkey(deployment: Deployment, account: Account, sign_count: int = 0) -> SoftPasskey:
    device = SoftPasskey(sign_count=sign_count)
    await register(deployment, account, device.create(await ask_to_register(deployment, account)))
    return device


def ask_to_sign_in(deployment: Deployment, browser: str = HERE) -> str:
    return make_sign_in_options(deployment.context.signer, base_url=BASE_URL, browser=browser, now=deployment.clock())


async def sign_in(deployment: Deployment, credential: str, browser: str = HERE) -> str:
    async with deployment.context.database.transaction() as session:
        return await sign_in_with_passkey(
            session,
            deployment.context.signer,
            credential,
            base_url=BASE_URL,
            browser=browser,
            now=deployment.clock(),
        )


async def test_from_registering_to_signing_in(deployment: Deployment, account: Account) -> None:
    options = json.loads(await ask_to_register(deployment, account))
    assert options["rp"]["id"] == "localhost"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    device = await new_passkey(deployment, account)
    again = json.loads(await ask_to_register(deployment, account))
    assert len(again["excludeCredentials"]) == 1
    asked = json.loads(ask_to_sign_in(deployment))
    assert (asked["rpId"], asked["userVerification"], asked["allowCredentials"]) == ("localhost", "required", [])
    secret = await sign_in(deployment, device.get(ask_to_sign_in(deployment)))
    found = await find_session(deployment.context.database, secret, deployment.clock())
    assert found is not None
    assert found.account_id == account.id
    async with deployment.context.database.reading() as session:
        kinds = [each.kind for each in (await session.exec(select(AuditEntry))).all()]
    assert {"account.passkey_added", "account.signed_in"} <= set(kinds)


WRONG_AT_REGISTERING: list[dict[str, Any]] = [
    {"origin": "https://evil.example"},
    {"origin": "http://localhost:8001"},
    {"rp_id": "evil.example"},
    {"flags": PRESENT},  # nobody was verified
    {"flags": 0},
    {"kind_instead": "webauthn.get"},
]


async def test_what_registers_nothing(deployment: Deployment, account: Account) -> None:
    for wrong in WRONG_AT_REGISTERING:
        credential = SoftPasskey().create(await ask_to_register(deployment, account), **wrong)
        with pytest.raises(PasskeyRefusedError):
            await register(deployment, account, credential)


WRONG_AT_SIGNING_IN: list[dict[str, Any]] = [
    {"origin": "https://evil.example"},
    {"rp_id": "evil.example"},
    {"flags": PRESENT},
    {"flags": 0},
    {"kind_instead": "webauthn.create"},
    {"signature": b"0" * 70},
    {"user_handle": b"acc_somebody_else"},
    {"user_handle": b"\xff"},
]


async def test_what_signs_nobody_in(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account)
    for wrong in WRONG_AT_SIGNING_IN:
        with pytest.raises(PasskeyRefusedError):
            await sign_in(deployment, device.get(ask_to_sign_in(deployment), **wrong))


async def test_a_challenge_counts_once(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account)
    credential = device.get(ask_to_sign_in(deployment))
    results = await asyncio.gather(*(sign_in(deployment, credential) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, str) for each in results) == 1
    assert sum(isinstance(each, PasskeyRefusedError) for each in results) == 3


async def test_a_challenge_is_of_one_browser_one_purpose_and_five_minutes(
    deployment: Deployment, account: Account
) -> None:
    device = await new_passkey(deployment, account)
    with pytest.raises(PasskeyRefusedError, match="not open"):
        await sign_in(deployment, device.get(ask_to_sign_in(deployment)), browser=ELSEWHERE)
    with pytest.raises(PasskeyRefusedError, match="not open"):
        await sign_in(deployment, device.get(await ask_to_register(deployment, account)))
    credential = SoftPasskey().create(await ask_to_register(deployment, account))
    with pytest.raises(PasskeyRefusedError, match="not open"):
        await register(deployment, account, credential, browser=ELSEWHERE)
    late = device.get(ask_to_sign_in(deployment))
    deployment.clock.advance(minutes=6)
    with pytest.raises(PasskeyRefusedError, match="not open"):
        await sign_in(deployment, late)


async def test_a_counter_that_goes_back(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account, sign_count=5)
    for device.sign_count in (5, 4, 0):
        with pytest.raises(PasskeyCopiedError):
            await sign_in(deployment, device.get(ask_to_sign_in(deployment)))


async def test_a_counter_that_goes_on(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account, sign_count=1)
    for _ in range(2):
        device.sign_count += 1
        await sign_in(deployment, device.get(ask_to_sign_in(deployment)))
    with pytest.raises(PasskeyCopiedError):
        await sign_in(deployment, device.get(ask_to_sign_in(deployment)))


async def test_a_passkey_of_a_disabled_account(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account)
    async with deployment.context.database.transaction() as session:
        await disable_account(session, account.org_id, account.id, actor="test", now=deployment.clock())
    with pytest.raises(PasskeyRefusedError):
        await sign_in(deployment, device.get(ask_to_sign_in(deployment)))


async def test_a_removed_passkey_and_that_of_a_stranger(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account)
    async with deployment.context.database.transaction() as session:
        [row] = await list_passkeys(session, account.org_id, account.id)
        with pytest.raises(NotFoundError):
            await remove_passkey(session, account.org_id, "acc_another", row.id, now=deployment.clock())
        await remove_passkey(session, account.org_id, account.id, row.id, now=deployment.clock())
    for each in (device, SoftPasskey(user_handle=account.id.encode())):
        with pytest.raises(PasskeyRefusedError):
            await sign_in(deployment, each.get(ask_to_sign_in(deployment)))


async def test_a_passkey_is_of_one_account(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account)
    with pytest.raises(PasskeyKnownError):
        await register(deployment, account, device.create(await ask_to_register(deployment, account)))


async def test_an_account_has_some_passkeys_and_no_more(deployment: Deployment, account: Account) -> None:
    for _ in range(MOST):
        await new_passkey(deployment, account)
    with pytest.raises(PasskeyKnownError):
        await new_passkey(deployment, account)


async def test_names_that_are_none(deployment: Deployment, account: Account) -> None:
    for name in ("", " ", "a" * 101, "a\nb"):
        credential = SoftPasskey().create(await ask_to_register(deployment, account))
        with pytest.raises(PasskeyNameError):
            await register(deployment, account, credential, name=name)


CHANGES: list[dict[str, Any]] = [
    {"response": None},
    {"response": {"clientDataJSON": 5}},
    {"response": {"clientDataJSON": "e30"}},
    {"rawId": None},
    {"rawId": "é"},
    {"id": "other"},
    {"type": "password"},
]
NO_ANSWERS = ["", "{}", "[]", "5", "null", "[" * 100_000, '{"response": {"clientDataJSON": "W10"}}']
NO_PARTS = [None, 5, "", "é", "AAAA"]


async def test_answers_that_cannot_be_read(deployment: Deployment, account: Account) -> None:
    device = await new_passkey(deployment, account)
    texts = list(NO_ANSWERS)
    texts.extend(json.dumps(json.loads(device.get(ask_to_sign_in(deployment))) | change) for change in CHANGES)
    for member, value in itertools.product(("authenticatorData", "signature", "userHandle"), NO_PARTS):
        credential = json.loads(device.get(ask_to_sign_in(deployment)))
        credential["response"][member] = value
        texts.append(json.dumps(credential))
    for text in texts:
        with pytest.raises(PasskeyRefusedError):
            await sign_in(deployment, text)


async def test_attestations_that_are_none(deployment: Deployment, account: Account) -> None:
    for value in (*NO_PARTS, "o2NmbXQ"):
        credential = json.loads(SoftPasskey().create(await ask_to_register(deployment, account)))
        credential["response"]["attestationObject"] = value
        with pytest.raises(PasskeyRefusedError):
            await register(deployment, account, json.dumps(credential))
