"""The web wallet as an app: it opens without a connection, keeps its own files alone, and changes only when asked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.wallet.web_api import FOLDER, WORKER, StaticFile, build_policy, load_files
from service.wallet.worker import build_worker
from tests.browser.conftest import NewContext
from tests.loopback import serving

CONTROLLED = "navigator.serviceWorker.ready.then(() => true)"
LATE_MS = 20_000  # Chromium may put the look for a newer worker off by some seconds after a page was loaded
KEPT = """async () => {
  const names = await caches.keys();
  const lists = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys())));
  return lists.map((list) => list.map(({url}) => new URL(url).pathname).sort());
}"""


@dataclass
class Site:
    """A server of the wallet's files that may be given newer ones, and remembers what it was asked for."""

    base_url: str = ""
    newer: dict[str, bytes] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def read(self, name: str) -> StaticFile | None:
        file = load_files().get(name)
        if file is None or not self.newer or name not in (WORKER, *self.newer):
            return file
        return StaticFile(file.media_type, self._worker() if name == WORKER else self.newer[name], b"", "")

    def _worker(self) -> bytes:
        files = {name: file.content for name, file in load_files().items() if name != WORKER}
        return build_worker((FOLDER / WORKER).read_bytes(), files | self.newer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = Request(scope).url.path
        self.asked.append(path)
        name = path.removeprefix("/wallet/") or "index.html"
        file = self.read(name) if path.startswith("/wallet/") else None
        response = Response(status_code=404)
        if file is not None:
            content = b"damaged" if name in self.damaged else file.content
            headers = {"Content-Security-Policy": build_policy(self.base_url), "Cache-Control": "no-cache"}
            response = Response(content, media_type=file.media_type, headers=headers)
        await response(scope, receive, send)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    with serving(lambda _: site) as base_url:
        site.base_url = base_url
        yield site


@pytest.fixture
def base_url(site: Site) -> str:
    site.newer.clear()
    site.damaged.clear()
    site.asked.clear()
    return site.base_url


async def open_app(context: BrowserContext) -> Page:
    page = await context.new_page()
    await page.goto("/wallet/")
    assert await page.evaluate(CONTROLLED)
    await page.reload()
    return page


async def test_opens_without_a_connection(new_context: NewContext) -> None:
    context = await new_context()
    page = await open_app(context)
    await context.set_offline(True)
    for fragment in ("", "#/settings", "#/history"):
        await page.goto(f"/wallet/{fragment}")
        await page.reload()
        await expect(page.locator("h1")).to_be_visible()
    assert await page.title() != ""


async def test_keeps_its_own_files_and_nothing_else(
    new_context: NewContext, site: Site, expected_errors: list[str]
) -> None:
    expected_errors.append("404")
    page = await open_app(await new_context())
    own = {"/wallet/" + ("" if name == "index.html" else name) for name in load_files()}
    expected = sorted(path for path in own if not path.endswith((".txt", "/sw.js")))
    assert await page.evaluate(KEPT) == [expected]
    site.asked.clear()
    for path in ("/wallet/app.js", "/issuers/kyc/jwks", "/issuers/kyc/jwks", "/wallet/other"):
        await page.evaluate("(path) => fetch(path).then(({status}) => status)", path)
    assert [each for each in site.asked if each != "/wallet/sw.js"] == ["/issuers/kyc/jwks"] * 2 + ["/wallet/other"]
    assert await page.evaluate(KEPT) == [expected]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_can_be_installed_in_each_language(new_context: NewContext, language: str) -> None:
    context = await new_context(locale={"en": "en-GB", "zh": "zh-CN"}[language])
    page = await open_app(context)
    await expect(page.locator("#manifest")).to_have_attribute("href", f"manifest.{language}.webmanifest")
    session = await context.new_cdp_session(page)
    manifest: dict[str, Any] = await session.send("Page.getAppManifest")
    assert manifest["url"].endswith(f"manifest.{language}.webmanifest")
    assert manifest["errors"] == []
    assert (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"] == [
        {"errorId": "in-incognito", "errorArguments": []}  # as every context of a test is
    ]


async def test_a_newer_version_waits_until_it_is_asked_for(new_context: NewContext, site: Site) -> None:
    context = await new_context()
    page, other = await open_app(context), await context.new_page()
    await other.goto("/wallet/")
    site.newer["languages/en.json"] = load_files()["languages/en.json"].content.replace(
        b"Goodstanding wallet", b"Newer"
    )
    await page.reload()
    await expect(page.locator("#update")).to_contain_text("newer version", timeout=LATE_MS)
    assert "Newer" not in await page.title()
    await page.get_by_role("button", name="Use it now").click()
    await expect(page).to_have_title("Your credentials – Newer")
    await expect(other.locator("#update")).to_contain_text("another tab")
    assert "Newer" not in await other.title()
    assert len(await page.evaluate(KEPT)) == 1


async def test_a_file_that_is_not_what_was_listed_changes_nothing(
    new_context: NewContext, site: Site, expected_errors: list[str]
) -> None:
    expected_errors.append("integrity")
    context = await new_context()
    page = await open_app(context)
    site.newer["app.js"] = load_files()["app.js"].content + b"\n"
    site.damaged.add("app.js")
    failed = """async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update().catch(() => undefined);
      const worker = registration.installing;
      if (worker) await new Promise((resolve) => worker.addEventListener('statechange', resolve));
      return [worker?.state, registration.waiting];
    }"""
    assert await page.evaluate(failed) == ["redundant", None]
    await context.set_offline(True)
    await page.reload()
    await expect(page.locator("h1")).to_be_visible()
