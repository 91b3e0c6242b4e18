"""The whole way by clicks: an investor's proof from issuer to platform, a purchase, a withdrawal, a refusal."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from service.cli.sample_platform import build_sample_platform
from service.settings import Settings
from tests.browser.conftest import NewContext
from tests.browser.web_wallet import Person
from tests.interop.support import Deployment
from tests.loopback import serving

TYPES = ("kyc", "aml-screening", "qualified-investor")


@pytest.fixture(scope="module")
def origin(deployment: Deployment) -> Iterator[str]:
    settings = Settings(base_url=deployment.base_url, data_dir=deployment.folder / "data")
    with serving(lambda base: build_sample_platform(settings, int(base.rpartition(":")[2])), lifespan="on") as origin:
        yield origin


async def test_who_declines_comes_back_with_nothing_shown(
    new_context: NewContext, origin: str, deployment: Deployment
) -> None:
    page = await (await new_context()).new_page()
    person = Person(page, deployment, "decliner")
    for name in TYPES:
        await person.accept(await person.offer(name))
    await open_wallet_from(page, origin)
    await page.get_by_role("button", name="Don't share").click()
    await page.get_by_role("link", name="localhost").click()
    await expect(page.get_by_role("status")).to_have_text("You declined, so nothing was shown.")
    await page.get_by_role("button", name="Start again").click()
    await page.get_by_role("button", name="Open my web wallet").click()
    await page.get_by_role("button", name="Share", exact=True).click()
    await expect(page.get_by_text("You have shown all that this offering asks for")).to_be_visible()
    assert page.url == f"{origin}/"


async def open_wallet_from(page: Page, origin: str) -> None:
    await page.goto(origin)
    await page.get_by_role("button", name="Prove you qualify").click()
    await page.get_by_role("button", name="Open my web wallet").click()
    await page.wait_for_url("**/wallet/**")
