"""The button on a platform's page of another origin, under that page's strict content policy."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import NewContext
from tests.browser.holder import Holder
from tests.browser.venue import Venue, build_site
from tests.interop.support import Deployment
from tests.loopback import serving

HEARD = """new Promise((resolve) => {
  const look = () => (heard.length ? resolve(heard) : setTimeout(look, 10));
  look();
})"""
WALLET = "<!doctype html><html lang='en'><title>Wallet</title><h1>Wallet</h1>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def holder(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Holder:
    home: Path = tmp_path_factory.mktemp("holder") / "wallet"
    holder = Holder(deployment, home)
    await holder.receive_all()
    return holder


@pytest.fixture(scope="module")
def origin(deployment: Deployment) -> Iterator[str]:
    with serving(lambda _: build_site(deployment.base_url)) as origin:
        yield origin


@pytest.fixture
def venue(deployment: Deployment, origin: str) -> Venue:
    return Venue(deployment, origin)


@pytest_asyncio.fixture(loop_scope="session")
async def context(new_context: NewContext, venue: Venue, deployment: Deployment) -> BrowserContext:
    """A person's browser; at the web wallet's address it finds one that does nothing, so that the test may answer."""
    context = await new_context()
    await context.route(f"{venue.origin}/my/**", venue.answer)
    await context.route(
        f"{deployment.base_url}/wallet/", lambda route: route.fulfill(body=WALLET, content_type="text/html")
    )
    return context


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, venue: Venue) -> Page:
    return await venue.open(context)


async def choose(page: Page, way: str) -> None:
    await page.get_by_role("button", name="Prove you qualify").click()
    await page.get_by_role("button", name=way).click()


async def choose_phone(page: Page) -> None:
    """Choose the phone and wait for the picture, which is gone once somebody answered."""
    await choose(page, "Use my phone")
    await page.get_by_role("img").evaluate("image => image.decode()")


async def hear(page: Page) -> tuple[str, dict[str, Any]]:
    """Wait for the one event."""
    async with asyncio.timeout(20):
        heard = await page.evaluate(HEARD)
    assert len(heard) == 1
    return heard[0][0], heard[0][1]


async def test_a_phone_answers_and_all_is_reached_by_keyboard(page: Page, venue: Venue, holder: Holder) -> None:
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="How do you want")).to_be_focused()
    assert await find_barriers(page) == []
    for _ in range(3):
        await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Use my phone")).to_be_focused()
    await page.keyboard.press("Enter")
    picture = page.get_by_role("img", name="Code for your wallet")
    await expect(picture).to_be_visible()
    await picture.evaluate("image => image.decode()")  # or it is no picture
    assert await find_barriers(page) == []
    await page.get_by_role("button", name="My wallet is a web page").click()
    await expect(picture).to_have_attribute("src", re.compile(r"\?wallet=web$"))
    await picture.evaluate("image => image.decode()")
    assert await holder.answer(venue.made[0]) is None
    name, detail = await hear(page)
    assert (name, detail["state"], detail["id"]) == ("qualified", "verified", venue.made[0]["id"])
    await expect(page.get_by_role("status")).to_have_text("Thank you. Your proof was received and checked.")
    assert venue.asked[0]["body"] == {"purpose": "us.506c", "way": "phone"}
    assert await find_barriers(page) == []


async def test_the_web_wallet_of_the_same_tab_comes_back(page: Page, venue: Venue, holder: Holder) -> None:
    await choose(page, "Open my web wallet")
    await page.wait_for_url("**/wallet/#request=*")
    assert page.url == venue.made[0]["wallet_link"]
    returned = await holder.answer(venue.made[0])
    assert returned is not None
    assert (await venue.read(0))["state"] == "pending"  # until the browser is back
    await page.goto(returned)
    assert (await hear(page))[0] == "qualified"
    assert page.url == f"{venue.origin}/en"  # the code is in no bookmark
    assert await page.evaluate("sessionStorage.length") == 0


async def test_who_goes_back_may_wait_stop_or_start_again(page: Page, venue: Venue) -> None:
    await choose(page, "Open my web wallet")
    await page.wait_for_url("**/wallet/#request=*")
    await page.go_back()
    await expect(page.get_by_role("status")).to_contain_text("Waiting for your wallet")
    await page.reload()
    await expect(page.get_by_role("status")).to_contain_text("Waiting for your wallet")
    await page.get_by_role("button", name="Start again").click()
    await page.wait_for_url("**/wallet/#request=*")
    assert page.url == venue.made[1]["wallet_link"]
    await page.go_back()
    await page.get_by_role("button", name="Stop waiting").click()
    await expect(page.get_by_role("button", name="Prove you qualify")).to_be_focused()
    await page.reload()
    await expect(page.get_by_role("button", name="Prove you qualify")).to_be_visible()
    assert await page.evaluate("heard") == []


async def test_who_declines_is_told_that_nothing_was_shown(page: Page, venue: Venue, holder: Holder) -> None:
    await choose_phone(page)
    await holder.refuse(venue.made[0])
    assert (await hear(page))[0] == "declined"
    await expect(page.get_by_role("status")).to_have_text("You declined, so nothing was shown.")
    await page.get_by_role("button", name="Start again").click()
    await expect(page.get_by_role("heading", name="How do you want")).to_be_visible()


async def test_what_does_not_verify_or_runs_out_fails_in_plain_words(page: Page, venue: Venue, holder: Holder) -> None:
    await choose_phone(page)
    venue.answers = [{"state": "expired"}]
    name, detail = await hear(page)
    assert (name, detail["state"]) == ("failed", "expired")
    await expect(page.get_by_role("status")).to_contain_text("ran out")
    await page.evaluate("heard.length = 0")
    venue.answers = [{"state": "rejected", "message": "<b>Your screening</b> is too old.", "checks": []}]
    await page.get_by_role("button", name="Start again").click()
    await page.get_by_role("button", name="Use my phone").click()
    assert (await hear(page))[0] == "failed"
    await expect(page.get_by_role("status")).to_have_text("<b>Your screening</b> is too old.")


async def test_a_lost_connection_is_waited_out(
    page: Page, venue: Venue, holder: Holder, expected_errors: list[str]
) -> None:
    expected_errors += ["ERR_CONNECTION_FAILED", "status of 503"]
    await choose_phone(page)
    venue.out_of_order = [0, 503]
    await expect(page.get_by_role("status")).to_have_text("No connection. Trying again…")
    await page.evaluate("dispatchEvent(new Event('online'))")
    await holder.answer(venue.made[0])
    await page.evaluate("dispatchEvent(new Event('online'))")
    assert (await hear(page))[0] == "qualified"
    assert venue.out_of_order == []


@pytest.mark.parametrize("status", [500, 403])
async def test_a_platform_that_fails_at_the_start_is_not_asked_again(
    page: Page, venue: Venue, expected_errors: list[str], status: int
) -> None:
    expected_errors.append(f"status of {status}")
    venue.out_of_order = [status]
    await choose(page, "Use my phone")
    name, detail = await hear(page)
    assert (name, detail["state"]) == ("failed", "unavailable")
    assert venue.asked == []


async def test_two_tabs_wait_each_for_its_own(
    page: Page, context: BrowserContext, venue: Venue, holder: Holder
) -> None:
    other = await venue.open(context)
    for tab in (page, other):
        await choose_phone(tab)
    await holder.answer(venue.made[1])
    assert (await hear(other))[1]["id"] == venue.made[1]["id"]
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_role("status")).to_contain_text("Waiting for your wallet")
    assert await page.evaluate("heard") == []


async def test_a_wallet_app_may_come_back_in_a_tab_that_knows_nothing(
    page: Page, context: BrowserContext, venue: Venue, holder: Holder
) -> None:
    await choose(page, "Open a wallet app on this device")
    link = page.get_by_role("link", name="Open a wallet app on this device")
    await expect(link).to_have_attribute("href", re.compile("^openid4vp://"))
    returned = await holder.answer(venue.made[0])
    assert returned is not None
    tab = await venue.open(context, returned.removeprefix(venue.origin))
    assert (await hear(tab))[0] == "qualified"
    assert (await hear(page))[0] == "qualified"  # it went on asking


async def test_a_made_up_code_changes_nothing(
    context: BrowserContext, venue: Venue, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 404")
    venue.out_of_order = [404]
    page = await venue.open(context, "/en?response_code=made-up&view=1")
    await expect(page.get_by_role("button", name="Prove you qualify")).to_be_visible()
    assert page.url == f"{venue.origin}/en?view=1"
    assert await page.evaluate("heard") == []


@pytest.mark.parametrize("link", ["javascript:document.title='run'", "data:text/html,run"])
async def test_a_link_that_would_run_is_not_followed(page: Page, venue: Venue, link: str) -> None:
    venue.changes = {"wallet_link": link}
    await choose(page, "Open my web wallet")
    assert (await hear(page))[0] == "failed"
    assert await page.title() == "Units"


BROWSER = """
const known = {userAgentAllowsProtocol: (protocol) => protocol === "openid4vp-v1-signed"};
Object.defineProperty(globalThis, "DigitalCredential", {value: known});
if (navigator.credentials) navigator.credentials.get = async ({digital}) => {
  globalThis.carried = digital.requests;
  if (globalThis.closes) throw new DOMException("closed", "NotAllowedError");
  return {protocol: "openid4vp-v1-signed", data: {response: "x.y"}};
};"""


async def test_a_browser_that_finds_wallets_carries_request_and_answer(context: BrowserContext, venue: Venue) -> None:
    await context.add_init_script(BROWSER)
    page = await venue.open(context)
    venue.answers = [{"state": "verified"}]
    await choose(page, "Let this browser find my wallet")
    assert (await hear(page))[0] == "qualified"
    assert await page.evaluate("carried") == [venue.made[0]["dc_api_request"]]
    brought = {"protocol": "openid4vp-v1-signed", "data": {"response": "x.y"}}
    assert venue.asked[1]["body"] == {"id": venue.made[0]["id"], "dc_api": brought}
    await page.reload()
    await page.evaluate("globalThis.closes = true")
    await choose(page, "Let this browser find my wallet")
    assert (await hear(page))[0] == "declined"


async def test_it_speaks_the_language_of_its_page(context: BrowserContext, venue: Venue) -> None:
    page = await venue.open(context, "/zh-Hans")
    await page.get_by_role("button", name="证明您符合资格").click()
    await expect(page.get_by_role("heading", name="您想用哪种方式出示凭证？")).to_be_visible()
    assert await find_barriers(page) == []
    await page.get_by_role("button", name="使用我的手机").click()
    await expect(page.get_by_role("status")).to_contain_text("正在等待您的钱包")
