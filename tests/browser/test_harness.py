"""What the other files of this folder rely on: the browser is shut off, and no complaint of a page is lost."""

import asyncio

import pytest
from playwright.async_api import Browser, Error, Page

from tests.browser.accessibility import find_barriers
from tests.browser.watch import Watch
from tests.interop.support import Deployment

STRICT = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\"><h1>Shut</h1>"


async def test_opens_a_page_of_the_deployment(page: Page, deployment: Deployment) -> None:
    await page.goto("/docs")
    assert await page.title()
    assert (await deployment.platform.get("/v1/purposes"))["data"]


async def test_no_other_host_is_reached(page: Page, expected_errors: list[str]) -> None:
    expected_errors.append("beyond this machine: http://stranger.example/")
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await page.goto("http://stranger.example/")


COMPLAINTS = {
    "setTimeout(() => { throw new Error('uncaught') })": "uncaught: ",
    "void Promise.reject(new Error('promised'))": "promised",
    "console.error('logged')": "console: logged",
    "const s = document.createElement('style'); s.textContent = '*{}'; document.head.append(s)": "style-src",
    "document.body.setAttribute('style', 'color: red')": "style-src",
    "void fetch('http://stranger.example/').catch(() => {})": "stranger",
}


async def test_every_complaint_is_noted(browser: Browser) -> None:
    for script, complaint in COMPLAINTS.items():
        context, watch = await browser.new_context(), Watch()
        watch.over(context)
        page = await context.new_page()
        await page.set_content(STRICT)
        await page.evaluate(script)
        async with asyncio.timeout(5):
            while not any(complaint in each for each in watch.unexpected([])):
                await page.wait_for_timeout(10)
        assert watch.unexpected([".*"]) == []
        await context.close()


async def test_barriers_are_found_under_a_strict_policy(page: Page) -> None:
    await page.set_content(f"<!doctype html><html lang='en'><head><title>T</title>{STRICT}<main><img></main>")
    assert any(each.startswith("image-alt") for each in await find_barriers(page))
