"""Accounts, sign-in links and sessions, on both kinds of database."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import select

from service.accounts import sessions
from service.accounts.accounts import (
    BY_BROWSER,
    AccountInvalidError,
    LastAdminError,
    change_language,
    change_roles,
    disable_account,
    ensure_account,
    get_account,
    list_accounts,
)
from service.accounts.sessions import digest_secret, find_session, start_session
from service.accounts.sign_in_links import (
    AccountDisabledError,
    LinkUnusableError,
    look_at_link,
    make_sign_in_link,
    spend_sign_in_link,
)
from service.errors import NotFoundError
from service.storage.expired import sweep_expired
from service.storage.tables import AuditEntry, BrowserSession, SignInLink
from tests.console_support import add_account, make_link
from tests.deployment import BASE_URL, Deployment, Member
from tests.prepared import prepared


@prepared
async def member(deployment: Deployment) -> Member:
    return await deployment.add_organization("oak", "issuer")


async def spend(deployment: Deployment, path: str) -> str:
    async with deployment.context.database.transaction() as session:
        return await spend_sign_in_link(session, path.rsplit("/", 1)[1], now=deployment.clock())


async def is_signed_in(deployment: Deployment, secret: str) -> bool:
    return await find_session(deployment.context.database, secret, deployment.clock()) is not None


async def test_a_link_signs_in_once(deployment: Deployment, member: Member) -> None:
    account = await add_account(deployment, member, "officer", "approver")
    link = await make_link(deployment, account)
    async with deployment.context.database.reading() as session:
        looked = await look_at_link(session, link.rsplit("/", 1)[1], now=deployment.clock())
    assert looked.id == account.id
    found = await find_session(deployment.context.database, await spend(deployment, link), deployment.clock())
    assert found is not None
    assert (found.account_id, found.org_name, found.org_roles) == (account.id, "Oak", ("issuer",))
    assert found.roles == {"officer", "approver"}
    with pytest.raises(LinkUnusableError):
        await spend(deployment, link)


async def test_of_many_who_press_at_once_one_is_signed_in(deployment: Deployment, member: Member) -> None:
    link = await make_link(deployment, await add_account(deployment, member, "officer"))
    results = await asyncio.gather(*(spend(deployment, link) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(each, str) for each in results) == 1
    assert sum(isinstance(each, LinkUnusableError) for each in results) == 7


async def test_a_link_ends(deployment: Deployment, member: Member) -> None:
    link = await make_link(deployment, await add_account(deployment, member, "officer"))
    deployment.clock.advance(minutes=15)
    with pytest.raises(LinkUnusableError):
        await spend(deployment, link)


async def test_a_link_lives_for_a_while_only(deployment: Deployment, member: Member) -> None:
    account = await add_account(deployment, member, "officer")
    for lifetime in (timedelta(0), timedelta(days=8)):
        with pytest.raises(ValueError, match="seven days"):
            await make_link(deployment, account, lifetime)


async def test_storage_knows_no_secret(deployment: Deployment, member: Member) -> None:
    link = await make_link(deployment, await add_account(deployment, member, "officer"))
    token = link.rsplit("/", 1)[1]
    secret = await spend(deployment, link)
    async with deployment.context.database.reading() as session:
        links = (await session.exec(select(SignInLink))).all()
        browsers = (await session.exec(select(BrowserSession))).all()
        entries = (await session.exec(select(AuditEntry))).all()
    kept = " ".join(map(repr, (*links, *browsers))) + " ".join(entry.record for entry in entries)
    assert token not in kept
    assert secret not in kept
    assert "Ada" not in "".join(entry.record for entry in entries)
    assert [each.token_sha256 for each in links] == [digest_secret(token)]


async def test_a_session_ends_after_half_an_hour_of_rest(deployment: Deployment, member: Member) -> None:
    secret = await spend(deployment, await make_link(deployment, await add_account(deployment, member, "officer")))
    for _ in range(3):
        deployment.clock.advance(minutes=29)
        assert await is_signed_in(deployment, secret)
    deployment.clock.advance(minutes=30)
    assert not await is_signed_in(deployment, secret)


async def test_a_session_in_use_ends_after_twelve_hours(deployment: Deployment, member: Member) -> None:
    secret = await spend(deployment, await make_link(deployment, await add_account(deployment, member, "officer")))
    for _ in range(35):
        deployment.clock.advance(minutes=20)
        assert await is_signed_in(deployment, secret)
    deployment.clock.advance(minutes=20)
    assert not await is_signed_in(deployment, secret)


async def test_disabling_ends_sessions_and_links_at_once(deployment: Deployment, member: Member) -> None:
    account = await add_account(deployment, member, "officer")
    secret = await spend(deployment, await make_link(deployment, account))
    link = await make_link(deployment, account)
    async with deployment.context.database.transaction() as session:
        await disable_account(session, member.org_id, account.id, actor="test", now=deployment.clock())
    assert not await is_signed_in(deployment, secret)
    with pytest.raises(LinkUnusableError):
        await spend(deployment, link)
    async with deployment.context.database.transaction() as session:
        row = await get_account(session, member.org_id, account.id)
        with pytest.raises(AccountDisabledError):
            make_sign_in_link(session, row, base_url=BASE_URL, actor="test", now=deployment.clock())


async def test_a_disabled_account_is_signed_out_even_by_its_rows_alone(deployment: Deployment, member: Member) -> None:
    account = await add_account(deployment, member, "officer")
    async with deployment.context.database.transaction() as session:
        secret = await start_session(session, account, method=sessions.BY_LINK, now=deployment.clock())
    async with deployment.context.database.transaction() as session:
        row = await get_account(session, member.org_id, account.id)
        row.disabled_at = deployment.clock()
        session.add(row)
    assert not await is_signed_in(deployment, secret)


async def test_other_roles_hold_at_once(deployment: Deployment, member: Member) -> None:
    account = await add_account(deployment, member, "officer", "approver")
    secret = await spend(deployment, await make_link(deployment, account))
    async with deployment.context.database.transaction() as session:
        await change_roles(session, member.org_id, account.id, ["auditor"], actor="test", now=deployment.clock())
        await change_language(session, member.org_id, account.id, "zh")
    found = await find_session(deployment.context.database, secret, deployment.clock())
    assert found is not None
    assert (found.roles, found.language) == ({"auditor"}, "zh")


async def test_the_last_admin_stays(deployment: Deployment, member: Member) -> None:
    now = deployment.clock()
    first = await add_account(deployment, member, "admin")
    async with deployment.context.database.transaction() as session:
        with pytest.raises(LastAdminError):
            await disable_account(session, member.org_id, first.id, actor="test", now=now)
        with pytest.raises(LastAdminError):
            await change_roles(session, member.org_id, first.id, ["officer"], actor="test", now=now)
    second = await add_account(deployment, member, "admin", "officer")
    async with deployment.context.database.transaction() as session:
        await disable_account(session, member.org_id, first.id, actor="test", now=now)
    async with deployment.context.database.transaction() as session:
        await disable_account(session, member.org_id, first.id, actor="test", now=now)  # again: nothing to do
        with pytest.raises(LastAdminError):
            await disable_account(session, member.org_id, second.id, actor="test", now=now)


async def test_what_is_no_account(deployment: Deployment, member: Member) -> None:
    wrong: list[tuple[str, list[str]]] = [
        ("", ["officer"]),
        (" ", ["officer"]),
        ("a" * 201, ["officer"]),
        ("A\u202eb", ["officer"]),
        ("A", []),
        ("A", ["god"]),
    ]
    for name, roles in wrong:
        with pytest.raises(AccountInvalidError):
            await add_account(deployment, member, *roles, name=name)


async def test_another_organisations_accounts_do_not_exist(deployment: Deployment, member: Member) -> None:
    other = await deployment.add_organization("elm", "issuer")
    account = await add_account(deployment, other, "officer")
    async with deployment.context.database.transaction() as session:
        with pytest.raises(NotFoundError):
            await get_account(session, member.org_id, account.id)
        with pytest.raises(NotFoundError):
            await disable_account(session, member.org_id, account.id, actor="test", now=deployment.clock())
        assert list(await list_accounts(session, member.org_id)) == []


async def test_an_account_is_ensured_once(deployment: Deployment, member: Member) -> None:
    made = []
    for _ in range(2):
        async with deployment.context.database.transaction() as session:
            made.append(
                await ensure_account(
                    session,
                    org_id=member.org_id,
                    name="Demo officer",
                    roles=["approver", "officer"],
                    actor="seed",
                    now=deployment.clock(),
                )
            )
    assert made[0].id == made[1].id
    assert made[1].language == BY_BROWSER


async def test_what_ended_is_swept(deployment: Deployment, member: Member) -> None:
    account = await add_account(deployment, member, "officer")
    await spend(deployment, await make_link(deployment, account))
    await make_link(deployment, account)
    deployment.clock.advance(hours=14)
    await sweep_expired(deployment.context.database, deployment.clock())
    async with deployment.context.database.reading() as session:
        assert (await session.exec(select(SignInLink))).all() == []
        assert (await session.exec(select(BrowserSession))).all() == []
