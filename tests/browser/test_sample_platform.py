"""The sample platform by clicks: proof, purchase, refusal in plain words, and what others can't do with it."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from service.cli.sample_platform import build_sample_platform
from service.settings import Settings
from tests.browser.accessibility import find_barriers
from tests.browser.conftest import NewContext
from tests.browser.holder import Holder
from tests.interop.support import Deployment
from tests.loopback import serving


@pytest.fixture(scope="module")
def origin(deployment: Deployment) -> Iterator[str]:
    settings = Settings(base_url=deployment.base_url, data_dir=deployment.folder / "data")
    with serving(lambda base: build_sample_platform(settings, int(base.rpartition(":")[2])), lifespan="on") as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def holder(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Holder:
    home: Path = tmp_path_factory.mktemp("holder") / "wallet"
    holder = Holder(deployment, home)
    await holder.receive_all()
    return holder


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_context: NewContext, origin: str) -> Page:
    page = await (await new_context(base_url=origin, color_scheme="dark")).new_page()
    await page.goto("/")
    return page


async def prove(page: Page, holder: Holder) -> None:
    """Show by phone what is asked for."""
    await page.get_by_role("button", name="Prove you qualify").click()
    async with page.expect_response("**/my/start") as started:
        await page.get_by_role("button", name="Use my phone").click()
    await page.get_by_role("img").evaluate("image => image.decode()")
    await holder.answer(await (await started.value).json())
    await expect(page.get_by_text("You have shown all that this offering asks for")).to_be_visible()


async def test_an_investor_proves_buys_and_is_refused_after_a_revocation(
    page: Page, holder: Holder, deployment: Deployment
) -> None:
    await page.get_by_role("button", name="Buy", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("This purchase can’t go ahead")
    await expect(page.get_by_text("You have not shown that your identity was checked.")).to_be_visible()
    assert await find_barriers(page) == []
    await page.get_by_role("link", name="Show your proof").click()
    await prove(page, holder)
    assert await find_barriers(page) == []
    await page.get_by_role("button", name="Buy", exact=True).click()
    await expect(page.get_by_text("No restriction found under rules")).to_contain_text("with facts sha256:")
    await expect(page.get_by_text("approved")).to_have_count(0)
    assert await find_barriers(page) == []
    await page.get_by_role("button", name="Complete the purchase").click()
    await expect(page.get_by_text("Completed. The units are yours")).to_be_visible()
    await holder.revoke_accreditation()
    await page.get_by_role("link", name="Back to Demo Units").click()
    await expect(page.get_by_text("Qualified investor: withdrawn by its issuer")).to_be_visible()
    await page.get_by_role("link", name="中文").click()
    await page.get_by_role("button", name="购买", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("本次购买无法进行")
    await expect(page.get_by_text("您的一项凭证已被签发机构撤销。")).to_be_visible()
    assert await find_barriers(page) == []


async def test_a_form_sent_twice_is_one_order_and_strangers_send_none(page: Page, origin: str) -> None:
    form = await page.locator("form[action='/orders']").evaluate("f => Object.fromEntries(new FormData(f))")
    [cookie] = await page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    headers = {"Origin": origin, "Cookie": f"{cookie['name']}={cookie['value']}"}
    async with httpx2.AsyncClient(base_url=origin, headers=headers) as client:
        first, second = [await client.post("/orders", data=form) for _ in range(2)]
        assert (first.status_code, first.headers["location"]) == (303, second.headers["location"])
        order = first.headers["location"]
        assert (await client.get(order)).status_code == 200
        odd = [{**form, "quantity": quantity} for quantity in ("0", "-1", "1.5", "²", "", "9" * 30, "00", "1000001")]
        assert [(await client.post("/orders", data=each)).status_code for each in odd] == [422] * 8
        padded = await client.post("/orders", data={**form, "quantity": "0000000010"})
        assert padded.headers["location"] == order  # ten, not what its first digits say
        another = await client.post("/orders", data={**form, "quantity": "11"})  # from a page that was gone back to
        assert another.status_code == 303
        assert another.headers["location"] != order
        stranger = {"Origin": "http://localhost:9"}
        assert (await client.post("/orders", data=form, headers=stranger)).status_code == 403
        assert (await client.post("/my/start", json={"way": "web"}, headers=stranger)).status_code == 403
        assert (await client.post("/orders", data={**form, "form_token": "x"})).status_code == 403
        assert (await client.post("/my/start", content=b'{"way": "web"}')).status_code == 403  # a form could say so
        made = (await client.post("/my/start", json={"way": "web", "purpose": "other"})).json()
        told = await client.get("/my/status", params={"id": made["id"]})
        assert told.json().keys() == {"id", "state", "checks"}
        assert (await client.post("/my/status", json={"response_code": "made-up"})).status_code == 422
        other = (await client.get("/", headers={"Cookie": ""})).headers["set-cookie"].partition(";")[0]
        client.headers["Cookie"] = other  # another browser, with a session of its own
        assert (await client.get(order)).status_code == 404
        assert (await client.get("/my/status", params={"id": made["id"]})).status_code == 404


async def test_it_fits_narrow_screens_in_chinese(
    new_context: NewContext, origin: str, expected_errors: list[str]
) -> None:
    page = await (await new_context(base_url=origin, viewport={"width": 320, "height": 640})).new_page()
    await page.goto("/?lang=zh")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await find_barriers(page) == []
    expected_errors.append("status of 404")
    await page.goto("/orders/trf_unknown")
    await expect(page.get_by_role("heading", level=1)).to_have_text("这里没有内容")
