"""Every action but primary and secondary, from the request to what settling leaves in the register."""

from typing import Any

import pytest

from tests.actions_support import ACTIONS, CONTROL, DOCUMENT, NO_AFFILIATE, ONE, REG_D_CONVERTIBLE, ask
from tests.deployment import Deployment
from tests.gate_support import REG_D, Market, codes, open_market
from tests.prepared import prepared


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    for ref in ("alice", "bob"):
        await market.admit(ref)
    return market


async def settle(market: Market, request: Any) -> dict[str, Any]:
    decision = await market.decide(request)
    assert decision["outcome"] == "permit", codes(decision)
    answer = await market.settle(decision)
    assert answer.status_code == 200, answer.text
    return decision


async def lots_of(market: Market, ref: str) -> list[dict[str, Any]]:
    found = await market.read("/v1/securities/note/positions")
    [lots] = [each["lots"] for each in found["data"] if each["investor_ref"] == ref] or [[]]
    return list(lots)


async def holders(market: Market) -> tuple[int, int]:
    found = await market.holders()
    return found["holders"], found["reserved"]


async def pledge(market: Market, quantity: int = 60, *, seller: str = "alice", **trade: Any) -> dict[str, Any]:
    return await settle(market, ask(market, "pledge", seller, "bank", quantity, trade=CONTROL | trade))


async def test_a_pledge_records_a_lien_and_changes_no_owner(market: Market) -> None:
    await market.admit("bank", purpose="us.reg_s")
    await market.open_lot("alice", 100)
    decision = await pledge(market, recourse=True)
    assert [each["code"] for each in decision["obligations"]] == ["OBL_LIEN_RECORDED"]
    free, pledged = sorted(await lots_of(market, "alice"), key=lambda lot: int(lot["quantity"]))
    assert (free["quantity"], free["lien"]) == ("40", None)
    lien = {"transfer_id": decision["id"], "holder_ref": "bank", "recourse": True}
    assert (pledged["quantity"], pledged["lien"], pledged["acquired_on"]) == ("60", lien, "2024-01-10")
    assert await market.positions() == {"alice": "100"}
    assert await holders(market) == (1, 0)


async def test_a_pledge_needs_a_control_agreement_and_a_lawful_way_out(market: Market) -> None:
    await market.admit("bank", purpose="us.reg_s")
    await market.open_lot("alice", 100)
    for trade in (CONTROL | {"control_agreement": False}, CONTROL | {"liquidation_route": None}):
        denied = await market.decide(ask(market, "pledge", "alice", "bank", 60, trade=trade))
        assert codes(denied) == ["PLEDGE_NO_LIQUIDATION_ROUTE"]
    unsaid = await market.decide(ask(market, "pledge", "alice", "bank", 60, trade={"control_agreement": True}))
    assert unsaid["reasons"][0]["evidence"] == {"field": "trade.liquidation_route"}
    await market.put_offering("reg-d", REG_D | {"lien_allowed": False})
    denied = await market.decide(ask(market, "pledge", "alice", "bank", 60, trade=CONTROL))
    assert codes(denied) == ["PLEDGE_NO_LIQUIDATION_ROUTE"]
    assert denied["reasons"][0]["basis"] == "issuer_policy"


@pytest.mark.parametrize("action", ["secondary", "gift", "redemption", "pledge"])
async def test_a_pledged_lot_is_not_the_owners_to_give(market: Market, action: str) -> None:
    await market.admit("bank", purpose="us.reg_s")
    await market.open_lot("alice", 100)
    await pledge(market, 60)
    buyer = None if action == "redemption" else "bob"
    trade = CONTROL if action == "pledge" else NO_AFFILIATE
    denied = await market.decide(ask(market, action, "alice", buyer, 41, trade=trade))
    assert (codes(denied), denied["max_permitted_quantity"]) == (["INSUFFICIENT_BALANCE"], "40")
    assert (await market.decide(ask(market, action, "alice", buyer, 40, trade=trade)))["outcome"] == "permit"


async def test_a_release_takes_the_lien_off_with_the_lienholders_approval(market: Market) -> None:
    await market.admit("bank", purpose="us.reg_s")
    await market.open_lot("alice", 100)
    await pledge(market, 60)
    request = ask(market, "release", "alice", "bank", 50)
    assert codes(await market.decide(request)) == ["FORCED_DOC_MISSING"]
    assert codes(await market.decide(request | {"approvals": [ONE], "quantity": "61"})) == ["INSUFFICIENT_BALANCE"]
    assert codes(await market.decide(request | {"approvals": [ONE], "buyer": {"investor_ref": "bob"}})) == [
        "INSUFFICIENT_BALANCE"
    ]
    await settle(market, request | {"approvals": [ONE]})
    assert sorted((lot["quantity"], lot["lien"] is None) for lot in await lots_of(market, "alice")) == [
        ("10", False),
        ("40", True),
        ("50", True),
    ]
    await settle(market, ask(market, "release", "alice", "bank", 10, document=DOCUMENT))
    assert {lot["lien"] for lot in await lots_of(market, "alice")} == {None}
    assert await holders(market) == (1, 0)


@pytest.mark.parametrize(
    ("recourse", "origin", "tacks_from"), [(True, "pledge_recourse", "2024-01-10"), (False, "", None)]
)
async def test_a_liquidation_tacks_only_with_recourse(
    market: Market, recourse: bool, origin: str, tacks_from: str | None
) -> None:
    await market.admit("bank")
    await market.open_lot("alice", 60)
    await pledge(market, recourse=recourse)
    request = ask(market, "liquidation", "bank", "bob", 60, trade=NO_AFFILIATE | {"info_package": True})
    decision = await settle(market, request | {"price": {"amount": "10", "currency": "USD"}})
    assert decision["route"] == ("rule144" if recourse else "4a7")
    [lot] = await lots_of(market, "bob")
    assert (lot["from"], lot["tack_from"]) == (origin or "pledge_nonrecourse", tacks_from)
    assert (lot["acquired_on"], lot["lien"]) == ("2026-11-23", None)
    assert await market.positions() == {"bob": "60"}
    assert await holders(market) == (1, 0)


async def test_without_recourse_the_pledgee_has_held_since_the_pledge(market: Market) -> None:
    await market.admit("bank")
    await market.admit("carol", purpose="us.reg_s")
    await market.open_lot("alice", 60)
    await pledge(market, recourse=False)
    denied = await market.decide(ask(market, "liquidation", "bank", "carol", 60, trade=NO_AFFILIATE))
    assert codes(denied) == ["US_RESALE_NO_EXEMPTION"]
    assert denied["reasons"][0]["remedy"] == {"kind": "wait_until", "at": "2027-11-23"}


async def test_a_pledgee_sells_only_what_was_pledged_to_it_and_names_the_pledgor_if_there_are_several(
    market: Market,
) -> None:
    await market.admit("bank")
    await market.admit("carol")
    await market.open_lot("alice", 60)
    await market.open_lot("carol", 60)
    sell = ask(market, "liquidation", "bank", "bob", 60, trade=NO_AFFILIATE)
    assert codes(await market.decide(sell))[0] == "INSUFFICIENT_BALANCE"
    await pledge(market, 50, recourse=True)
    assert codes(await market.decide(sell)) == ["INSUFFICIENT_BALANCE"]
    await pledge(market, 60, seller="carol", recourse=True)
    refused = await market.post(sell)
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "/body/pledgor")
    await settle(market, sell | {"pledgor": {"investor_ref": "carol"}})
    assert await market.positions() == {"alice": "60", "bob": "60"}
    nothing = await market.decide(sell | {"pledgor": {"investor_ref": "bob"}, "buyer": {"investor_ref": "carol"}})
    assert codes(nothing) == ["INSUFFICIENT_BALANCE"]


async def test_sanctions_bind_a_pledgor_whose_lots_are_liquidated(market: Market) -> None:
    await market.admit("bank")
    await market.open_lot("alice", 60)
    await pledge(market, recourse=True)
    await market.screen("alice", "hit")
    denied = await market.decide(ask(market, "liquidation", "bank", "bob", 60, trade=NO_AFFILIATE))
    assert [(each["code"], each["party"]) for each in denied["reasons"]] == [("SANCTIONS_HIT", "pledgor")]
    assert [each["code"] for each in denied["obligations"]] == ["OBL_BLOCK_AND_REPORT_IF_US_NEXUS"]


async def test_a_redemption_burns_lots(market: Market) -> None:
    await market.open_lot("alice", 100)
    await settle(market, ask(market, "redemption", "alice", None, 30))
    assert (await market.positions(), await holders(market)) == ({"alice": "70"}, (1, 0))
    await settle(market, ask(market, "redemption", "alice", None, 70))
    assert (await market.positions(), await holders(market)) == ({}, (0, 0))
    found = await market.holders()
    assert (found["issued_quantity"], found["outstanding_quantity"]) == ("1000000", "0")
    await market.open_lot("alice", 100)
    await market.screen("alice", "hit")
    denied = await market.decide(ask(market, "redemption", "alice", None, 30))
    assert codes(denied) == ["SANCTIONS_HIT"]


async def test_a_gift_tacks_and_a_gift_for_a_price_is_a_sale(market: Market) -> None:
    await market.admit("carol", purpose="us.reg_s")
    await market.open_lot("alice", 100, acquired_on="2026-11-01")
    given = ask(market, "gift", "alice", "carol", 40, trade=NO_AFFILIATE)
    denied = await market.decide(given | {"price": {"amount": "1", "currency": "USD"}})
    assert codes(denied) == ["US_RESALE_NO_EXEMPTION"]
    await settle(market, given)
    [lot] = await lots_of(market, "carol")
    assert (lot["from"], lot["tack_from"], lot["acquired_on"]) == ("gift", "2026-11-01", "2026-11-23")
    assert await holders(market) == (2, 0)


@pytest.mark.parametrize(("purpose", "hold_only"), [("us.506c", False), ("us.reg_s", True)])
@pytest.mark.parametrize("action", ["forced", "inheritance"])
async def test_a_transfer_on_a_document_keeps_the_dates(
    market: Market, action: str, purpose: str, hold_only: bool
) -> None:
    await market.admit("heir", purpose=purpose)
    await market.open_lot("alice", 100, acquired_on="2026-11-01")
    decision = await settle(market, ask(market, action, "alice", "heir", 100))
    assert [each["code"] for each in decision["obligations"]] == ["OBL_HOLD_ONLY"] * hold_only
    [lot] = await lots_of(market, "heir")
    kept = {
        "forced": ("issuer", "2026-11-01", None),
        "inheritance": ("estate", "2026-11-23", "2026-11-01"),
    }
    assert (lot["from"], lot["acquired_on"], lot["tack_from"]) == kept[action]
    assert (lot["hold_only"], await holders(market)) == (hold_only, (1, 0))


async def test_who_may_only_hold_acquires_no_more_and_may_sell(market: Market) -> None:
    wallet = await market.admit("heir", purpose="us.reg_s")
    await market.open_lot("alice", 200)
    await settle(market, ask(market, "inheritance", "alice", "heir", 100))
    more = ask(market, "secondary", "alice", "heir", 10, trade=NO_AFFILIATE)
    denied = await market.decide(more)
    assert [(each["code"], each["party"]) for each in denied["reasons"]] == [("RECIPIENT_FROZEN", "buyer")]
    assert denied["reasons"][0]["remedy"] == {"kind": "present", "purpose": "us.506c"}
    assert (await market.decide(ask(market, "secondary", "heir", "bob", 10, trade=NO_AFFILIATE)))["outcome"] == "permit"
    await market.admit("heir", wallet)
    assert (await market.decide(more))["outcome"] == "permit"


async def test_a_transfer_on_a_document_is_dually_controlled_and_never_skips_sanctions(market: Market) -> None:
    await market.open_lot("alice", 100)
    request = ask(market, "forced", "alice", "bob", 100)
    assert codes(await market.decide(request | {"document": None})) == ["FORCED_DOC_MISSING"]
    assert codes(await market.decide(request | {"approvals": [ONE, ONE]})) == ["FORCED_DUAL_CONTROL"]
    await market.screen("alice", "hit")
    assert codes(await market.decide(request)) == ["SANCTIONS_HIT"]


async def test_a_lien_stays_on_a_lot_that_is_inherited(market: Market) -> None:
    await market.admit("bank", purpose="us.reg_s")
    await market.open_lot("alice", 100)
    made = await pledge(market, 100, recourse=True)
    await settle(market, ask(market, "inheritance", "alice", "bob", 100))
    [lot] = await lots_of(market, "bob")
    assert lot["lien"] == {"transfer_id": made["id"], "holder_ref": "bank", "recourse": True}


async def test_a_recovery_moves_everything_to_the_same_subject(market: Market) -> None:
    await market.admit("alice-2", sub="subject-alice")
    await market.open_lot("alice", 60)
    await market.open_lot("alice", 40, acquired_on="2026-11-01")
    before = await lots_of(market, "alice")
    disguised = await market.decide(ask(market, "recovery", "alice", "bob", 100))
    assert codes(disguised) == ["RECOVERY_SUBJECT_MISMATCH"]
    partly = await market.post(ask(market, "recovery", "alice", "alice-2", 60))
    assert (partly.status_code, partly.json()["code"]) == (422, "invalid_transfer")
    decision = await settle(market, ask(market, "recovery", "alice", "alice-2", 100))
    assert decision["obligations"] == []
    after = await lots_of(market, "alice-2")
    kept = ("quantity", "acquired_on", "from", "tack_from", "offering_id")
    assert sorted([lot[name] for name in kept[:3]] for lot in after) == sorted(
        [lot[name] for name in kept[:3]] for lot in before
    )
    assert (await market.positions(), await holders(market)) == ({"alice-2": "100"}, (1, 0))


async def test_a_recovery_from_somebody_unknown_names_what_is_missing(market: Market) -> None:
    await market.open_lot("lost", 10)
    await market.screen("lost")
    denied = await market.decide(ask(market, "recovery", "lost", "bob", 10))
    assert "seller.id" in [each["evidence"].get("field") for each in denied["reasons"]]


async def test_a_distribution_gives_holders_lots_as_old_as_their_own(market: Market) -> None:
    await market.open_lot("alice", 30)
    await market.open_lot("alice", 70, acquired_on="2026-11-01", offering_id="reg-s")
    assert codes(await market.decide(ask(market, "distribution", None, "bob", 11))) == ["INSUFFICIENT_BALANCE"]
    await settle(market, ask(market, "distribution", None, "alice", 11))
    new = sorted((lot["quantity"], lot["acquired_on"], lot["offering_id"]) for lot in await lots_of(market, "alice"))
    assert new == [
        ("3", "2024-01-10", "reg-d"),
        ("30", "2024-01-10", "reg-d"),
        ("70", "2026-11-01", "reg-s"),
        ("8", "2026-11-01", "reg-s"),
    ]
    assert (await holders(market), (await market.holders())["outstanding_quantity"]) == ((1, 0), "111")
    await settle(market, ask(market, "distribution", None, "alice", 10) | {"offering_id": "reg-d"})
    assert await market.positions() == {"alice": "121"}


async def test_a_distribution_stops_at_what_was_issued_and_at_sanctions_but_not_at_lapsed_kyc(market: Market) -> None:
    await market.put_security(issued_quantity="110")
    await market.open_lot("old", 100)
    await market.screen("old")
    request = ask(market, "distribution", None, "old", 10)
    too_much = await market.decide(request | {"quantity": "11"})
    assert "INSUFFICIENT_BALANCE" in codes(too_much)
    await market.open_lot("alice", 10)
    await market.screen("alice", "hit")
    blocked = await market.decide(ask(market, "distribution", None, "alice", 1))
    assert "SANCTIONS_HIT" in codes(blocked)
    assert [each["code"] for each in blocked["obligations"]] == ["OBL_BLOCK_AND_REPORT_IF_US_NEXUS"]


@pytest.mark.parametrize(("amount", "kept"), [("0", ("issuer", "2026-11-01")), ("5", ("issuer", "2026-11-23"))])
async def test_a_conversion_keeps_the_dates_unless_more_is_paid(
    market: Market, amount: str, kept: tuple[str, str]
) -> None:
    await market.open_lot("alice", 100, acquired_on="2026-11-01")
    price = {"amount": amount, "currency": "USD"}
    request = ask(market, "conversion", "alice", None, 60) | {"offering_id": "reg-s", "price": price}
    denied = await market.decide(request)
    assert codes(denied) == ["OFFERING_CLOSED"]
    await market.put_offering("reg-d", REG_D_CONVERTIBLE)
    decision = await settle(market, request)
    assert decision["offering_id"] == "reg-s"
    old, new = sorted(await lots_of(market, "alice"), key=lambda lot: str(lot["offering_id"]))
    assert (old["offering_id"], old["quantity"]) == ("reg-d", "40")
    assert (new["offering_id"], new["quantity"], new["from"], new["acquired_on"]) == ("reg-s", "60", *kept)
    assert (await holders(market), (await market.holders())["outstanding_quantity"]) == ((1, 0), "100")


@pytest.mark.parametrize(("action", "seller", "buyer", "more"), ACTIONS, ids=[each[0] for each in ACTIONS])
async def test_voiding_and_expiring_give_everything_back(
    market: Market, action: str, seller: str | None, buyer: str | None, more: Any
) -> None:
    await market.admit("bank", purpose="us.reg_s")
    await market.admit("alice-2", sub="subject-alice")
    await market.put_offering("reg-d", REG_D_CONVERTIBLE)
    await market.put_security(issued_quantity="200")
    await market.open_lot("alice", 100)
    before = await lots_of(market, "alice"), await market.holders()
    request = ask(market, action, seller, buyer, 100) | more
    held = await market.decide(request)
    assert held["outcome"] == "permit", codes(held)
    assert codes(await market.decide(request))[0] == "INSUFFICIENT_BALANCE"
    assert (await market.void(held)).status_code == 200
    assert (await lots_of(market, "alice"), await market.holders()) == before
    assert (await market.decide(request))["outcome"] == "permit"
    market.deployment.clock.advance(seconds=60)
    await settle(market, request)
    assert (await holders(market))[1] == 0


async def test_a_mirror_that_is_too_old_decides_nothing(market: Market) -> None:
    await market.open_lot("alice", 100)
    await market.put_security(policy={"max_state_age_hours": 1})
    request = ask(market, "redemption", "alice", None, 10)
    unknown = await market.decide(request)
    assert (codes(unknown), unknown["reasons"][0]["evidence"]) == (["INPUT_MISSING"], {"field": "state.age_hours"})
    now = market.deployment.clock().isoformat()
    await market.put_security(policy={"max_state_age_hours": 1}, register_as_of=now)
    market.deployment.clock.advance(hours=1)
    assert (await market.decide(request))["outcome"] == "permit"
    market.deployment.clock.advance(seconds=1)
    stale = await market.decide(request)
    assert codes(stale) == ["STATE_STALE"]
    assert stale["reasons"][0]["evidence"] == {"state_age_hours": "1.001", "limit": "1"}


@pytest.mark.parametrize(
    ("action", "seller", "buyer", "more"),
    [
        ("release", "alice", "bank", {"document": DOCUMENT}),
        ("liquidation", "bank", "bob", {"trade": NO_AFFILIATE}),
    ],
)
async def test_voiding_leaves_a_lien_as_it_was(market: Market, action: str, seller: str, buyer: str, more: Any) -> None:
    await market.admit("bank")
    await market.open_lot("alice", 100)
    await pledge(market, 100, recourse=True)
    before = await lots_of(market, "alice"), await market.holders()
    request = ask(market, action, seller, buyer, 70) | more
    held = await market.decide(request)
    assert held["outcome"] == "permit", codes(held)
    too_much = await market.decide(request | {"quantity": "31"})
    assert (codes(too_much), too_much["max_permitted_quantity"]) == (["INSUFFICIENT_BALANCE"], "30")
    assert (await market.void(held)).status_code == 200
    assert (await lots_of(market, "alice"), await market.holders()) == before
    await settle(market, request)
    left = {"liquidation": [("30", True)], "release": [("30", True), ("70", False)]}
    assert sorted((lot["quantity"], lot["lien"] is not None) for lot in await lots_of(market, "alice")) == left[action]


async def test_settling_checks_again_who_is_no_party_of_the_request_too(market: Market) -> None:
    await market.admit("bank")
    await market.open_lot("alice", 100)
    await pledge(market, 100, recourse=True)
    held = await market.decide(ask(market, "liquidation", "bank", "bob", 100, trade=NO_AFFILIATE))
    await market.screen("alice", "hit")
    refused = await market.settle(held)
    assert (refused.status_code, refused.json()["code"]) == (409, "settlement_refused")
    assert [each["code"] for each in refused.json()["errors"]] == ["SANCTIONS_HIT"]
    assert await market.positions() == {"alice": "100"}


async def test_whether_a_taker_holds_only_is_decided_when_it_gets_the_lots(market: Market) -> None:
    await market.open_lot("alice", 100)
    held = await market.decide(ask(market, "forced", "alice", "bob", 100))
    assert held["obligations"] == []
    await market.scene.accreditor.set_status(2, 1)  # 0 is the scene's own wallet, 1 is alice
    assert (await market.settle(held)).status_code == 200
    assert [lot["hold_only"] for lot in await lots_of(market, "bob")] == [True]
