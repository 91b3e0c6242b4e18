"""``shadow --platform``: past trades with what a platform's register and standings hold, and nothing recorded."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlmodel import func, select

from service.cli.shadow_comparison import compare
from service.cli.shadow_judging import NEEDED_BY_PLATFORM, judge_by_platform
from service.cli.shadow_trades import TradeFileError, read_trades
from service.storage.tables import AuditEntry
from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.prepared import prepared

COLUMNS = "trade_date,action,security,offering,seller,buyer,quantity,price,currency,outcome,offering.state"


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    return await open_market(sqlite_deployment)


async def shadow(market: Market, rows: Sequence[str]) -> dict[str, Any]:
    trades = read_trades("\n".join([COLUMNS, *rows]), needed=NEEDED_BY_PLATFORM, assumed={})
    judged = judge_by_platform(
        trades, context=market.deployment.context, org_id=market.member.org_id, rules_version=None
    )
    return compare([each async for each in judged])


async def count_entries(market: Market) -> int:
    async with market.deployment.context.database.reading() as session:
        return (await session.exec(select(func.count()).select_from(AuditEntry))).one()


async def test_standings_and_register_answer_what_columns_leave_out(market: Market) -> None:
    await market.admit("alice")
    before, today = await count_entries(market), market.deployment.clock().date()
    told = await shadow(
        market,
        [
            f"{today},primary,note,reg-d,,alice,100,1000,USD,settled,",
            f"{today},primary,note,reg-d,,nobody,100,1000,USD,settled,",
            f"{today},primary,note,reg-d,,alice,100,1000,USD,settled,closed",
            f"{today.replace(year=today.year - 1)},primary,note,reg-d,,alice,100,1000,USD,rejected,",
        ],
    )
    rows = {(group["kind"], group["code"]): group["rows"] for group in told["groups"]}
    assert rows["both_permitted", None] == [2]
    assert rows["settled_denied", "OFFERING_CLOSED"] == [4]
    assert rows["settled_denied", "KYC_MISSING"] == [3]
    assert rows["both_denied", "US_506C_VERIFICATION_STALE"] == [5]  # verified after that trade
    assert rows["both_denied", "AML_SCREEN_STALE"] == [5]
    assert await count_entries(market) == before


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{today},primary,other,reg-d,,alice,1,1,USD,settled,", "row 2: "),
        ("{today},primary,note,reg-d,,alice,1,1,EUR,settled,", "row 2: price/currency must be USD"),
        ("{today},primary,note,reg-d,bob,alice,1,1,USD,settled,", "row 2: seller has no place in a primary"),
        ("{today},primary,note,reg d,,alice,1,1,USD,settled,", "row 2: offering_id: "),
    ],
)
async def test_a_row_that_the_platform_cannot_judge_is_named(market: Market, row: str, expected: str) -> None:
    with pytest.raises(TradeFileError) as raised:
        await shadow(market, [row.format(today=market.deployment.clock().date())])
    assert raised.value.detail.startswith(expected)
