"""Decisions, from standing and register to reasons, on both kinds of database."""

import pytest

from tests.deployment import Deployment
from tests.gate_support import Market, codes, open_market


@pytest.fixture
async def market(deployment: Deployment) -> Market:
    return await open_market(deployment)


async def test_a_verified_accredited_investor_may_buy(market: Market) -> None:
    await market.admit("alice")
    decision = await market.decide(market.buy("alice"))
    assert (decision["outcome"], decision["reasons"]) == ("permit", [])
    assert decision["offering_id"] == "reg-d"
    assert decision["reservation"]["state"] == "held"
    assert decision["versions"]["security"] == 1
    assert decision["projections"]["erc1404"] == 0
    assert decision["projections"]["sep8"] == "success"
    assert decision["log"] is None
    settled = await market.settle(decision)
    assert settled.json()["reservation"]["state"] == "settled"
    assert await market.positions() == {"alice": "100"}
    assert (await market.holders())["holders"] == 1


async def test_an_unknown_investor_is_denied(market: Market) -> None:
    decision = await market.decide(market.buy("nobody"))
    assert decision["outcome"] == "deny"
    assert codes(decision)[:2] == ["COUNTERPARTY_UNIDENTIFIED", "KYC_MISSING"]
    assert decision["reasons"][0]["remedy"] == {"kind": "present", "purpose": "us.506c"}
    assert decision["reservation"] is None
