"""A person with the web wallet, and the issuers and the platform that they deal with."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import quote

from playwright.async_api import Page, expect

from service.demo import cases
from service.demo.client import OrganizationClient
from tests.interop.support import Deployment

_numbers = count(1)


def address_of(kind: str, link: str) -> str:
    """Return the wallet's address for a link, as pages write it."""
    return f"/wallet/#{kind}={quote(link, safe='')}"


@dataclass(frozen=True)
class Person:
    """One investor, the reference that the parties know them by, and the page in their browser."""

    page: Page
    deployment: Deployment
    ref: str

    async def open_offer(self, offer: dict[str, Any]) -> None:
        await open_wallet(self.page, address_of("offer", offer["deep_link"]))

    async def accept(self, offer: dict[str, Any]) -> None:
        """Accept an offer, to its end."""
        await self.open_offer(offer)
        if offer.get("tx_code"):
            await self.page.get_by_label("Code from the issuer").fill(offer["tx_code"])
        await self.page.get_by_role("button", name="Accept").click()
        await expect(self.page.get_by_role("heading", name="Credential received")).to_be_visible()

    async def open_request(self, request: dict[str, Any]) -> None:
        await open_wallet(self.page, address_of("request", request["deep_link"]))

    async def share(self, request: dict[str, Any]) -> None:
        """Answer a request, to its end."""
        await self.open_request(request)
        await self.page.get_by_role("button", name="Share", exact=True).click()
        await expect(self.page.get_by_role("heading", name="Done")).to_be_visible()

    async def offer(self, configuration: str, claims: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Have an issuer of the seed offer a credential."""
        now = datetime.now(UTC)
        made = {
            "kyc": lambda: cases.identity_of_us_person(now.date()),
            "aml-screening": lambda: cases.screening(now),
            "qualified-investor": lambda: cases.accreditation(now.date()),
        }
        issuer = self.deployment.accreditor if configuration == "qualified-investor" else self.deployment.kyc
        body = {
            "credential_configuration_id": configuration,
            "claims": claims or made[configuration](),
            "subject_ref": f"case-{self.ref}",
            "tx_code": False,
            **more,
        }
        offer: dict[str, Any] = await issuer.post("/v1/credential-offers", body, key=f"offer-{next(_numbers)}")
        return offer

    async def ask(self, **body: Any) -> dict[str, Any]:
        """Have the platform ask for a presentation."""
        sent = {"investor_ref": self.ref, **body}
        request: dict[str, Any] = await self.deployment.platform.post(
            "/v1/presentation-requests", sent, key=f"ask-{next(_numbers)}"
        )
        return request

    async def verdict(self, request: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await self.deployment.platform.get(f"/v1/presentation-requests/{request['id']}")
        return found

    async def buy(self) -> dict[str, Any]:
        """Have the platform ask whether this person may buy."""
        seeded = self.deployment.seed["organizations"]["platform"]
        gate = OrganizationClient(self.deployment.fetcher, self.deployment.base_url, seeded, "gate")
        security = seeded["securities"]["demo"]
        body = cases.purchase(security["id"], security["offerings"]["us.506c"], self.ref)
        decision: dict[str, Any] = await gate.post("/v1/transfers", body, key=f"trade-{next(_numbers)}")
        return decision

    async def run(self, script: str, value: Any = None) -> Any:
        """Evaluate an async function of the wallet's own page; ``load(name)`` imports a module."""
        text = await self.page.evaluate(
            f"async (value) => {{ const load = (name) => import('/wallet/' + name);"
            f" return JSON.stringify(await ({script})(load, value) ?? null); }}",
            value,
        )
        return json.loads(text)


async def open_wallet(page: Page, address: str) -> None:
    """Open an address of the wallet, in the page that is there already if it is the wallet's; wait until it shows."""
    await page.goto(address)
    await page.locator("main:not([aria-busy])").locator("h1").first.wait_for()


def name_person() -> str:
    return f"person-{next(_numbers)}"
