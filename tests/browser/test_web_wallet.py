"""The web wallet in a real browser, with real issuers and a real platform: what works, and what bad input says."""

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.web_wallet import Person, name_person
from tests.interop.support import Deployment


@pytest_asyncio.fixture(loop_scope="session")
async def person(page: Page, deployment: Deployment) -> Person:
    """Somebody with an empty wallet."""
    return Person(page, deployment, name_person())


async def test_three_credentials_are_received_and_shown_and_the_trade_is_permitted(person: Person) -> None:
    await person.accept(await person.offer("kyc", tx_code=True))
    await person.accept(await person.offer("aml-screening"))
    await person.accept(await person.offer("qualified-investor"))
    request = await person.ask(purpose="us.506c", response_mode="direct_post.jwt")
    await person.open_request(request)
    main = person.page.locator("main")
    await expect(main).to_contain_text("Purpose")
    await expect(main).to_contain_text("Stays hidden")
    assert await find_barriers(person.page) == []
    hidden = await person.page.locator(".hidden-claims").all_inner_texts()
    assert any("Family name" in text and "Date of birth" in text for text in hidden)
    await person.page.get_by_role("button", name="Share", exact=True).click()
    await expect(person.page.get_by_role("heading", name="Done")).to_be_visible()
    verdict = await person.verdict(request)
    assert verdict["state"] == "verified"
    assert "family_name" not in str(verdict["credentials"])
    assert (await person.buy())["outcome"] == "permit"
