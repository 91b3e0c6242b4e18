"""The register over HTTP: versions, offerings, grants, opening positions."""

from typing import Any

import pytest

from tests.deployment import Deployment
from tests.gate_support import REG_D, SECURITY, Market, open_market
from tests.prepared import prepared

CAPS = {"holders": None, "nonaccredited_holders": None, "beneficial_owners": None}


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    return await open_market(sqlite_deployment)


async def test_a_change_makes_a_version_and_the_same_terms_do_not(market: Market) -> None:
    path = "/v1/securities/bond"
    made = await market.call("PUT", path, SECURITY)
    same = await market.call("PUT", path, SECURITY | {"state": "open", "min_quantity": "1"})
    changed = await market.call("PUT", path, SECURITY | {"state": "halted"})
    assert [each.status_code for each in (made, same, changed)] == [201, 200, 200]
    assert [each.json()["version"] for each in (made, same, changed)] == [1, 1, 2]
    assert await market.read(path) == changed.json()
    defaults = {"unit_decimals": 0, "settle_within": 60, "caps": CAPS, "countries_allowed": None}
    assert made.json() | defaults == made.json()
    listed = await market.read("/v1/securities?limit=1")
    assert ([each["id"] for each in listed["data"]], listed["next"]) == (["bond"], "bond")


async def test_offerings_are_versioned_and_listed_in_the_order_they_were_made(market: Market) -> None:
    path = "/v1/securities/note/offerings"
    changed = await market.call("PUT", f"{path}/reg-d", REG_D | {"lockup_until": "2027-01-01"})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert [each["id"] for each in (await market.read(path))["data"]] == ["reg-d", "reg-s"]
    assert (await market.read(f"{path}/reg-d"))["lockup_until"] == "2027-01-01"
    unsupported = await market.call("PUT", f"{path}/x", REG_D | {"regime": "xx.none"})
    assert (unsupported.status_code, unsupported.json()["code"]) == (422, "regime_unsupported")
    assert unsupported.json()["errors"][0]["path"] == "/body/regime"
    assert (await market.call("GET", f"{path}/x")).status_code == 404
    assert (await market.call("PUT", "/v1/securities/none/offerings/x", REG_D)).status_code == 404


async def test_the_united_kingdom_is_one_country_by_either_name(market: Market) -> None:
    made = await market.call("PUT", "/v1/securities/bond", SECURITY | {"countries_blocked": ["FR", "UK"]})
    assert made.json()["countries_blocked"] == ["FR", "GB"]
    twice = await market.call("PUT", "/v1/securities/bond", SECURITY | {"countries_blocked": ["GB", "UK"]})
    assert (twice.status_code, twice.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    "change",
    [
        {"issued_quantity": "0"},
        {"issued_quantity": 5},
        {"currency": "usd"},
        {"caps": {"holders": 0}},
        {"caps": {"friends": 5}},
        {"settle_within": 7 * 86400 + 1},
        {"countries_allowed": ["USA"]},
        {"countries_blocked": ["US", "US"]},
        {"policy": {"max_screen_age_hours": 0}},
        {"terms_sha256": "x"},
        {"surprise": True},
    ],
)
async def test_terms_that_cannot_be_kept_are_refused(market: Market, change: dict[str, Any]) -> None:
    assert (await market.call("PUT", "/v1/securities/bond", SECURITY | change)).status_code == 422


async def test_ids_are_the_callers_and_exact(market: Market) -> None:
    for odd in ("a b", "a%2Fb", "x" * 65, "n%C3%B6te"):
        assert (await market.call("PUT", f"/v1/securities/{odd}", SECURITY)).status_code in (404, 422)
    assert (await market.call("GET", "/v1/securities/NOTE")).status_code == 404


async def test_opening_positions_are_entered_once_and_never_above_what_was_issued(market: Market) -> None:
    path = "/v1/securities/note/positions"
    lot = {
        "investor_ref": "alice",
        "offering_id": "reg-d",
        "quantity": "600000",
        "acquired_on": "2024-01-10",
        "from": "issuer",
    }
    for _ in range(2):
        entered = await market.call("POST", path, {"lots": [lot]}, **{"Idempotency-Key": "open"})
        assert (entered.status_code, entered.json()["lots"][0]["quantity"]) == (201, "600000")
    over = await market.call("POST", path, {"lots": [lot]})
    assert (over.status_code, over.json()["code"]) == (422, "issued_quantity_exceeded")
    assert await market.positions() == {"alice": "600000"}
    assert (await market.holders())["holders"] == 1
    less = await market.call("PUT", "/v1/securities/note", SECURITY | {"issued_quantity": "599999"})
    assert (less.status_code, less.json()["code"]) == (422, "issued_quantity_too_small")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"offering_id": "none"}, "invalid_lot"),
        ({"acquired_on": "2026-11-24"}, "invalid_lot"),
        ({"from": "gift", "tack_from": "2025-01-01"}, "invalid_input"),
        ({"from": "thief"}, "invalid_input"),
        ({"quantity": "-1"}, "invalid_input"),
    ],
)
async def test_lots_that_cannot_be_are_refused(market: Market, change: dict[str, str], code: str) -> None:
    lot = {"investor_ref": "a", "offering_id": "reg-d", "quantity": "1", "acquired_on": "2024-01-10", "from": "issuer"}
    answer = await market.call("POST", "/v1/securities/note/positions", {"lots": [lot | change]})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await market.positions() == {}


async def test_a_lot_whose_earlier_holding_is_unknown_is_kept_and_not_sold_on_it(market: Market) -> None:
    lot = {"quantity": "5", "acquired_on": "2026-10-01", "from": "nonaffiliate", "offering_id": "reg-d"}
    await market.admit("alice")
    await market.admit("bob")
    entered = await market.call("POST", "/v1/securities/note/positions", {"lots": [lot | {"investor_ref": "alice"}]})
    assert entered.status_code == 201, entered.text
    decision = await market.decide(market.sell("alice", "bob", quantity="5"))
    assert decision["outcome"] == "deny"
    missing = [reason["evidence"].get("field") for reason in decision["reasons"] if reason["code"] == "INPUT_MISSING"]
    assert "seller.lots[0].tack_from" in missing


async def test_grants_are_the_registrars_to_give(market: Market) -> None:
    venue = await market.deployment.add_organization("venue", "platform")
    path = f"/v1/securities/note/grants/{venue.org_id}"
    assert (await market.call("DELETE", path)).status_code == 404
    assert (await market.call("PUT", path, {"actions": ["secondary"]})).status_code == 201
    assert (await market.call("PUT", path, {"actions": ["haircut"]})).status_code == 422
    assert (await market.call("PUT", path, {})).status_code == 200
    assert [(await market.call("DELETE", path)).status_code for _ in range(2)] == [204, 204]
    assert (await market.call("PUT", "/v1/securities/note/grants/org_none", {})).status_code == 404
    other = Market(market.scene, venue)
    assert (await other.call("PUT", f"/v1/securities/note/grants/{market.member.org_id}", {})).status_code == 404
