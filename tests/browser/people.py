"""Accounts at the seeded organisations, made in the deployment's own database, and browsers in which they sign in."""

from dataclasses import dataclass

from playwright.async_api import BrowserContext, Page

from service.accounts.accounts import create_account
from service.accounts.sign_in_links import make_sign_in_link
from service.composition import build_context
from service.settings import Settings
from service.web.context import Context
from tests.interop.support import Deployment

PRESS = {"en": "Sign in", "zh": "登录"}


@dataclass(frozen=True)
class People:
    """Makes accounts; one for a file of tests."""

    context: Context
    deployment: Deployment

    async def add(self, organization: str, name: str, *roles: str, language: str = "en") -> str:
        """Make an account at a seeded organisation and return a link that signs it in."""
        org_id = self.deployment.seed["organizations"][organization]["org_id"]
        now = self.context.clock()
        async with self.context.database.transaction() as session:
            account = await create_account(
                session, org_id=org_id, name=name, roles=roles, language=language, actor="test", now=now
            )
            await session.flush()
            return make_sign_in_link(session, account, base_url=self.context.base_url, actor="test", now=now)

    async def close(self) -> None:
        await self.context.fetcher.close()
        await self.context.database.close()


def open_people(deployment: Deployment) -> People:
    """Open the deployment's database beside the service."""
    names = {name.removeprefix("GOODSTANDING_").lower(): value for name, value in deployment.settings.items()}
    return People(build_context(Settings(_env_file=None, **names)), deployment)


async def open_link(context: BrowserContext, link: str, language: str = "en") -> Page:
    """Return a page on which the person of a link is signed in."""
    page = await context.new_page()
    await page.goto(link)
    await page.get_by_role("button", name=PRESS[language], exact=True).click()
    await page.wait_for_url("**/console")
    return page
