"""A platform's pages in a real browser: a denial read, asked again and made again, by keyboard, on a narrow screen."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Page, expect

from service.demo.client import OrganizationClient
from tests.browser.accessibility import find_barriers
from tests.browser.conftest import NewContext
from tests.browser.people import People, open_link, open_people
from tests.interop.support import Deployment


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(deployment: Deployment) -> AsyncIterator[People]:
    """Who works at the seeded organisations."""
    opened = open_people(deployment)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def denial(deployment: Deployment) -> dict[str, Any]:
    """A sale to somebody of whom nothing is known, denied."""
    platform = deployment.seed["organizations"]["platform"]
    client = OrganizationClient(deployment.fetcher, deployment.base_url, platform, "gate verifier")
    await client.call("PUT", "/v1/investors/newcomer", {})
    sale = {
        "security_id": platform["securities"]["demo"]["id"],
        "action": "primary",
        "seller": None,
        "buyer": {"investor_ref": "newcomer"},
        "quantity": "10",
        "price": {"amount": "1000.00", "currency": "USD"},
    }
    decision = await client.post("/v1/transfers", sale, key=secrets.token_urlsafe(8))
    assert decision["outcome"] == "deny"
    return dict(decision)


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def reach(page: Page, name: str) -> None:
    """Go to a link or button by the Tab key alone."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        words = await page.evaluate("document.activeElement.textContent.trim()")
        if words == name:
            return
    raise AssertionError(f"{name} is not reached by keyboard")


async def test_a_denial_is_read_asked_again_and_made_again(
    people: People, new_context: NewContext, denial: dict[str, Any]
) -> None:
    page = await open_link(await new_context(), await people.add("platform", "Nia Reader", "auditor"))
    await page.get_by_role("link", name="Decisions", exact=True).first.click()
    await page.get_by_label("Investor", exact=True).fill("newcomer")
    await page.get_by_label("Outcome").select_option("deny")
    await page.get_by_role("button", name="Search").click()
    await page.locator("tbody a").first.click()
    for reason in denial["reasons"]:
        await expect(page.get_by_text(reason["citation"], exact=True).first).to_be_visible()
    await page.get_by_role("button", name="Make the decision again").click()
    await expect(page.get_by_text("The same came out.")).to_be_visible()
    assert await find_barriers(page) == []
    await page.get_by_role("link", name="Check the log").click()
    while await page.get_by_role("link", name="Look again").count():
        await page.get_by_role("link", name="Look again").click()
    await expect(page.get_by_text("the record is in the log")).to_be_visible()
    assert await find_barriers(page) == []


async def test_a_what_if_by_keyboard(people: People, new_context: NewContext, denial: dict[str, Any]) -> None:
    page = await open_link(await new_context(), await people.add("platform", "Kim Keys", "officer"))
    await reach(page, "What if")
    await press(page, "Enter")
    await page.wait_for_url("**/console/what-if")
    await page.get_by_label("Security (required)").focus()
    await page.keyboard.type(denial["security_id"])
    await page.get_by_label("Quantity (required)").focus()
    await page.keyboard.type("10")
    await page.get_by_label("Price of one whole unit (required)").focus()
    await page.keyboard.type("1000.00")
    await page.get_by_label("Buyer", exact=True).focus()
    await page.keyboard.type("newcomer")
    await press(page, "Enter")
    await expect(page.get_by_role("heading", name="The answer would be")).to_be_visible()
    await expect(page.get_by_text("Nothing was reserved or recorded.").last).to_be_visible()
    await expect(page.get_by_text(denial["reasons"][0]["code"], exact=True).first).to_be_visible()
    assert await find_barriers(page) == []


async def test_pages_on_a_narrow_screen_in_chinese(
    people: People, new_context: NewContext, denial: dict[str, Any]
) -> None:
    link = await people.add("platform", "陈思", "admin", "officer", "compliance", language="zh")
    context = await new_context(viewport={"width": 320, "height": 640}, locale="zh-CN")
    page = await open_link(context, link, language="zh")
    security = f"/console/securities/{denial['security_id']}"
    looked_at = (
        "/console/decisions",
        f"/console/decisions/{denial['id']}",
        "/console/investors/newcomer",
        security,
        f"{security}/edit",
        f"{security}/versions",
        "/console/webhooks",
        "/console/clients",
    )
    measured = (
        f"/console/decisions/{denial['id']}/facts",
        f"{security}/positions",
        "/console/trusted-issuers",
        "/console/log",
    )
    for path in looked_at + measured:
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert path in measured or await find_barriers(page) == [], path


async def test_the_state_of_a_presentation_comes_by_itself(
    people: People, new_context: NewContext, denial: dict[str, Any]
) -> None:
    page = await open_link(await new_context(), await people.add("platform", "Omar Asks", "officer"))
    await page.goto("/console/investors/newcomer")
    await page.get_by_label("What for").select_option("us.506c")
    async with page.expect_response(lambda answer: answer.url.endswith("/state")):
        await page.get_by_role("button", name="Make the request").click()
    await expect(page.get_by_role("status")).to_contain_text("waiting")
    await expect(page.locator(".qr svg")).to_be_visible()
    assert await find_barriers(page) == []
