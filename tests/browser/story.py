"""The steps of the whole flow as people click them, each in their own browser; for tests and for pictures.

Steps find what they press by the names of forms and fields, which are the same in every language; what people read is
checked by the tests.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from playwright.async_api import Page, expect

from service.demo import cases
from tests.browser.web_wallet import open_wallet

INCOME = {"income_y1": "250,117", "income_y2": "231,999.43"}


@dataclass(frozen=True)
class Offered:
    """What an issuer hands to an investor: a link, and by another way a code."""

    web_link: str
    code: str = ""


@dataclass(frozen=True)
class Desk:
    """Somebody of an issuer, signed in to its pages."""

    page: Page

    async def open_case(self, subject_ref: str) -> str:
        """Open a case of a qualified investor; returns its address."""
        await self.page.goto("/console/cases/new")
        await self.page.locator("#subject_ref").fill(subject_ref)
        await self.page.locator("input[name=type][value=qualified-investor]").check()
        await self._send("/console/cases")
        await self.page.wait_for_url(re.compile(r"/console/cases/case_\w+$"))
        return self.page.url

    async def review(self, case: str) -> None:
        """Enter figures of income; the page works them out."""
        await self.page.goto(case)
        await self.page.locator("#rule").select_option("us.ai.income")
        await self.page.locator("form[method=get] button").click()
        for name, value in INCOME.items():
            await self.page.locator(f"[name='field.{name}']").fill(value)
        await self.page.locator("[name='field.expects_same_current_year'][value=yes]").check()
        await self._send(f"{case}/review")
        await expect(self.page.locator("#result")).to_be_visible()

    async def approve(self, case: str) -> Offered:
        """Approve what somebody else reviewed; returns what goes to the investor."""
        await self.page.goto(case)
        done_on = (datetime.now(UTC) - timedelta(days=14)).date().isoformat()
        await self.page.locator("[name='field.method']").select_option("third_party")
        await self.page.locator("[name='field.steps_completed_on']").fill(done_on)
        await self.page.locator("[name=tx_code]").check()
        await self._send(f"{case}/approve")
        return await self._read_offer()

    async def revoke(self, subject_ref: str, reason: str) -> None:
        """Withdraw the only credential that was granted to a person here."""
        await self.page.goto(f"/console/credentials?ref={subject_ref}")
        await self.page.locator("main tbody a").click()
        await self.page.locator("main a[href$='/status?to=revoked']").click()
        await self.page.locator("#reason").fill(reason)
        await self.page.locator("main button.grave").click()
        await self.page.wait_for_url(re.compile(r"/console/credentials/cred_\w+$"))

    async def fill_in(self, kind: str, subject_ref: str, claims: dict[str, Any]) -> None:
        """Fill in the form of what needs no case, and ask to look at it."""
        await self.page.goto(f"/console/grants/{kind}")
        await self.page.locator("#subject_ref").fill(subject_ref)
        for name, value in claims.items():
            await self._fill(name, value)
        await self._send(f"/console/grants/{kind}")

    async def correct(self, kind: str, name: str, value: Any) -> None:
        """Correct one field of a form that came back, and ask to look at it again."""
        await self._fill(name, value)
        await self._send(f"/console/grants/{kind}")

    async def grant(self, kind: str) -> Offered:
        """Grant what the page shows; returns what goes to the investor."""
        await self._send(f"/console/grants/{kind}/make")
        return await self._read_offer()

    async def _fill(self, name: str, value: Any) -> None:
        fields = self.page.locator(f"[name='field.{name}']")
        if isinstance(value, bool):
            await self.page.locator(f"[name='field.{name}'][value={'yes' if value else 'no'}]").check()
        elif await fields.evaluate("field => field.tagName") == "SELECT":
            await fields.select_option(value)
        else:
            await fields.fill("\n".join(value) if isinstance(value, list) else str(value))

    async def _send(self, address: str) -> None:
        path = address[address.index("/console") :]
        await self.page.locator(f"form[method=post][action='{path}'] button").first.click()

    async def _read_offer(self) -> Offered:
        code = await self.page.locator("#tx-code").inner_text()
        return Offered(await self.page.locator("#link").input_value(), code)


def attest_identity(**changes: Any) -> dict[str, Any]:
    """Claims of a person of the United States, as an officer enters them."""
    known = cases.identity_of_us_person(datetime.now(UTC).date())
    wanted = ("given_name", "family_name", "birthdate", "country", "state", "us_person", "loa")
    return {name: known[name] for name in wanted} | {"age_over_18": True} | changes


def attest_screening() -> dict[str, Any]:
    """Claims of a screening an hour ago."""
    screened_at = datetime.now(UTC) - timedelta(hours=1)
    return {
        "result": "clear",
        "screened_at": f"{screened_at:%Y-%m-%dT%H:%M}",
        "lists": cases.LISTS,
        "pep": False,
        "edd_done": False,
    }


async def open_offer(page: Page, offered: Offered) -> None:
    """Follow an issuer's link into the web wallet."""
    await page.goto(offered.web_link)
    address = await page.locator("a[href^='/wallet/']").get_attribute("href")
    await open_wallet(page, urljoin(offered.web_link, address))
    await page.locator("main button.primary").wait_for()


async def accept(page: Page, offered: Offered) -> None:
    """Accept what an issuer offers."""
    await open_offer(page, offered)
    if offered.code:
        await page.locator("main input").fill(offered.code)
    await page.locator("main button.primary").click()
    await page.locator("main a[href^='#/credential/']").first.wait_for()


async def press_button(page: Page, origin: str) -> None:
    """Press the platform's button and choose the web wallet."""
    await page.goto(origin)
    await page.locator("prove-you-qualify button").click()
    await page.locator("prove-you-qualify button.main").click()
    await page.wait_for_url("**/wallet/**")


async def refuse(page: Page, origin: str) -> None:
    """Say no in the web wallet, and go back to the platform."""
    await press_button(page, origin)
    await page.locator("main button.primary + button").click()
    await page.locator(f"main a[href='{origin}/']").click()
    await page.wait_for_url(f"{origin}/")


async def prove(page: Page, origin: str) -> None:
    """Press the platform's button, share in the web wallet, and come back."""
    await press_button(page, origin)
    await page.locator("main button.primary").click()
    await page.wait_for_url(f"{origin}/")
    await expect(page.locator("section .good")).to_be_visible()


async def buy(page: Page, origin: str) -> None:
    """Buy ten units at the sample platform; the page then shows the decision."""
    await page.goto(origin)
    await page.locator("form[action='/orders'] button").click()
    await page.wait_for_url("**/orders/*")
