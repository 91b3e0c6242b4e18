"""A case in a real browser: an officer and an approver, one of them by keyboard alone, and what axe-core says."""

import re
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import NewContext
from tests.browser.people import People, open_link, open_people
from tests.evidence_support import make_pdf
from tests.interop.support import Deployment


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(deployment: Deployment) -> AsyncIterator[People]:
    """Who works at the seeded organisations."""
    opened = open_people(deployment)
    yield opened
    await opened.close()


async def press(page: Page, label: str) -> None:
    """Go on with Tab to the button or link of this name, and press Enter."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if (await page.evaluate("document.activeElement.textContent")).strip() == label:
            async with page.expect_navigation():
                await page.keyboard.press("Enter")
            return
    raise AssertionError(f"no way to {label!r} by keyboard")


async def fill(page: Page, name: str, text: str) -> None:
    """Go on with Tab to the field of this name, and type."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.name") == name:
            await page.keyboard.type(text)
            return
    raise AssertionError(f"no way to the field {name!r} by keyboard")


async def test_a_case_by_keyboard_and_by_two_people(people: People, new_context: NewContext) -> None:
    page = await open_link(await new_context(), await people.add("accreditor", "Olive", "officer"))
    await press(page, "Cases")
    await press(page, "Open a case")
    await fill(page, "subject_ref", "client-7")
    await press(page, "Open the case")
    case = page.url
    assert "/console/cases/case_" in case
    await fill(page, "rule", "Accredited investor: income")
    await press(page, "Show what it counts")
    await expect(page.get_by_role("heading", name="What the rule asks for")).to_be_visible()
    await fill(page, "field.income_y1", "250,117")
    await fill(page, "field.income_y2", "231999.43")
    await fill(page, "field.expects_same_current_year", " ")
    await page.keyboard.press("ArrowRight")  # from the last of them, which says nothing, around to the first
    await expect(page.get_by_label("Yes")).to_be_checked()
    await press(page, "Work it out")
    await expect(page.get_by_text("The figures meet the test.")).to_be_visible()
    await expect(page.get_by_text("An approver decides this case.")).to_be_visible()
    await page.get_by_label("File PDF").set_input_files(
        files=[{"name": "tax.pdf", "mimeType": "application/pdf", "buffer": make_pdf()}]
    )
    await page.get_by_label("What it proves").fill("tax form of 2025")
    await page.get_by_role("button", name="Add the file").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="tax.pdf").click()
    assert (await download.value).suggested_filename == "tax.pdf"
    assert await find_barriers(page) == []

    narrow = await new_context(viewport={"width": 320, "height": 640}, locale="zh-CN")
    approver = await open_link(narrow, await people.add("accreditor", "李雷", "approver", language="zh"), "zh")
    await approver.goto(case)
    assert await approver.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await find_barriers(approver) == []
    await approver.locator("[name='field.method']").select_option("third_party")
    await approver.locator("[name='field.steps_completed_on']").fill("2026-11-20")
    await approver.get_by_role("button", name="批准并发出领取邀请").click()
    await expect(approver.locator("#tx-code")).to_have_text(re.compile("^[0-9]{6}$"))
    await expect(approver.locator("svg.segno")).to_be_visible()
    assert await approver.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await find_barriers(approver) == []
    await page.goto(case)
    await page.get_by_role("link", name="To the offer for the investor").click()
    await expect(page.get_by_text("Waiting for the investor.")).to_be_visible()
    await page.get_by_role("button", name="Cancel the offer").click()
    await expect(approver.get_by_text("领取邀请已取消。")).to_be_visible()  # it looks for itself, every few seconds


async def test_a_grant_and_what_is_wrong_with_it(
    people: People, new_context: NewContext, expected_errors: list[str]
) -> None:
    expected_errors.append("console: Failed to load resource: .* 422")
    page = await open_link(await new_context(), await people.add("kyc", "Kim", "officer"))
    await page.goto("/console/grants/kyc")
    await page.get_by_label("Person *").fill("client-7")
    await page.locator("[name='field.given_name']").fill("<img src=x onerror=alert(1)>")
    await page.locator("[name='field.family_name']").fill("Hopper")
    await page.locator("[name='field.birthdate']").fill("1906-12-09")
    await page.locator("[name='field.country']").select_option("US")
    await page.get_by_role("button", name="Look at it before granting").click()
    await expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    assert await find_barriers(page) == []
    await page.locator("[name='field.loa']").select_option("substantial")
    await page.get_by_role("button", name="Look at it before granting").click()
    await expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    await page.get_by_role("button", name="Grant it").click()
    await expect(page.locator("#tx-code")).to_be_visible()
