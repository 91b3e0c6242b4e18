"""Terms by which sales are added up cannot change under what was sold."""

from typing import Any

import pytest

from tests.deployment import Deployment
from tests.gate_support import REG_D, SECURITY, Market, open_market
from tests.prepared import prepared


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    """An open security of two offerings and an admitted investor; nothing was sold."""
    market = await open_market(sqlite_deployment)
    await market.admit("alice")
    return market


async def put(market: Market, path: str, terms: dict[str, Any]) -> tuple[int, str | None, list[str]]:
    answer = (await market.call("PUT", f"/v1/securities/note{path}", terms)).json()
    return answer.get("status", 200), answer.get("code"), [each["path"] for each in answer.get("errors", [])]


@pytest.mark.parametrize("sold", ["opening", "promise", "offer"])
@pytest.mark.parametrize(
    ("path", "terms", "member"),
    [
        ("", SECURITY | {"issuer": "ISS-9"}, "issuer"),
        ("", SECURITY | {"currency": "EUR"}, "currency"),
        ("", SECURITY | {"unit_decimals": 4}, "unit_decimals"),
        ("/offerings/reg-d", REG_D | {"regime": "us.registered"}, "regime"),
        ("/offerings/reg-d", REG_D | {"issuer": "ISS-9"}, "issuer"),
    ],
)
async def test_what_sales_are_added_up_by_is_fixed_with_the_first_of_them(
    market: Market, path: str, terms: dict[str, Any], member: str, sold: str
) -> None:
    assert (await put(market, path, terms))[0] == 200
    await put(market, path, REG_D if path else SECURITY)
    if sold == "opening":
        await market.open_lot("alice", 10)
    elif sold == "promise":
        assert (await market.decide(market.buy("alice", 10)))["outcome"] == "permit"
    else:
        offer = {"investor_ref": "alice", "country": "US"}
        await market.call("POST", "/v1/securities/note/offerings/reg-d/offerees", offer)
    assert await put(market, path, terms) == (409, "terms_fixed", [f"/body/{member}"])
    same = REG_D | {"issuer": SECURITY["issuer"]} if path else SECURITY | {"name": "Other name"}
    assert (await put(market, path, same))[0] == 200


async def test_another_offering_of_the_security_may_still_change(market: Market) -> None:
    await market.open_lot("alice", 10)
    assert (await put(market, "/offerings/reg-s", {"regime": "us.registered"}))[0] == 200
