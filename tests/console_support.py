"""People at the pages of an organisation: accounts, and browsers without a screen."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any

import httpx2

from service.accounts.accounts import create_account
from service.accounts.sign_in_links import LIFETIME, make_sign_in_link
from service.storage.tables import Account
from tests.deployment import BASE_URL, Deployment, Member

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


async def add_account(
    deployment: Deployment, member: Member, *roles: str, name: str = "Ada Tester", language: str = "en"
) -> Account:
    """Record an account of an organisation."""
    async with deployment.context.database.transaction() as session:
        return await create_account(
            session,
            org_id=member.org_id,
            name=name,
            roles=roles,
            language=language,
            actor="test",
            now=deployment.clock(),
        )


async def make_link(deployment: Deployment, account: Account, lifetime: timedelta = LIFETIME) -> str:
    """Return the path of a new sign-in link."""
    async with deployment.context.database.transaction() as session:
        link = make_sign_in_link(
            session, account, base_url=BASE_URL, actor="test", now=deployment.clock(), lifetime=lifetime
        )
    return link.removeprefix(BASE_URL)


@dataclass
class Browser:
    """Keeps cookies, sends the hidden fields of forms and the headers that browsers send; follows no redirect."""

    http: httpx2.AsyncClient
    page: str = ""

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        answer = await self.http.get(path, **more)
        self.page = answer.text
        return answer

    async def post(
        self,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        origin: str | None = BASE_URL,
        hidden: bool = True,
        **more: Any,
    ) -> httpx2.Response:
        """Send a form with the hidden fields of the last page, or of the form on it that goes to ``path``."""
        headers = {} if origin is None else {"Origin": origin}
        fields = self.read_hidden(path) if hidden else {}
        answer = await self.http.post(path, data=fields | (data or {}), headers=headers, **more)
        if answer.headers.get("content-type", "").startswith("text/html"):
            self.page = answer.text
        return answer

    def read_hidden(self, action: str) -> dict[str, str]:
        """Return the hidden fields of the form that goes to ``action``, else of all of the page."""
        forms = re.findall(r"<form\b[^>]*>.*?</form>", self.page, flags=re.DOTALL)
        chosen = next((form for form in forms if f'action="{action}"' in form), self.page)
        return {name: unescape(value) for name, value in _HIDDEN.findall(chosen)}


def open_browser(deployment: Deployment) -> Browser:
    """Return a browser in which nobody is signed in."""
    transport = httpx2.ASGITransport(app=deployment.app, raise_app_exceptions=False)
    return Browser(httpx2.AsyncClient(transport=transport, base_url=BASE_URL))


async def sign_in(
    deployment: Deployment, member: Member, roles: Collection[str], *, name: str = "Ada Tester", language: str = "en"
) -> tuple[Browser, Account]:
    """Return a browser in which a new account is signed in."""
    account = await add_account(deployment, member, *roles, name=name, language=language)
    browser, link = open_browser(deployment), await make_link(deployment, account)
    await browser.get(link)
    answer = await browser.post(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console"), answer.text
    return browser, account
