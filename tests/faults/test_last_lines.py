"""What the database refuses by itself, whatever the code above it does."""

from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from service.storage.tables import LogCheckpoint, Lot, Reservation, ReservationEnding, Security, Transfer
from tests.deployment import Deployment
from tests.gate_support import Market, open_market


@pytest.fixture
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment, caps={"holders": 2})
    await market.admit("alice")
    await market.settle(await market.decide(market.buy("alice", 10)))
    return market


async def _refuses(market: Market, statement: Any, constraint: str) -> None:
    async with market.deployment.context.database.transaction() as session:
        connection = await session.connection()
        with pytest.raises(DBAPIError) as refused:
            await connection.execute(statement)
        await session.rollback()
    assert constraint in str(refused.value.orig).replace(".", "_"), refused.value.orig


async def _read_row(market: Market, model: Any) -> tuple[Table, dict[str, Any]]:
    table: Table = model.__table__
    async with market.deployment.context.database.reading() as session:
        rows = (await (await session.connection()).execute(select(table))).mappings().all()
    return table, dict(rows[0])


async def test_a_second_ending_of_one_reservation(market: Market) -> None:
    table, row = await _read_row(market, ReservationEnding)
    await _refuses(market, insert(table).values(row | {"state": "void"}), "reservation_ending")


async def test_a_second_decision_under_one_key(market: Market) -> None:
    table, row = await _read_row(market, Transfer)
    await _refuses(market, insert(table).values(row | {"id": "trf_other"}), "idempotency")


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"holders_reserved": 2}, "ck_security_limits"),
        ({"outstanding": 1_000_001}, "ck_security_outstanding"),
        ({"holders": -1}, "ck_security_counters"),
    ],
)
async def test_counters_beyond_their_bounds(market: Market, changed: dict[str, int], constraint: str) -> None:
    await _refuses(market, update(Security).values(changed), constraint)


@pytest.mark.parametrize("model", [Reservation, ReservationEnding])
async def test_a_reservation_or_an_ending_that_changes(market: Market, model: Any) -> None:
    table: Table = model.__table__
    await _refuses(market, update(table).values(transfer_id="trf_other"), "rows never change")
    await _refuses(market, delete(table), "rows never change")


async def test_more_promised_of_a_lot_than_it_has(market: Market) -> None:
    await _refuses(market, update(Lot).values(reserved=11), "ck_lot_reserved")


async def test_two_checkpoints_that_continue_the_same_one(market: Market) -> None:
    row = {"tree_size": 7, "previous_size": 0, "root": b"", "note": "", "signed_at": market.deployment.clock()}
    table: Table = LogCheckpoint.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
    async with market.deployment.context.database.transaction() as session:
        await (await session.connection()).execute(insert(table).values(row))
    await _refuses(market, insert(table).values(row | {"tree_size": 8}), "previous_size")
