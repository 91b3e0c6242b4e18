"""One Chromium and one real deployment for a process of the run; every page is watched for errors."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from service.demo.processes import free_port, running_service
from tests.browser.chromium import ARGUMENTS, find_chromium
from tests.browser.watch import Watch
from tests.interop.support import Deployment, new_fetcher

PATIENCE_MS = 20_000  # of a busy machine; what holds is seen at once
expect.set_options(timeout=PATIENCE_MS)

NewContext = Callable[..., Awaitable[BrowserContext]]

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run this folder's tests on one loop: the browser and what talks to it live on it."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, which finds no host but this one."""
    program = find_chromium()
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield running
        await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def deployment(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """Our service with the seeded organisations, in a process of its own."""
    folder = tmp_path_factory.mktemp("browser")
    settings = {
        "GOODSTANDING_BASE_URL": f"http://localhost:{free_port()}",
        "GOODSTANDING_DATA_DIR": str(folder / "data"),
    }
    fetcher = new_fetcher()
    async with running_service(fetcher, settings, folder / "service.log", "--seed"):
        seed = json.loads((folder / "data" / "seed.json").read_text())
        yield Deployment(settings, folder, fetcher, seed)
    await fetcher.close()


@pytest.fixture
def base_url(deployment: Deployment) -> str:
    """Address of the deployment, on which addresses like ``/console`` are opened."""
    return deployment.base_url


@pytest.fixture
def expected_errors() -> list[str]:
    """Regular expressions of what this test's pages may complain of; a test appends to it."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def new_context(browser: Browser, base_url: str, expected_errors: list[str]) -> AsyncIterator[NewContext]:
    """Make a context, a person's browser with nothing in it; options are Playwright's ``new_context``.

    Whatever its pages complain of (an uncaught error, a console error, a breach of a content policy, a request
    beyond this machine) fails the test, unless ``expected_errors`` has it.
    """
    made: list[BrowserContext] = []
    watch = Watch()

    async def make(**options: Any) -> BrowserContext:
        context = await browser.new_context(**{"base_url": base_url, "reduced_motion": "reduce", **options})
        context.set_default_timeout(PATIENCE_MS)
        watch.over(context)
        made.append(context)
        return context

    yield make
    for context in made:
        await context.close()
    assert watch.unexpected(expected_errors) == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_context: NewContext) -> Page:
    """A page in a context of its own."""
    return await (await new_context()).new_page()
