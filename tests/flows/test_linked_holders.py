"""One register, several venues: who is known at two of them is one holder, and neither venue learns of the other."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from sqlmodel import select

from service.gate.pipeline import decide_transfer
from service.gate.transfer_models import TransferRequest
from service.gate.transfers import Decided
from service.storage.tables import AffiliateSale, DailySales, HolderCount, HolderLink, HolderPerson, Offeree, Purchase
from tests.actions_support import CONTROL, NO_AFFILIATE, ask
from tests.deployment import Deployment
from tests.gate_support import REG_D, Market, codes, link, open_market, open_venue, reconcile_all
from tests.prepared import prepared
from tests.verifying_support import Wallet

REG_CF = {"regime": "us.reg_cf", "reporting": False, "class_outstanding_since": "2025-01-01", "security": "equity"}
AFFILIATE: dict[str, Any] = {
    "trade": {"seller": {"affiliate": True}, "general_solicitation": False},
    "price": {"amount": "1.00", "currency": "USD"},
}


@prepared
async def market(deployment: Deployment) -> Market:
    """The registrar, and the securities ``note`` and ``bond``."""
    market = await open_market(deployment)
    bond = other(market)
    await bond.put_security()
    await bond.put_offering("reg-d", REG_D)
    return market


@pytest.fixture
async def east(market: Market) -> Market:
    return await open_venue(market, "east", "note", "bond")


@pytest.fixture
async def west(market: Market) -> Market:
    return await open_venue(market, "west", "note", "bond")


@pytest.fixture
async def ada(market: Market, east: Market, west: Market) -> Wallet:
    """One person, known as ``e-ada`` and as ``w-ada``."""
    return await admit_at(east, west, "ada")


async def admit_at(east: Market, west: Market, name: str) -> Wallet:
    wallet = await east.admit(f"e-{name}", sub=f"person-{name}")
    return await west.admit(f"w-{name}", wallet)


def other(market: Market) -> Market:
    """Return the market's view of its other security."""
    return Market(market.scene, market.member, "bond")


async def permit(market: Market, request: dict[str, Any]) -> dict[str, Any]:
    decision = await market.decide(request)
    assert decision["outcome"] == "permit", decision["reasons"]
    return decision


async def trade(market: Market, request: dict[str, Any]) -> None:
    answer = await market.settle(await permit(market, request))
    assert answer.status_code == 200, answer.text


async def list_links(market: Market) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = (await market.read("/v1/holder-links"))["data"]
    return links


async def test_one_person_at_two_venues_is_one_holder(market: Market, east: Market, west: Market, ada: Wallet) -> None:
    await market.put_security(caps={"holders": 1})
    await trade(east, east.buy("e-ada"))
    assert await list_links(market) == []
    await trade(west, west.buy("w-ada", 50))
    assert await market.positions() == {"e-ada": "150"}
    assert (await market.holders())["holders"] == 1
    [made] = await list_links(market)
    assert made["id"] == f"{west.member.org_id}/w-ada"
    assert (made["source"], made["holder"]) == ("kyc", {"org_id": east.member.org_id, "investor_ref": "e-ada"})
    await west.admit("w-bob")
    assert codes(await west.decide(west.buy("w-bob"))) == ["US_12G_2000"]
    assert await reconcile_all(market.deployment) == []


async def test_lots_are_sold_where_they_were_not_bought(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    await trade(east, east.buy("e-ada"))
    market.deployment.clock.advance(days=400)
    wallet = await west.scene.new_wallet(sub="person-ada")
    await west.admit("w-ada", wallet)
    await west.admit("w-bob")
    await west.screen("w-ada")
    await west.screen("w-bob")
    request = west.sell("w-ada", "w-bob", 60)
    decision = await west.decide(request)
    assert "INSUFFICIENT_BALANCE" not in codes(decision)
    assert decision["max_permitted_quantity"] is None or int(decision["max_permitted_quantity"]) <= 100
    over = await west.decide(request | {"quantity": "101"})
    assert "INSUFFICIENT_BALANCE" in codes(over)


async def test_what_is_promised_at_one_venue_is_promised_at_the_other(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    await open_old_lot(market, east, "e-ada", 100)
    await east.admit("e-bob")
    await west.admit("w-bob")
    held = await permit(east, east.sell("e-ada", "e-bob", 70))
    assert codes(await west.decide(west.sell("w-ada", "w-bob", 40))) == ["INSUFFICIENT_BALANCE"]
    await permit(west, west.sell("w-ada", "w-bob", 30))
    await east.void(held)
    await permit(west, west.sell("w-ada", "w-bob", 70))
    assert await reconcile_all(market.deployment) == []


async def open_old_lot(market: Market, venue: Market, ref: str, quantity: int) -> None:
    """Give an investor of a venue a lot that is old enough to be sold."""
    await market.open_lot(f"old-{ref}", quantity, accredited=True)
    assert (await link(market, (market, f"old-{ref}"), (venue, ref))).status_code == 201


async def test_a_person_new_to_two_venues_in_one_batch(market: Market, east: Market, west: Market, ada: Wallet) -> None:
    await market.put_security(caps={"holders": 1})
    asked = [(each.member.org_id, each.buy(ref)) for each, ref in ((east, "e-ada"), (west, "w-ada"))]
    first, second = (each.transfer for each in await decide_together(market, asked))
    assert first.decided_at == second.decided_at
    assert (await market.holders())["reserved"] == 1
    for venue, decision in ((west, second), (east, first)):
        assert (await venue.settle({"id": decision.id})).status_code == 200
    assert list((await market.positions()).values()) == ["200"]
    assert (await market.holders())["holders"] == 1
    assert await reconcile_all(market.deployment) == []


async def test_a_person_met_in_another_security_of_the_same_batch_keeps_what_they_have(
    market: Market, east: Market, ada: Wallet
) -> None:
    """The registrar's own investor has lots from before; a batch learns who that is while it decides."""
    await other(market).open_lot("r-ada", 500, accredited=True)
    await market.admit("r-ada", ada)
    bond = Market(east.scene, east.member, "bond")
    asked = [(market.member.org_id, market.buy("r-ada")), (east.member.org_id, bond.buy("e-ada"))]
    assert [each.transfer.outcome for each in await decide_together(market, asked)] == ["permit", "permit"]
    assert await reconcile_all(market.deployment) == []
    assert await other(market).positions() == {"r-ada": "500"}
    assert (await other(market).holders())["holders"] == 1


async def decide_together(market: Market, asked: list[tuple[str, dict[str, Any]]]) -> list[Decided]:
    """Have requests of organisations decided in one batch."""
    context = market.deployment.context
    requests = [(org_id, TransferRequest.model_validate(body)) for org_id, body in asked]
    return list(
        await asyncio.gather(
            *(decide_transfer(context, *each, key=f"together-{number}") for number, each in enumerate(requests))
        )
    )


async def test_who_is_linked_elsewhere_still_owns_what_stands_under_the_own_name(
    market: Market, east: Market, ada: Wallet
) -> None:
    await other(market).open_lot("r-ada", 500, accredited=True)
    await trade(east, east.buy("e-ada"))
    await market.admit("r-ada", ada)
    await trade(market, market.buy("r-ada"))
    assert [each["source"] for each in await list_links(market)] == ["kyc"]
    await market.admit("bob")
    bond = other(market)
    await trade(bond, bond.sell("r-ada", "bob", 200))
    assert await bond.positions() == {"bob": "200", "r-ada": "300"}
    assert (await link(market, (market, "r-ada"), (east, "e-ada"))).status_code == 200
    assert await bond.positions() == {"bob": "200", "e-ada": "300"}
    await trade(bond, bond.sell("r-ada", "bob", 300))
    assert await reconcile_all(market.deployment) == []


async def test_opening_positions_of_somebody_linked_are_the_holders(market: Market, east: Market, ada: Wallet) -> None:
    await trade(east, east.buy("e-ada"))
    assert (await link(market, (market, "r-ada"), (east, "e-ada"))).status_code == 201
    await market.open_lot("r-ada", 11, accredited=True)
    assert await market.positions() == {"e-ada": "111"}
    assert (await market.holders())["holders"] == 1
    assert await reconcile_all(market.deployment) == []


async def test_the_registrar_links_and_lots_counters_sales_and_offers_become_one(
    market: Market, east: Market, west: Market
) -> None:
    await east.admit("e-ada", sub="person-ada-by-one-vendor")
    await west.admit("w-ada", sub="person-ada-by-another")
    await market.put_offering("reg-d", REG_D | {"reporting": True, "current_public_info": True, "awtv": "10000"})
    await market.put_offering("reg-cf", REG_CF)
    await open_old_lot(market, west, "w-ada", 1000)
    await trade(east, east.buy("e-ada", 10))
    await trade(west, west.buy("w-ada", 20))
    await west.admit("w-bob", purpose="us.reg_s")
    await trade(west, west.sell("w-ada", "w-bob", 5, **AFFILIATE))
    assert (await market.holders())["holders"] == 3
    offer = {"investor_ref": "w-ada", "country": "US"}
    assert (await west.call("POST", "/v1/securities/note/offerings/reg-cf/offerees", offer)).status_code == 201
    made = await link(market, (west, "w-ada"), (east, "e-ada"))
    assert (made.status_code, made.json()["source"]) == (201, "registrar")
    assert (await market.holders())["holders"] == 2
    assert await market.positions() == {"e-ada": "1025", "w-bob": "5"}
    async with market.deployment.context.database.reading() as session:
        columns = AffiliateSale.investor_ref, Offeree.investor_ref, HolderPerson.investor_ref
        for column in columns:
            names = set((await session.exec(select(column))).all())
            assert ("w-ada" in names, "e-ada" in names) == (False, True), column
    again = await link(market, (west, "w-ada"), (east, "e-ada"))
    assert (again.status_code, again.json()) == (200, made.json())
    await east.admit("e-bob")
    await trade(east, east.sell("e-ada", "e-bob", 1025))
    assert await reconcile_all(market.deployment) == []


async def test_a_purchase_follows_its_buyer(market: Market, east: Market, west: Market) -> None:
    await market.put_offering("reg-b", REG_D | {"regime": "us.506b", "general_solicitation": False})
    await east.admit("e-ada", sub="one")
    await west.admit("w-ada", sub="two")
    for venue, ref in ((east, "e-ada"), (west, "w-ada")):
        await trade(venue, venue.buy(ref, 10, offering_id="reg-b", trade={"buyer": {"suitability_done": True}}))
    async with market.deployment.context.database.reading() as session:
        before = {row.buyer_ref for row in (await session.exec(select(Purchase))).all()}
    assert before == {"e-ada", "w-ada"}
    assert (await link(market, (west, "w-ada"), (east, "e-ada"))).status_code == 201
    async with market.deployment.context.database.reading() as session:
        bought = (await session.exec(select(Purchase))).all()
        assert {(row.buyer_org_id, row.buyer_ref) for row in bought} == {(east.member.org_id, "e-ada")}
        assert (await session.exec(select(DailySales))).all() != []


async def test_a_link_waits_for_what_is_promised(market: Market, east: Market, west: Market) -> None:
    await east.admit("e-ada", sub="one")
    await west.admit("w-ada", sub="two")
    held = await permit(west, west.buy("w-ada"))
    await trade(east, east.buy("e-ada", 10))
    for investor, holder in (((west, "w-ada"), (east, "e-ada")), ((east, "e-ada"), (west, "w-ada"))):
        refused = await link(market, investor, holder)
        assert (refused.status_code, refused.json()["code"]) == (409, "holder_has_reservations")
    await west.settle(held)
    assert (await link(market, (west, "w-ada"), (east, "e-ada"))).status_code == 201


async def test_a_promise_whose_time_is_over_keeps_nobody_from_being_linked(
    market: Market, east: Market, west: Market
) -> None:
    await east.admit("e-ada", sub="one")
    await west.admit("w-ada", sub="two")
    await permit(west, west.buy("w-ada"))
    market.deployment.clock.advance(seconds=60)
    assert (await link(market, (west, "w-ada"), (east, "e-ada"))).status_code == 201
    assert (await market.holders())["reserved"] == 0
    assert await reconcile_all(market.deployment) == []


async def test_a_link_during_a_promise_of_a_sale_is_refused(market: Market, east: Market, west: Market) -> None:
    await east.admit("e-ada", sub="one")
    await west.admit("w-ada", sub="two")
    await west.admit("w-bob")
    await market.open_lot("old", 100, accredited=True)
    await link(market, (market, "old"), (west, "w-ada"))
    await permit(west, west.sell("w-ada", "w-bob", 1))
    refused = await link(market, (west, "w-ada"), (east, "e-ada"))
    assert refused.json()["code"] == "holder_has_reservations"


async def test_links_form_chains_and_never_circles(market: Market, east: Market, west: Market) -> None:
    for venue, ref in ((east, "a"), (west, "b"), (east, "c"), (west, "d")):
        await venue.admit(ref, sub=f"by-{ref}")
        await trade(venue, venue.buy(ref, 10))
    assert (await link(market, (east, "a"), (west, "b"))).status_code == 201
    assert (await link(market, (west, "b"), (east, "c"))).status_code == 201
    assert await market.positions() == {"c": "30", "d": "10"}
    assert {each["investor_ref"]: each["holder"]["investor_ref"] for each in await list_links(market)} == {
        "a": "c",
        "b": "c",
    }
    assert (await link(market, (west, "d"), (east, "a"))).json()["holder"]["investor_ref"] == "c"
    circle = await link(market, (east, "c"), (east, "a"))
    assert (circle.status_code, circle.json()["code"]) == (422, "holder_link_invalid")
    assert (await link(market, (east, "c"), (east, "c"))).json()["code"] == "holder_link_invalid"
    moved = await link(market, (east, "a"), (west, "e"))
    assert (moved.status_code, moved.json()["code"]) == (409, "holder_linked")
    nowhere = await market.call(
        "PUT", "/v1/holder-links/org_none/a", {"org_id": east.member.org_id, "investor_ref": "c"}
    )
    assert nowhere.status_code == 404
    assert await market.positions() == {"c": "40"}
    assert await reconcile_all(market.deployment) == []


async def test_links_are_each_registrars_own(market: Market, east: Market, west: Market, ada: Wallet) -> None:
    await trade(east, east.buy("e-ada"))
    assert (await link(west, (east, "e-ada"), (west, "w-ada"))).status_code == 201
    assert await market.positions() == {"e-ada": "100"}
    assert [await list_links(each) for each in (market, east)] == [[], []]


async def test_a_venue_learns_neither_names_nor_that_there_is_another(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    await trade(east, east.buy("e-ada"))
    answers: list[httpx2.Response] = []
    decided = await west.post(west.buy("w-ada", 10))
    answers.append(decided)
    answers.append(await west.settle(decided.json()))
    answers.append(await west.post(west.sell("w-ada", "w-bob", 500)))
    answers.append(await west.call("POST", "/v1/transfers/preview", west.sell("w-ada", "w-bob", 5)))
    paths = [f"/v1/transfers/{each.json()['id']}{part}" for each in (decided, answers[2]) for part in ("", "/bundle")]
    answers += [await west.call("GET", path, scopes="gate compliance audit") for path in paths]
    answers.append(await west.call("GET", "/v1/holder-links"))
    answers.append(
        await west.call(
            "POST", "/v1/eligibility", {"investors": ["w-ada"], "securities": ["note"], "action": "primary"}
        )
    )
    assert answers[-2].json()["data"] == []
    for answer in answers:
        assert answer.status_code == 200, answer.text
        for secret in ("e-ada", east.member.org_id, "east"):
            assert secret not in answer.text, (answer.request.url, secret)
    assert "w-ada" in json.dumps([each.json() for each in answers])


async def test_a_venue_without_a_grant_has_nothing_of_it(market: Market, east: Market, ada: Wallet) -> None:
    stranger = await open_venue(market, "stranger", "bond")
    await stranger.admit("s-ada", ada)
    await trade(east, east.buy("e-ada"))
    unknown = await stranger.post(stranger.buy("s-ada", security_id="never"))
    for request in (stranger.buy("s-ada"), stranger.sell("s-ada", "s-bob")):
        answer = await stranger.post(request)
        assert (answer.status_code, answer.json() | {"instance": ""}) == (404, unknown.json() | {"instance": ""})
    bond = Market(stranger.scene, stranger.member, "bond")
    decision = await bond.decide(bond.sell("s-ada", "s-bob", 1))
    assert "INSUFFICIENT_BALANCE" in codes(decision)


async def test_outside_its_grant_a_venue_sells_nothing_for_a_linked_holder(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    await open_old_lot(market, east, "e-ada", 100)
    await west.admit("w-bob")
    path = f"/v1/securities/note/grants/{west.member.org_id}"
    assert (await market.call("PUT", path, {"actions": ["primary"]})).status_code == 200
    decision = await west.decide(west.sell("w-ada", "w-bob", 1))
    assert "VENUE_NOT_LICENSED" in codes(decision)


async def test_a_security_of_its_own_gives_a_venue_nothing_of_another_by_the_same_id(
    market: Market, east: Market, ada: Wallet
) -> None:
    await market.put_security(settle_within=86_400)
    held = await permit(east, east.buy("e-ada"))
    await east.put_security(name="Own")
    assert (await east.post(east.buy("e-ada"))).json()["code"] == "not_found"  # its own has no such offering
    path = f"/v1/securities/note/grants/{east.member.org_id}"
    assert (await market.call("DELETE", path)).status_code == 204
    refused = await east.settle(held)
    assert [each["code"] for each in refused.json()["errors"]] == ["VENUE_NOT_LICENSED"]


async def test_recovery_under_the_name_of_another_venue(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    await open_old_lot(market, east, "e-ada", 100)
    await link(market, (west, "w-ada"), (east, "e-ada"))
    await west.admit("w-new", ada)
    await trade(west, ask(west, "recovery", "w-ada", "w-new", 100))
    assert list((await market.positions()).values()) == ["100"]
    assert (await market.holders())["holders"] == 1
    assert await reconcile_all(market.deployment) == []


async def test_a_pledge_at_one_venue_binds_at_the_other_and_is_liquidated_there(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    await open_old_lot(market, east, "e-ada", 100)
    await link(market, (west, "w-ada"), (east, "e-ada"))
    for venue, ref in ((west, "w-bank"), (west, "w-bob"), (east, "e-bob"), (east, "e-bank")):
        await venue.admit(ref)
    await trade(west, ask(west, "pledge", "w-ada", "w-bank", 60, trade=CONTROL | {"recourse": True}))
    assert codes(await east.decide(east.sell("e-ada", "e-bob", 41))) == ["INSUFFICIENT_BALANCE"]
    foreign = await east.decide(ask(east, "liquidation", "e-bank", "e-bob", 10, trade=NO_AFFILIATE))
    assert "INSUFFICIENT_BALANCE" in codes(foreign)
    await trade(west, ask(west, "liquidation", "w-bank", "w-bob", 60, trade=NO_AFFILIATE))
    assert await market.positions() == {"e-ada": "40", "w-bob": "60"}
    assert await reconcile_all(market.deployment) == []


async def test_affiliates_share_one_limit_across_venues(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    await market.put_offering("reg-d", REG_D | {"reporting": True, "current_public_info": True, "awtv": "10000"})
    await open_old_lot(market, east, "e-ada", 20_000)
    await east.admit("e-bob", purpose="us.reg_s")
    await west.admit("w-bob", purpose="us.reg_s")
    await permit(east, east.sell("e-ada", "e-bob", 9_000, **AFFILIATE))
    assert codes(await west.decide(west.sell("w-ada", "w-bob", 1_001, **AFFILIATE))) == ["US_144_VOLUME"]
    await permit(west, west.sell("w-ada", "w-bob", 1_000, **AFFILIATE))


async def test_a_promise_is_settled_for_whom_it_was_made(
    market: Market, east: Market, west: Market, ada: Wallet
) -> None:
    """The taker of a reservation stays, whatever is learned of the person until it is settled."""
    held = await permit(west, west.buy("w-ada"))
    await trade(east, east.buy("e-ada", 5))
    assert (await west.settle(held)).status_code == 200
    assert list((await market.positions()).values()) == ["105"]
    async with market.deployment.context.database.reading() as session:
        [row] = (await session.exec(select(HolderCount).where(HolderCount.security_id == "note"))).all()
        assert (row.pending, row.quantity) == (0, 105)
        assert len((await session.exec(select(HolderLink))).all()) == 1
