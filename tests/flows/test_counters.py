"""Holders by category: one slot for one investor, none for whom another makes room, and never a wrong count."""

import random
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.tables import HeldReservation, HolderCount, Lot, Reservation, Security
from tests.deployment import Deployment
from tests.gate_support import REG_D, Market, codes, open_market
from tests.prepared import prepared

NOTE = {"trade": {"seller": {"affiliate": False}, "general_solicitation": False}}


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    for ref in ("alice", "bob"):
        await market.admit(ref)
    return market


async def counted(market: Market, name: str = "holders") -> tuple[int, int]:
    found = (await market.holders())["categories"][name]
    return found["held"], found["reserved"]


async def permit(market: Market, request: dict[str, Any]) -> dict[str, Any]:
    decision = await market.decide(request)
    assert decision["outcome"] == "permit", codes(decision)
    return decision


async def test_two_purchases_of_one_new_investor_take_one_slot(market: Market) -> None:
    await market.put_security(caps={"holders": 1})
    first = await permit(market, market.buy("alice"))
    second = await permit(market, market.buy("alice"))
    assert await counted(market) == (0, 1)
    await market.void(first)
    assert await counted(market) == (0, 1)
    assert codes(await market.decide(market.buy("bob"))) == ["US_12G_2000"]
    await market.settle(second)
    assert await counted(market) == (1, 0)
    await permit(market, market.buy("alice"))
    assert await counted(market) == (1, 0)


async def test_the_slot_is_free_once_the_last_purchase_ended(market: Market) -> None:
    await market.put_security(caps={"holders": 1})
    for decision in [await permit(market, market.buy("alice")) for _ in range(2)]:
        await market.void(decision)
    await permit(market, market.buy("bob"))


async def test_an_exit_makes_room_for_its_own_buyer_and_for_others_only_once_settled(market: Market) -> None:
    await market.put_security(caps={"holders": 1})
    await market.open_lot("alice", 10)
    exit_sale = await permit(market, market.sell("alice", "bob", 10))
    assert await counted(market) == (1, 0)
    await market.admit("carol")
    assert codes(await market.decide(market.buy("carol"))) == ["US_12G_2000"]
    await market.settle(exit_sale)
    assert await counted(market) == (1, 0)
    assert codes(await market.decide(market.buy("carol"))) == ["US_12G_2000"]


async def test_who_buys_while_leaving_does_not_leave(market: Market) -> None:
    await market.put_security(caps={"holders": 1})
    await market.open_lot("alice", 10)
    exit_sale = await permit(market, market.sell("alice", "bob", 10))
    purchase = await permit(market, market.buy("alice", 5))
    refused = await market.settle(exit_sale)
    assert [each["code"] for each in refused.json()["errors"]] == ["US_12G_2000"]
    assert (await market.settle(purchase)).status_code == 200
    assert await counted(market) == (1, 0)


async def test_a_slot_stays_with_who_sold_out_and_bought_again(market: Market) -> None:
    await market.open_lot("alice", 10)
    exit_sale = await permit(market, market.sell("alice", "bob", 10))
    await permit(market, market.buy("alice", 5))
    assert (await market.settle(exit_sale)).status_code == 200
    assert await counted(market) == (1, 1)


async def test_a_lower_cap_only_keeps_the_count_from_rising(market: Market) -> None:
    await market.open_lot("alice", 10)
    await market.open_lot("bob", 10)
    await market.put_security(caps={"holders": 1, "nonaccredited_holders": 1, "beneficial_owners": 1})
    await market.admit("carol")
    assert codes(await market.decide(market.buy("carol"))) == ["US_3C1_LIMIT", "US_12G_2000"]
    await permit(market, market.sell("alice", "bob", 10))
    await permit(market, market.buy("bob", 5))
    await market.put_security(caps={"holders": 2})
    assert codes(await market.decide(market.buy("carol"))) == ["US_12G_2000"]


@pytest.mark.parametrize(("holders", "outcome"), [(498, "permit"), (499, "deny")])
async def test_the_non_accredited_holders_of_12g(market: Market, holders: int, outcome: str) -> None:
    await market.put_security(issued_quantity="1000000")
    await market.put_offering("reg-d", REG_D | {"exchange_act_12g": True, "total_assets": "25000000"})
    await open_many(market, holders)
    await market.admit("dora", purpose="us.reg_s")
    decision = await market.decide(market.sell("h0", "dora", 1, **NOTE))
    assert (decision["outcome"], codes(decision)) == (outcome, ["US_12G_500_NONACC"] * (outcome == "deny"))


async def open_many(market: Market, count: int, **particulars: Any) -> None:
    """Open one lot each for ``count`` investors; the first may sell."""
    await market.admit("h0", purpose="us.reg_s")
    lot = {"offering_id": "reg-d", "quantity": "10", "acquired_on": "2024-01-10", "from": "issuer"} | particulars
    lots = [{"investor_ref": f"h{number}"} | lot for number in range(count)]
    answer = await market.call("POST", f"/v1/securities/{market.security_id}/positions", {"lots": lots})
    assert answer.status_code == 201, answer.text


async def test_accredited_holders_leave_the_non_accredited_count_alone(market: Market) -> None:
    await market.put_security(caps={"nonaccredited_holders": 1})
    await market.open_lot("alice", 10, accredited=True)
    await market.admit("dora", purpose="us.reg_s")
    await market.admit("emil", purpose="us.reg_s", sub="subject-emil")
    sold = await permit(market, market.sell("alice", "dora", 5))
    assert await counted(market, "nonaccredited_holders") == (0, 1)
    assert codes(await market.decide(market.sell("alice", "emil", 5))) == ["US_12G_500_NONACC"]
    await permit(market, market.sell("alice", "bob", 5))
    await market.settle(sold)
    assert await counted(market, "nonaccredited_holders") == (1, 0)
    await permit(market, market.sell("dora", "emil", 5))


async def test_a_holder_who_is_no_longer_known_as_accredited_counts_again(market: Market) -> None:
    await market.put_security(caps={"nonaccredited_holders": 1})
    await market.open_lot("alice", 10, accredited=True)
    await market.admit("dora", purpose="us.reg_s")
    await market.open_lot("dora", 10, accredited=True)
    await market.open_lot("emil", 10)
    assert codes(await market.decide(market.sell("alice", "dora", 5))) == ["US_12G_500_NONACC"]
    await permit(market, market.sell("alice", "bob", 5))


@pytest.mark.parametrize(("count", "outcome"), [(99, "permit"), (100, "deny")])
async def test_the_hundred_owners_of_a_private_fund(market: Market, count: int, outcome: str) -> None:
    await market.put_offering("reg-d", REG_D | {"ica": "3c1"})
    await open_many(market, count)
    decision = await market.decide(market.buy("alice"))
    assert (decision["outcome"], codes(decision)) == (outcome, ["US_3C1_LIMIT"] * (outcome == "deny"))
    assert (await market.decide(market.sell("h0", "alice", 10)))["outcome"] == "permit"


@pytest.mark.parametrize(("quantity", "voting", "owners"), [(100, True, 1), (99, True, 30), (100, False, 30)])
async def test_a_fund_counts_as_its_owners_from_a_tenth_of_the_votes(
    market: Market, quantity: int, voting: bool, owners: int
) -> None:
    await market.put_security(voting=voting)
    await market.put_offering("reg-d", REG_D | {"ica": "3c1"})
    await market.open_lot("bob", 900)
    fund = {"buyer": {"is_fund": True, "own_owners": 30}}
    decision = await permit(market, market.buy("alice", quantity, trade=fund))
    expected = 30 if voting and quantity == 100 else 1
    assert expected != owners
    assert await counted(market, "beneficial_owners") == (1, expected)
    await market.settle(decision)
    assert await counted(market, "beneficial_owners") == (1 + expected, 0)


@pytest.mark.parametrize(("exclusion", "missing"), [("3c1", ["INPUT_MISSING"]), (None, [])])
async def test_a_fund_that_does_not_count_its_owners_is_asked_where_they_matter(
    market: Market, exclusion: str | None, missing: list[str]
) -> None:
    await market.put_security()
    await market.put_offering("reg-d", REG_D | ({"ica": exclusion} if exclusion else {}))
    await market.open_lot("bob", 900)
    decision = await market.decide(market.buy("alice", 100, trade={"buyer": {"is_fund": True}}))
    assert (decision["outcome"], codes(decision)) == ("deny" if missing else "permit", missing)
    assert await counted(market, "beneficial_owners") == (1, int(not missing))


async def test_a_fund_that_grows_adds_only_what_it_did_not_count_as(market: Market) -> None:
    await market.put_security(caps={"beneficial_owners": 31})
    await market.put_offering("reg-d", REG_D | {"ica": "3c1"})
    await market.open_lot("bob", 900)
    fund = {"buyer": {"is_fund": True, "own_owners": 30}}
    small = await permit(market, market.buy("alice", 50, trade=fund))
    large = await permit(market, market.buy("alice", 60, trade=fund))  # with the first, more than a tenth
    assert await counted(market, "beneficial_owners") == (1, 30)
    await market.void(large)
    assert await counted(market, "beneficial_owners") == (1, 1)
    await market.settle(small)
    await market.settle(await permit(market, market.buy("alice", 60, trade=fund)))
    assert await counted(market, "beneficial_owners") == (31, 0)
    await permit(market, market.buy("alice", 10, trade=fund))
    larger = {"buyer": {"is_fund": True, "own_owners": 31}}
    assert codes(await market.decide(market.buy("alice", 10, trade=larger))) == ["US_3C1_LIMIT"]


async def test_a_fund_that_leaves_frees_all_that_it_counted_as(market: Market) -> None:
    await market.put_security(caps={"beneficial_owners": 31})
    await market.put_offering("reg-d", REG_D | {"ica": "3c1"})
    await market.open_lot("carol", 100)
    await market.open_lot("alice", 100, beneficial_owners=30)
    fund: dict[str, Any] = {"is_fund": True, "own_owners": 31}
    trade = NOTE["trade"] | {"buyer": fund}
    assert codes(await market.decide(market.sell("alice", "bob", 100, trade=trade))) == ["US_3C1_LIMIT"]
    fund["own_owners"] = 30
    sold = await permit(market, market.sell("alice", "bob", 100, trade=trade))
    assert (await market.settle(sold)).status_code == 200
    assert await counted(market, "beneficial_owners") == (31, 0)


async def test_a_seller_frees_the_place_that_the_register_gave(market: Market) -> None:
    """Known as accredited when it acquired and not today, it frees none; the other way round, it does."""
    await market.put_security(caps={"nonaccredited_holders": 1})
    await market.admit("dora", purpose="us.reg_s")
    await market.admit("emil", purpose="us.reg_s", sub="subject-emil")
    await market.open_lot("dora", 10, accredited=True)
    await market.open_lot("alice", 10)
    assert codes(await market.decide(market.sell("dora", "emil", 10))) == ["US_12G_500_NONACC"]
    sold = await permit(market, market.sell("alice", "emil", 10))
    assert (await market.settle(sold)).status_code == 200
    assert await counted(market, "nonaccredited_holders") == (1, 0)


async def test_the_database_refuses_what_passes_a_cap(market: Market) -> None:
    await market.put_security(caps={"holders": 1})
    await market.open_lot("alice", 10)
    statement = update(Security).values(holders_reserved=1)
    async with market.deployment.context.database.transaction() as session:
        connection = await session.connection()
        with pytest.raises(IntegrityError, match="ck_security_limits"):
            await connection.execute(statement)
        await session.rollback()


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_counters_are_what_the_rows_add_up_to(market: Market, seed: int) -> None:
    chance = random.Random(seed)
    await market.put_security(caps={"holders": 3, "beneficial_owners": 33, "nonaccredited_holders": 2})
    await market.put_offering("reg-d", REG_D | {"ica": "3c1"})
    await market.admit("carol", purpose="us.reg_s")
    await market.admit("dave", purpose="us.reg_s", sub="subject-dave")
    refs = ["alice", "bob", "carol", "dave"]
    for ref in refs[:2]:
        await market.open_lot(ref, 10)
    held: list[dict[str, Any]] = []
    outcomes = set[str]()
    for _ in range(40):
        held = await act_by_chance(market, chance, refs, held, outcomes)
        async with market.deployment.context.database.reading() as session:
            await check_counters(session)
    assert outcomes >= {"permit", "deny", "settled", "void"}


async def act_by_chance(
    market: Market, chance: random.Random, refs: list[str], held: list[dict[str, Any]], outcomes: set[str]
) -> list[dict[str, Any]]:
    """Do one thing to the register; return the decisions that may still be settled or given up."""
    action = chance.choices(["sell", "buy", "settle", "void", "wait"], [5, 3, 4, 2, 1])[0]
    fund = {"is_fund": chance.random() < 0.3, "own_owners": chance.choice([2, 30])}
    seller, buyer = chance.sample(refs, 2)
    if action == "wait":
        market.deployment.clock.advance(seconds=40)
        return held
    if action in {"settle", "void"}:
        if held:
            decision = held.pop(chance.randrange(len(held)))
            ended = await getattr(market, action)(decision)
            outcomes.add("settled" if action == "settle" and ended.status_code == 200 else action)
        return held
    owned = int((await market.positions()).get(seller, "0"))
    quantity = chance.choice([owned, max(1, owned // 2)]) or 1
    trade = {"buyer": fund, "seller": {"affiliate": False}, "general_solicitation": False}
    request = (
        market.sell(seller, buyer, quantity, trade=trade)
        if action == "sell"
        else market.buy(chance.choice(refs[:2]), chance.choice([1, 20]), trade={"buyer": fund})
    )
    decision = await market.decide(request)
    outcomes.add(decision["outcome"])
    return [*held, decision] if decision["outcome"] == "permit" else held


async def check_counters(session: AsyncSession) -> None:
    """Add up lots, holders and reservations again, in another way than the service does."""
    head = (await session.exec(select(Security))).one()
    rows = {row.investor_ref: row for row in (await session.exec(select(HolderCount))).all()}
    lots = (await session.exec(select(Lot))).all()
    still = select(HeldReservation.transfer_id)
    promises = (await session.exec(select(Reservation).where(col(Reservation.transfer_id).in_(still)))).all()
    positions = {ref: sum(lot.quantity for lot in lots if lot.investor_ref == ref) for ref in rows}
    assert positions == {ref: row.quantity for ref, row in rows.items()}
    assert {lot.investor_ref for lot in lots} <= rows.keys()
    categories = ("holders", "nonaccredited_holders", "beneficial_owners")
    expected = dict.fromkeys([*categories, *(f"{name}_reserved" for name in categories)], 0)
    for ref, row in rows.items():
        own = [promise for promise in promises if promise.taker_ref == ref]
        assert (row.pending, row.pending_quantity) == (len(own), sum(promise.quantity for promise in own))
        holds = positions[ref] > 0
        plain = holds and not row.accredited
        owners = row.owners if holds else 0
        expected["holders"] += holds
        expected["nonaccredited_holders"] += plain
        expected["beneficial_owners"] += owners
        expected["holders_reserved"] += not holds and any(promise.holder_slots for promise in own)
        expected["nonaccredited_holders_reserved"] += not plain and any(each.nonaccredited_slots for each in own)
        most = max((promise.owner_slots for promise in own), default=0)
        expected["beneficial_owners_reserved"] += max(0, most - owners)
    assert {name: getattr(head, name) for name in expected} == expected
    assert head.holders + head.holders_reserved <= 3
    assert head.beneficial_owners + head.beneficial_owners_reserved <= 33
    assert head.nonaccredited_holders + head.nonaccredited_holders_reserved <= 2
