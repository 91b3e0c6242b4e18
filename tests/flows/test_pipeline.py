"""Requests that meet in one batch: each as if it were alone, in the order in which they came, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import SQLModel, col, select

from service.gate.pipeline import decide_transfer, settle_transfer
from service.gate.transfer_models import TransferRequest
from service.gate.transfers import Decided
from service.storage.database import Database
from service.storage.tables import Investor, Reservation, ReservationEnding, ReservedLot, Transfer
from service.web.context import Context
from service.web.idempotency import IdempotencyKeyReusedError
from tests.deployment import Deployment
from tests.gate_support import REG_D, Market, codes, open_market, reconcile_all
from tests.prepared import prepared


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    for ref in ("alice", "bob"):
        await market.admit(ref)
    return market


@pytest.fixture
async def second_process(market: Market) -> AsyncIterator[Context]:
    """Another process's view of the same database: a pool and a pipeline of its own."""
    context = market.deployment.context
    other = replace(context, database=Database(context.database.url))
    yield other
    await other.database.close()


async def decide(market: Market, body: dict[str, Any], key: str, context: Context | None = None) -> Decided:
    request = TransferRequest.model_validate(body)
    return await decide_transfer(context or market.deployment.context, market.member.org_id, request, key=key)


async def decide_together(market: Market, *asked: tuple[dict[str, Any], str]) -> list[Decided | BaseException]:
    """Have requests decided in one batch; what one raises does not keep the others from being answered."""
    return await asyncio.gather(*(decide(market, *each) for each in asked), return_exceptions=True)


def outcomes(decided: list[Decided | BaseException]) -> list[str]:
    return [each.transfer.outcome if isinstance(each, Decided) else type(each).__name__ for each in decided]


async def count_decisions(market: Market) -> int:
    async with market.deployment.context.database.reading() as session:
        return len((await session.exec(select(Transfer))).all())


async def test_each_finds_what_those_before_it_left(market: Market) -> None:
    await market.open_lot("alice", 100)
    sales = [(market.sell("alice", "bob", quantity), f"sale-{quantity}") for quantity in (60, 50, 40, 1)]
    decided = await decide_together(market, *sales)
    assert outcomes(decided) == ["permit", "deny", "permit", "deny"]
    transfers = [each.transfer for each in decided if isinstance(each, Decided)]
    assert len({each.decided_at for each in transfers}) == 1, "they were no batch"
    assert [each.id for each in transfers] == sorted(each.id for each in transfers)
    assert await reconcile_all(market.deployment) == []


async def test_a_cap_that_is_reached_inside_a_batch(market: Market) -> None:
    await market.put_security(caps={"holders": 3})
    refs = ["alice", "bob", *(f"more-{number}" for number in range(3))]
    for ref in refs[2:]:
        await market.admit(ref)
    decided = await decide_together(market, *((market.buy(ref), ref) for ref in refs))
    assert outcomes(decided) == ["permit"] * 3 + ["deny"] * 2
    assert (await market.holders())["reserved"] == 3
    assert await reconcile_all(market.deployment) == []


async def test_the_last_of_what_was_issued_goes_to_who_came_first(market: Market) -> None:
    await market.put_security(issued_quantity="150")
    decided = await decide_together(market, (market.buy("alice", 100), "a"), (market.buy("bob", 100), "b"))
    assert outcomes(decided) == ["permit", "deny"]


async def test_a_settlement_and_a_decision_that_rests_on_it_in_one_batch(market: Market) -> None:
    context = market.deployment.context
    await market.put_security(caps={"holders": 1})
    await market.admit("carol")
    held = await market.decide(market.buy("alice", 100))
    sale = market.sell("alice", "carol", 100, trade={"seller": {"affiliate": False}, "general_solicitation": False})
    ending = settle_transfer(context, market.member.org_id, held["id"], reference="x", sees_all=True)
    ended, decided, other = await asyncio.gather(
        ending, decide(market, sale, "sale"), decide(market, market.buy("bob"), "other")
    )
    assert ended.state == "settled"
    reasons = {reason["code"] for reason in (await market.read(f"/v1/transfers/{decided.transfer.id}"))["reasons"]}
    assert "INSUFFICIENT_BALANCE" not in reasons  # the lot is there, if too young to be sold
    assert codes(await market.read(f"/v1/transfers/{other.transfer.id}")) == ["US_12G_2000"]
    assert await reconcile_all(market.deployment) == []


async def test_an_overdue_promise_is_over_for_the_whole_batch(market: Market) -> None:
    context = market.deployment.context
    await market.open_lot("alice", 100)
    held = await market.decide(market.sell("alice", "bob", 100))
    market.deployment.clock.advance(seconds=60)
    late = settle_transfer(context, market.member.org_id, held["id"], reference="late", sees_all=True)
    again, ended = await asyncio.gather(
        decide(market, market.sell("alice", "bob", 100), "again"), late, return_exceptions=True
    )
    assert isinstance(again, Decided)
    assert again.transfer.outcome == "permit"
    assert getattr(ended, "code", None) == "reservation_ended"
    async with context.database.reading() as session:
        [ending] = (await session.exec(select(ReservationEnding))).all()
        assert (ending.state, ending.ended_at) == ("expired", market.deployment.clock())


async def test_one_key_twice_in_a_batch(market: Market) -> None:
    first, same, other = await decide_together(
        market, (market.buy("alice"), "k"), (market.buy("alice"), "k"), (market.buy("bob"), "k")
    )
    assert isinstance(first, Decided)
    assert isinstance(same, Decided)
    assert (first.replayed, same.replayed) == (False, True)
    assert same.transfer == first.transfer
    assert isinstance(other, IdempotencyKeyReusedError)
    assert await count_decisions(market) == 1


async def test_one_key_for_two_securities_in_two_processes(market: Market, second_process: Context) -> None:
    """No row is locked by both, so that only the unique key stands between them."""
    bond = Market(market.scene, market.member, "bond")
    await bond.put_security()
    await bond.put_offering("reg-d", REG_D)
    for number in range(8):
        key = f"both-{number}"
        found = await asyncio.gather(
            decide(market, market.buy("alice"), key),
            decide(bond, bond.buy("alice"), key, second_process),
            return_exceptions=True,
        )
        assert sorted(outcomes(list(found))) == ["IdempotencyKeyReusedError", "permit"], found
    assert await count_decisions(market) == 8
    assert await reconcile_all(market.deployment) == []


async def test_two_processes_that_meet_one_key_at_once_decide_once(market: Market, second_process: Context) -> None:
    for number in range(4):
        found = await asyncio.gather(
            decide(market, market.buy("alice"), f"k-{number}"),
            decide(market, market.buy("alice"), f"k-{number}", second_process),
        )
        assert sorted(each.replayed for each in found) == [False, True]
        assert len({each.transfer.id for each in found}) == 1


async def test_what_cannot_be_read_fails_alone(market: Market) -> None:
    context = market.deployment.context
    async with context.database.transaction() as session:
        await session.exec(update(Investor).where(col(Investor.ref) == "bob").values(sealed=b"\x00" * 40))
    asked = ((market.buy("alice"), "before"), (market.buy("bob"), "poison"), (market.buy("alice"), "after"))
    before, poison, after = await decide_together(market, *asked)
    assert outcomes([before, after]) == ["permit", "permit"]
    assert isinstance(poison, Exception)
    assert await count_decisions(market) == 2
    assert await reconcile_all(market.deployment) == []


async def test_who_errs_is_told_so_and_the_others_are_served(market: Market) -> None:
    wrong = market.buy("alice") | {"price": {"amount": "1", "currency": "EUR"}}
    nowhere = market.buy("alice") | {"security_id": "nowhere"}
    decided = await decide_together(market, (wrong, "1"), (market.buy("alice"), "2"), (nowhere, "3"))
    assert outcomes(decided)[1] == "permit"
    assert [getattr(each, "code", "") for each in decided] == ["invalid_transfer", "", "not_found"]


async def test_who_hangs_up_is_decided_all_the_same(market: Market) -> None:
    waiting = asyncio.create_task(decide(market, market.buy("alice"), "gone"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    again = await decide(market, market.buy("alice"), "gone")
    assert again.replayed
    assert again.transfer.outcome == "permit"
    assert await count_decisions(market) == 1


async def test_a_commit_that_fails_answers_nobody(market: Market) -> None:
    attempts = 0

    def lose_connection(_connection: Any) -> None:
        nonlocal attempts
        attempts += 1
        raise OperationalError("COMMIT", None, ConnectionResetError("gone"))

    asked = [(market.buy(ref), f"{ref}-{number}") for number in range(10) for ref in ("alice", "bob")]
    event.listen(Engine, "commit", lose_connection)
    try:
        failed = await decide_together(market, *asked)
    finally:
        event.remove(Engine, "commit", lose_connection)
    assert {type(each) for each in failed} == {OperationalError}
    assert attempts == 1, "a database that is away is not asked once for each"
    assert await count_decisions(market) == 0
    assert outcomes(await decide_together(market, *asked)) == ["permit"] * 20
    assert await reconcile_all(market.deployment) == []


@pytest.mark.parametrize(("seconds", "status"), [(10, 200), (-10, 200), (11, 503), (-11, 503)])
async def test_the_clocks_of_process_and_database_must_agree(market: Market, seconds: int, status: int) -> None:
    market.deployment.clock.database_ahead = timedelta(seconds=seconds)
    answer = await market.post(market.buy("alice"))
    assert answer.status_code == status
    if status == 503:
        assert answer.json()["code"] == "clock_skewed"
        assert await count_decisions(market) == 0


async def test_a_promise_ends_on_the_databases_clock(market: Market) -> None:
    await market.open_lot("alice", 100)
    await market.decide(market.sell("alice", "bob", 100))
    market.deployment.clock.advance(seconds=55)
    assert codes(await market.decide(market.sell("alice", "bob", 1))) == ["INSUFFICIENT_BALANCE"]
    market.deployment.clock.database_ahead = timedelta(seconds=5)
    assert (await market.decide(market.sell("alice", "bob", 1)))["outcome"] == "permit"


@pytest.mark.parametrize("model", [Reservation, ReservedLot, ReservationEnding])
async def test_what_was_reserved_and_how_it_ended_never_changes(market: Market, model: type[SQLModel]) -> None:
    await market.open_lot("alice", 100)
    await market.settle(await market.decide(market.sell("alice", "bob", 100)))
    changes: dict[type[SQLModel], dict[str, Any]] = {
        Reservation: {"holder_slots": 0},
        ReservedLot: {"quantity": 1},
        ReservationEnding: {"state": "void"},
    }
    for statement in (update(model).values(**changes[model]), delete(model)):
        async with market.deployment.context.database.transaction() as session:
            connection = await session.connection()
            with pytest.raises(DBAPIError, match="never change"):
                await connection.execute(statement)
            await session.rollback()


async def test_a_grant_that_was_withdrawn_during_the_wait_is_none(market: Market) -> None:
    context = market.deployment.context
    venue = await market.deployment.add_organization("venue", "platform")
    path = f"/v1/securities/note/grants/{venue.org_id}"
    assert (await market.call("PUT", path, {})).status_code == 201
    request = TransferRequest.model_validate(market.buy("alice"))
    if context.database.is_sqlite:
        pytest.skip("one writer at a time: nobody waits with something read")
    async with context.database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT 1 FROM security FOR UPDATE")
        waiting = asyncio.create_task(decide_transfer(context, venue.org_id, request, key="late"))
        await asyncio.sleep(0.5)
        gone = await market.call("DELETE", path)
        assert gone.status_code == 204
    decided = await waiting
    assert "VENUE_NOT_LICENSED" in decided.transfer.payload
