"""What the platform's back end asks the API, with the secret that its pages never see."""

from collections.abc import Mapping
from typing import Any

from service.demo.client import OrganizationClient, RefusedCallError
from service.fetch import Fetcher

PURPOSE = "us.506c"
SCOPES = "verifier gate"
"""Not ``compliance``: this program talks to investors, who must not learn of a screening what others may know."""
PRICE = {"amount": "1000.00", "currency": "USD"}


class Backend:
    """Calls for one security of the seed document.

    Args:
        fetcher: Allowed to reach the deployment.
        seed: The seed document.
        origin: Of the platform's own pages.
    """

    def __init__(self, fetcher: Fetcher, seed: Mapping[str, Any], origin: str) -> None:
        platform = seed["organizations"]["platform"]
        self._client = OrganizationClient(fetcher, seed["base_url"], platform, SCOPES)
        self._security = platform["securities"]["demo"]
        self._origin = origin

    async def ask(self, investor_ref: str, way: str) -> Any:
        """Ask an investor to show that they qualify; ``way`` is the button's."""
        body: dict[str, Any] = {"purpose": PURPOSE, "investor_ref": investor_ref}
        if way == "browser":
            body |= {"response_mode": "dc_api.jwt", "expected_origins": [self._origin]}
            body |= {"client_id_prefix": "decentralized_identifier"}
        elif way != "phone":
            body |= {"redirect_uri": f"{self._origin}/", "same_device": True}
        return await self._client.post("/v1/presentation-requests", body)

    async def read_request(self, request_id: str) -> Any:
        """Return what came of a request."""
        return await self._client.get(f"/v1/presentation-requests/{request_id}")

    async def bring_code(self, request_id: str, code: str) -> Any:
        """Say that a browser came back with a code; None if it isn't this request's."""
        try:
            return await self._client.post(f"/v1/presentation-requests/{request_id}/return", {"response_code": code})
        except RefusedCallError as error:
            if error.status not in (409, 422):
                raise
            return None

    async def bring_answer(self, request_id: str, data: Any) -> Any:
        """Hand in what a browser got from a wallet that it found; the origin is ours to say, never the page's."""
        body = {"origin": self._origin, "data": data}
        return await self._client.post(f"/v1/presentation-requests/{request_id}/dc-api-response", body)

    async def read_coverage(self, investor_ref: str) -> Any:
        """Return whether an investor has shown what the offering asks for: ``covered``, ``until``, ``missing``."""
        try:
            standing = await self._client.get(f"/v1/investors/{investor_ref}/standing")
        except RefusedCallError as error:
            if error.status != 404:
                raise
            return {"covered": False, "until": None, "missing": []}  # nothing was shown yet
        return next(each for each in standing["purposes"] if each["purpose"] == PURPOSE)

    async def buy(self, investor_ref: str, quantity: int, order: str) -> Any:
        """Ask the gate; the same ``order`` asked again is the same decision."""
        body = {
            "security_id": self._security["id"],
            "offering_id": self._security["offerings"][PURPOSE],
            "action": "primary",
            "seller": None,
            "buyer": {"investor_ref": investor_ref},
            "quantity": str(quantity),
            "price": PRICE,
        }
        return await self._client.post("/v1/transfers", body, key=order)

    async def read_decision(self, transfer_id: str) -> Any:
        """Return a decision and where its reservation stands."""
        return await self._client.get(f"/v1/transfers/{transfer_id}")

    async def settle(self, transfer_id: str) -> None:
        """Complete a permitted purchase: the units are the investor's."""
        path = f"/v1/transfers/{transfer_id}/settle"
        await self._client.post(path, {"reference": f"sample-{transfer_id}"}, key=f"settle-{transfer_id}")

    async def void(self, transfer_id: str) -> None:
        """Give a permitted purchase up."""
        path = f"/v1/transfers/{transfer_id}/void"
        await self._client.post(path, {"reason": "The investor cancelled."}, key=f"void-{transfer_id}")
