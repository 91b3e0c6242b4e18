"""Passkeys in a real browser, with an authenticator that Chromium plays, and signing in by keyboard alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import NewContext
from tests.browser.people import People, open_link, open_people
from tests.interop.support import Deployment

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


async def add_authenticator(page: Page, **changes: Any) -> tuple[Any, str]:
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR | changes})
    return session, made["authenticatorId"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(deployment: Deployment) -> AsyncIterator[People]:
    """Who works at the seeded organisations."""
    opened = open_people(deployment)
    yield opened
    await opened.close()


async def test_a_passkey_is_made_used_and_removed(
    people: People, new_context: NewContext, expected_errors: list[str]
) -> None:
    expected_errors.append("console: Failed to load resource: .* 401")
    page = await open_link(await new_context(), await people.add("accreditor", "Ada", "officer", "admin"))
    session, authenticator = await add_authenticator(page)
    await page.get_by_role("link", name="Ada").click()
    await page.get_by_label("Name of the device").fill("Test laptop")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("rowheader", name="Test laptop")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.wait_for_url("**/console")
    await expect(page.get_by_role("heading", name="Hello, Ada")).to_be_visible()

    kept = await session.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})
    assert kept["credentials"][0]["signCount"] > 0
    await page.goto("/console/account")
    await page.get_by_role("button", name="Remove Test laptop").click()
    await expect(page.get_by_text("You have no passkey yet")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_text("The passkey was not accepted")).to_be_visible()
    assert await find_barriers(page) == []


async def test_a_device_that_verifies_nobody(people: People, new_context: NewContext) -> None:
    page = await open_link(await new_context(), await people.add("accreditor", "Bo", "officer"))
    await add_authenticator(page, isUserVerified=False)
    await page.goto("/console/account")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("No passkey was made")).to_be_visible()
    await expect(page.get_by_text("You have no passkey yet")).to_be_visible()


async def test_by_keyboard_in_chinese_on_a_narrow_screen(people: People, new_context: NewContext) -> None:
    link = await people.add("accreditor", "李雷", "admin", "officer", "auditor", language="zh")
    context = await new_context(viewport={"width": 320, "height": 640}, locale="zh-CN")
    page = await context.new_page()
    await page.goto(link)
    for _ in range(4):  # skip link, brand, the other language, the button
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console")
    issuers = ("/console/grants/kyc", "/console/credentials", "/console/calendar", "/console/accesses")
    for path in ("/console/account", "/console", *issuers, "/console/accounts"):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await find_barriers(page) == [], path
    await page.get_by_role("link", name="李雷", exact=True).last.click()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
