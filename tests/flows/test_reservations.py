"""What a permit holds, and how it ends exactly once, on both kinds of database."""

import asyncio

from sqlmodel import select

from service.storage.tables import AuditEntry, Lot, ReservationEnding
from tests.deployment import Deployment
from tests.gate_support import REG_D, SECURITY, Market, codes, open_market
from tests.prepared import prepared


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    await market.admit("alice")
    await market.admit("bob")
    return market


async def state_of(market: Market, decision: dict[str, object]) -> str:
    found: str = (await market.read(f"/v1/transfers/{decision['id']}"))["reservation"]["state"]
    return found


async def promised_of(market: Market, ref: str) -> str:
    found = await market.read(f"/v1/securities/{market.security_id}/positions")
    [promised] = [each["reserved"] for each in found["data"] if each["investor_ref"] == ref]
    return str(promised)


async def test_what_is_reserved_cannot_be_sold_twice(market: Market) -> None:
    await market.open_lot("alice", 100)
    first = await market.decide(market.sell("alice", "bob", 70))
    second = await market.decide(market.sell("alice", "bob", 70))
    assert (first["outcome"], codes(second)) == ("permit", ["INSUFFICIENT_BALANCE"])
    assert second["max_permitted_quantity"] == "30"
    await market.void(first)
    assert (await market.decide(market.sell("alice", "bob", 70)))["outcome"] == "permit"


async def test_an_overdue_reservation_is_given_back(market: Market) -> None:
    await market.open_lot("alice", 100)
    first = await market.decide(market.sell("alice", "bob", 100))
    market.deployment.clock.advance(seconds=59)
    assert codes(await market.decide(market.sell("alice", "bob", 1))) == ["INSUFFICIENT_BALANCE"]
    assert await state_of(market, first) == "held"
    market.deployment.clock.advance(seconds=1)
    assert await state_of(market, first) == "expired"
    late = await market.settle(first)
    assert (late.status_code, late.json()["code"]) == (409, "reservation_ended")
    assert (await market.void(first)).json()["code"] == "reservation_ended"
    assert (await market.decide(market.sell("alice", "bob", 100)))["outcome"] == "permit"
    assert await promised_of(market, "alice") == "100"


async def test_a_preview_counts_overdue_reservations_as_free_and_keeps_them(market: Market) -> None:
    await market.open_lot("alice", 100)
    await market.decide(market.sell("alice", "bob", 100))
    market.deployment.clock.advance(seconds=60)
    preview = await market.call("POST", "/v1/transfers/preview", market.sell("alice", "bob", 100))
    assert preview.json()["outcome"] == "permit"
    assert await promised_of(market, "alice") == "100"
    async with market.deployment.context.database.reading() as session:
        assert (await session.exec(select(ReservationEnding))).all() == []


async def test_settling_again_gives_the_same_answer_and_changes_nothing(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    answers = await asyncio.gather(*(market.settle(decision) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert await market.positions() == {"alice": "100"}
    one = {"held": 1, "reserved": 0, "cap": None}
    assert await market.holders() == {
        "holders": 1,
        "reserved": 0,
        "categories": {"holders": one, "nonaccredited_holders": one | {"held": 0}, "beneficial_owners": one},
        "issued_quantity": SECURITY["issued_quantity"],
        "outstanding_quantity": "100",
        "reserved_quantity": "0",
    }
    assert (await market.void(decision)).json()["code"] == "reservation_ended"


async def test_settle_and_void_at_once_end_it_once(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    answers = await asyncio.gather(*(each(decision) for each in [market.settle, market.void] * 4))
    ended = await state_of(market, decision)
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [409] * 4
    assert await market.positions() == ({"alice": "100"} if ended == "settled" else {})
    async with market.deployment.context.database.reading() as session:
        assert len((await session.exec(select(ReservationEnding))).all()) == 1
        kinds = (await session.exec(select(AuditEntry.kind).where(AuditEntry.subject_id == decision["id"]))).all()
    assert sorted(kinds) == sorted(["transfer.decided", f"transfer.{ended}"])


async def test_settling_checks_again(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    await market.scene.accreditor.set_status(1, 1)  # 0 is the scene's own wallet, 2 is bob
    refused = await market.settle(decision)
    assert (refused.status_code, refused.json()["code"]) == (409, "settlement_refused")
    assert [each["code"] for each in refused.json()["errors"]] == ["CRED_REVOKED"]
    assert await state_of(market, decision) == "void"
    assert await market.positions() == {}
    assert (await market.holders())["reserved"] == 0
    assert (await market.settle(decision)).json()["code"] == "reservation_ended"


async def test_a_refused_settlement_withholds_what_the_decision_would(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    await market.screen("alice", "hit")
    refused = await market.settle(decision, scopes="gate")
    assert [each["code"] for each in refused.json()["errors"]] == ["RESTRICTED"]


async def test_its_own_reservation_does_not_stand_in_the_way_of_settling(market: Market) -> None:
    await market.put_security(issued_quantity="100", caps={"holders": 1})
    decision = await market.decide(market.buy("alice", 100))
    assert (await market.settle(decision)).status_code == 200


async def test_only_a_permit_can_be_settled(market: Market) -> None:
    decision = await market.decide(market.buy("nobody"))
    for end in (market.settle, market.void):
        answer = await end(decision)
        assert (answer.status_code, answer.json()["code"]) == (409, "no_reservation")


async def test_many_buyers_at_once_never_pass_the_cap(market: Market) -> None:
    await market.put_security(caps={"holders": 2})
    for ref in ("carol", "dave", "erin"):
        await market.admit(ref)
    refs = ["alice", "bob", "carol", "dave", "erin"]
    decisions = await asyncio.gather(*(market.decide(market.buy(ref)) for ref in refs))
    permits = [each for each in decisions if each["outcome"] == "permit"]
    assert len(permits) == 2
    assert {code for each in decisions for code in codes(each)} == {"US_12G_2000"}
    await market.settle(permits[0])
    market.deployment.clock.advance(seconds=60)
    again = await asyncio.gather(*(market.decide(market.buy(ref)) for ref in refs))
    assert sum(each["outcome"] == "permit" for each in again) >= 1
    for each in again:
        await market.settle(each)
    assert (await market.holders())["holders"] == 2


async def test_selling_out_frees_a_holder(market: Market) -> None:
    await market.open_lot("alice", 10)
    decision = await market.decide(market.sell("alice", "bob", 10))
    await market.settle(decision)
    assert (await market.holders())["holders"] == 1
    assert await market.positions() == {"bob": "10"}


async def test_a_sale_out_of_several_lots_keeps_them_apart(market: Market) -> None:
    await market.open_lot("alice", 30, acquired_on="2022-05-01")
    await market.open_lot("alice", 30, acquired_on="2023-05-01")
    await market.settle(await market.decide(market.sell("alice", "bob", 40)))
    async with market.deployment.context.database.reading() as session:
        lots = (await session.exec(select(Lot).where(Lot.investor_ref == "bob"))).all()
    assert sorted((lot.tack_from.isoformat(), lot.quantity) for lot in lots if lot.tack_from) == [
        ("2022-05-01", 30),
        ("2023-05-01", 10),
    ]


async def test_huge_quantities_stay_exact(market: Market) -> None:
    await market.put_security(issued_quantity=str(10**30), unit_decimals=18)
    await market.put_offering("reg-d", REG_D)
    decision = await market.decide(market.buy("alice", 10**30 - 1))
    await market.settle(decision)
    assert await market.positions() == {"alice": str(10**30 - 1)}
    assert codes(await market.decide(market.buy("alice", 2))) == ["INSUFFICIENT_BALANCE"]


async def test_settling_before_the_trade_date_is_judged_on_the_day_it_happens(market: Market) -> None:
    await market.put_security(settle_within=2 * 86400)
    await market.open_lot("alice", 100, acquired_on="2025-11-25")
    request = market.sell("alice", "bob", 50, trade_date="2026-11-25")
    early = await market.decide(request)
    assert (early["outcome"], early["route"]) == ("permit", "rule144")
    refused = await market.settle(early)
    assert (refused.status_code, refused.json()["code"]) == (409, "settlement_refused")
    assert [each["code"] for each in refused.json()["errors"]] == ["US_RESALE_NO_EXEMPTION"]
    on_time = await market.decide(request)
    market.deployment.clock.advance(hours=44)
    for ref in ("alice", "bob"):
        await market.screen(ref)
    assert (await market.settle(on_time)).status_code == 200
