"""``make screenshots``: play the whole flow in a browser and keep a picture of each page in docs/screenshots/."""

import asyncio
import io
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from service.cli.sample_platform import build_sample_platform
from service.demo.processes import free_port, running_service
from service.settings import Settings
from tests.browser import story
from tests.browser.chromium import ARGUMENTS, find_chromium
from tests.browser.people import People, open_link, open_people
from tests.browser.story import Desk
from tests.browser.web_wallet import Person
from tests.interop.support import Deployment, new_fetcher
from tests.loopback import serving

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
DESK = {"width": 1100, "height": 760}
PHONE = {"width": 390, "height": 780}
COLOURS = 64
MAX_BYTES = 150_000
MAX_HEIGHT = 1400


@dataclass(frozen=True)
class Studio:
    """Where the pictures are taken."""

    browser: Browser
    deployment: Deployment
    people: People
    origin: str

    async def open(
        self, language: str = "en", viewport: dict[str, int] = DESK, scheme: str = "light"
    ) -> BrowserContext:
        """Return a new person's browser."""
        return await self.browser.new_context(
            base_url=self.deployment.base_url,
            locale={"en": "en-US", "zh": "zh-CN"}[language],
            viewport=viewport,
            color_scheme=scheme,
            reduced_motion="reduce",
        )

    async def sign_in(self, organization: str, role: str, language: str = "en") -> Desk:
        """Return the desk of a new account."""
        link = await self.people.add(organization, f"Demo {role}", role, language=language)
        return Desk(await open_link(await self.open(language), link, language))


async def shoot(page: Page, name: str) -> None:
    """Keep a picture of a page as it stands, in few colours: flat pages need no more."""
    height = min(MAX_HEIGHT, await page.evaluate("document.documentElement.scrollHeight"))
    width = page.viewport_size["width"] if page.viewport_size else DESK["width"]
    raw = await page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
    picture = Image.open(io.BytesIO(raw)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    file = FOLDER / f"{name}.png"
    picture.save(file, optimize=True)
    size = file.stat().st_size
    print(f"{name}: {size:,} bytes")
    if size > MAX_BYTES:
        raise SystemExit(f"{name} is larger than {MAX_BYTES:,} bytes.")


async def shoot_issuer(studio: Studio) -> list[story.Offered]:
    """A case from opened to approved, and an identity from a form; returns what goes to the investor."""
    officer, approver = [await studio.sign_in("accreditor", role) for role in ("officer", "approver")]
    await shoot(officer.page, "console-home")
    case = await officer.open_case("client-1")
    await officer.review(case)
    await shoot(officer.page, "issuer-case")
    await officer.page.goto("/console/cases")
    await shoot(officer.page, "issuer-cases")
    accredited = await approver.approve(case)
    await shoot(approver.page, "issuer-offer")
    identity = await studio.sign_in("kyc", "officer")
    await identity.fill_in("kyc", "client-1", story.attest_identity())
    await shoot(identity.page, "issuer-grant-preview")
    known = await identity.grant("kyc")
    await identity.fill_in("aml-screening", "client-1", story.attest_screening())
    return [known, await identity.grant("aml-screening"), accredited]


async def shoot_investor(studio: Studio, offers: list[story.Offered]) -> None:
    """The wallet on a phone, and the platform before and after."""
    context = await studio.open(viewport=PHONE)
    page = await context.new_page()
    await page.goto(studio.origin)
    await shoot(page, "platform-units")
    await page.locator("prove-you-qualify button").click()
    await shoot(page, "button-ways")
    await page.locator("prove-you-qualify button", has_text="Use my phone").click()
    await page.locator("prove-you-qualify img").evaluate("image => image.decode()")
    await shoot(page, "button-code")
    await page.locator("prove-you-qualify button", has_text="Stop waiting").click()
    await story.open_offer(page, offers[0])
    await shoot(page, "wallet-offer")
    for offered in offers:
        await story.accept(page, offered)
    await page.goto(f"{studio.deployment.base_url}/wallet/#/")
    await page.locator("main h1").wait_for()
    await shoot(page, "wallet-home")
    await story.press_button(page, studio.origin)
    await page.locator("main button.primary").wait_for()
    await shoot(page, "wallet-request")
    await page.locator("main button.primary").click()
    await page.wait_for_url(f"{studio.origin}/")
    await story.buy(page, studio.origin)
    await shoot(page, "platform-permit")
    officer = await studio.sign_in("accreditor", "officer")
    await officer.revoke("client-1", "The confirmation was withdrawn.")
    await shoot(officer.page, "issuer-credential")
    await story.buy(page, studio.origin)
    await shoot(page, "platform-deny")


async def shoot_in_chinese(studio: Studio) -> None:
    """The same in Chinese, in the dark."""
    context = await studio.open("zh", PHONE, "dark")
    page = await context.new_page()
    person = Person(page, studio.deployment, "client-2")
    for name in ("kyc", "aml-screening", "qualified-investor"):
        await story.accept(page, story.Offered((await person.offer(name))["web_link"]))
    await page.goto(studio.origin)
    await shoot(page, "platform-units-zh")
    await story.press_button(page, studio.origin)
    await page.locator("main button.primary").wait_for()
    await shoot(page, "wallet-request-zh")


async def shoot_platform(studio: Studio) -> None:
    """The platform's own pages."""
    desk = await studio.sign_in("platform", "officer")
    for address, name in (
        ("/console/securities", "console-securities"),
        ("/console/decisions", "console-decisions"),
    ):
        await desk.page.goto(address)
        await shoot(desk.page, name)
    await desk.page.locator("main a[href^='/console/decisions/trf_']").first.click()
    await desk.page.wait_for_url("**/trf_*")
    await shoot(desk.page, "console-decision")


@asynccontextmanager
async def open_studio(folder: Path) -> AsyncIterator[Studio]:
    """Run a deployment, the sample platform and a browser."""
    settings = {
        "GOODSTANDING_BASE_URL": f"http://localhost:{free_port()}",
        "GOODSTANDING_DATA_DIR": str(folder / "data"),
    }
    fetcher = new_fetcher()
    async with running_service(fetcher, settings, folder / "service.log", "--seed"), async_playwright() as playwright:
        deployment = Deployment(settings, folder, fetcher, json.loads((folder / "data" / "seed.json").read_text()))
        people = open_people(deployment)
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        ours = Settings(base_url=deployment.base_url, data_dir=folder / "data")
        with serving(lambda base: build_sample_platform(ours, int(base.rpartition(":")[2])), lifespan="on") as origin:
            yield Studio(browser, deployment, people, origin)
        await browser.close()
        await people.close()
    await fetcher.close()


async def take_pictures() -> None:
    """Take them all anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="goodstanding-screenshots-") as folder:
        async with open_studio(Path(folder)) as studio:
            await shoot_investor(studio, await shoot_issuer(studio))
            await shoot_in_chinese(studio)
            await shoot_platform(studio)


if __name__ == "__main__":
    sys.exit(asyncio.run(take_pictures()))
