"""A registrar with a security of two offerings, and investors whose standing comes from real presentations."""

from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2

from service.gate.reconciliation import Difference, reconcile
from tests.deployment import Deployment, Member
from tests.verifying_support import Platform, Scene, Wallet, build_scene

SECURITY = {"name": "Sample Notes", "issuer": "ISS-1", "currency": "USD", "issued_quantity": "1000000"}
REG_D = {"regime": "us.506c", "reporting": False, "class_outstanding_since": "2025-01-01", "security": "equity"}
REG_S = {
    "regime": "us.reg_s",
    "category": 3,
    "security": "equity",
    "issuer_domestic": True,
    "reporting": False,
    "dcp_start": "2026-10-01",
    "class_outstanding_since": "2026-10-01",
}
OFFSHORE = {"buyer": {"offshore": True, "regs_certified": True}}
NON_US: dict[str, Any] = {"sub": "subject-abroad", "country": "DE", "state": None, "us_person": False}
_keys = count(1)


@dataclass
class Market:
    """A platform that is its own registrar, seen through /v1 with every scope that it asks for."""

    scene: Scene
    member: Member
    security_id: str = "note"

    @property
    def deployment(self) -> Deployment:
        return self.scene.deployment

    async def call(
        self, method: str, path: str, body: Any = None, *, scopes: str = "gate compliance", **headers: str
    ) -> httpx2.Response:
        access = await self.deployment.headers(self.member, *scopes.split())
        return await self.deployment.http.request(method, path, json=body, headers=access | headers)

    async def put_security(self, **changes: Any) -> None:
        answer = await self.call("PUT", f"/v1/securities/{self.security_id}", SECURITY | changes)
        assert answer.status_code in (200, 201), answer.text

    async def put_offering(self, offering_id: str, terms: dict[str, Any]) -> None:
        answer = await self.call("PUT", f"/v1/securities/{self.security_id}/offerings/{offering_id}", terms)
        assert answer.status_code in (200, 201), answer.text

    async def open_lot(self, ref: str, quantity: int, **changes: Any) -> None:
        lot = {
            "investor_ref": ref,
            "offering_id": "reg-d",
            "quantity": str(quantity),
            "acquired_on": "2024-01-10",
            "from": "issuer",
        } | changes
        answer = await self.call("POST", f"/v1/securities/{self.security_id}/positions", {"lots": [lot]})
        assert answer.status_code == 201, answer.text

    def buy(self, ref: str, quantity: int = 100, **changes: Any) -> dict[str, Any]:
        """Return a request for a primary sale under Reg D."""
        return {
            "security_id": self.security_id,
            "offering_id": "reg-d",
            "action": "primary",
            "seller": None,
            "buyer": {"investor_ref": ref},
            "quantity": str(quantity),
            "price": {"amount": "1000.00", "currency": "USD"},
        } | changes

    def sell(self, seller: str, buyer: str, quantity: int = 100, **changes: Any) -> dict[str, Any]:
        """Return a request for a resale by somebody who is no affiliate."""
        resale = {
            "action": "secondary",
            "offering_id": None,
            "seller": {"investor_ref": seller},
            "trade": {"seller": {"affiliate": False}, "general_solicitation": False},
        }
        return self.buy(buyer, quantity, **resale | changes)

    async def post(self, request: dict[str, Any], *, key: str | None = None, scopes: str = "gate compliance") -> Any:
        headers = {"Idempotency-Key": key or f"key-{next(_keys)}"}
        return await self.call("POST", "/v1/transfers", request, scopes=scopes, **headers)

    async def decide(self, request: dict[str, Any], **how: Any) -> dict[str, Any]:
        answer = await self.post(request, **how)
        assert answer.status_code == 200, answer.text
        decision: dict[str, Any] = answer.json()
        return decision

    async def settle(self, decision: dict[str, Any], reference: str = "done", **how: Any) -> httpx2.Response:
        return await self.call("POST", f"/v1/transfers/{decision['id']}/settle", {"reference": reference}, **how)

    async def void(self, decision: dict[str, Any], **how: Any) -> httpx2.Response:
        return await self.call("POST", f"/v1/transfers/{decision['id']}/void", {"reason": "given up"}, **how)

    async def read(self, path: str, **how: Any) -> Any:
        answer = await self.call("GET", path, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def positions(self) -> dict[str, str]:
        found = await self.read(f"/v1/securities/{self.security_id}/positions")
        return {each["investor_ref"]: each["quantity"] for each in found["data"]}

    async def holders(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.read(f"/v1/securities/{self.security_id}/holders")
        return found

    async def screen(self, ref: str, result: str = "clear") -> None:
        """Let the platform screen the investor now."""
        screening = {"result": result, "screened_at": self.deployment.clock().isoformat(), "lists": ["ofac-sdn@2"]}
        await self.put_investor(ref, screening=screening)

    async def put_investor(self, ref: str, **body: Any) -> None:
        answer = await self.scene.platform.call("PUT", f"/v1/investors/{ref}", body)
        assert answer.status_code in (200, 201), answer.text

    async def admit(self, ref: str, wallet: Wallet | None = None, *, purpose: str = "us.506c", **kyc: Any) -> Wallet:
        """Let an investor present what a purpose asks for."""
        wallet = wallet or await self.scene.new_wallet(**({"sub": f"subject-{ref}"} | kyc))
        made = await self.scene.platform.ask(purpose=purpose, investor_ref=ref)
        answer = await wallet.answer(made)
        assert answer.status_code == 200, answer.text
        assert (await self.scene.platform.read(made["id"]))["state"] == "verified"
        return wallet


async def open_market(deployment: Deployment, **security: Any) -> Market:
    """Open a market with the offerings ``reg-d`` and ``reg-s``."""
    scene = await build_scene(deployment)
    market = Market(scene, scene.platform.member)
    await market.put_security(**security)
    await market.put_offering("reg-d", REG_D)
    await market.put_offering("reg-s", REG_S)
    return market


def codes(decision: dict[str, Any]) -> list[str]:
    """Return the codes of the reasons, in order."""
    return [reason["code"] for reason in decision["reasons"]]


async def open_venue(market: Market, slug: str, *security_ids: str, **terms: Any) -> Market:
    """Add a venue with a grant on some of the market's securities, its own unless named; it trusts the same issuers."""
    scene, deployment = market.scene, market.deployment
    platform = Platform(deployment, await deployment.add_organization(slug, "platform"))
    for source, types in ((scene.kyc, ("kyc", "aml-screening")), (scene.accreditor, ("qualified-investor",))):
        attester = {"attester_class": "us_cpa"} if source is scene.accreditor else {}
        await platform.trust(source.identifier, *types, entry_id=source.member.organization.slug, **attester)
    for security_id in security_ids or (market.security_id,):
        path = f"/v1/securities/{security_id}/grants/{platform.member.org_id}"
        assert (await market.call("PUT", path, terms)).status_code in (200, 201)
    own = Scene(deployment, scene.kyc, scene.accreditor, platform, scene.wallet)
    return Market(own, platform.member, market.security_id)


async def link(registrar: Market, investor: tuple[Market, str], holder: tuple[Market, str]) -> httpx2.Response:
    """Let the registrar say that an investor of one organisation is a holder known by another's name."""
    (venue, ref), (other, name) = investor, holder
    body = {"org_id": other.member.org_id, "investor_ref": name}
    return await registrar.call("PUT", f"/v1/holder-links/{venue.member.org_id}/{ref}", body)


async def reconcile_all(deployment: Deployment) -> list[Difference]:
    """Add up every register again, and return what differs."""
    async with deployment.context.database.reading() as session:
        return (await reconcile(await session.connection()))[1]
