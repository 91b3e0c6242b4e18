"""Find decisions by what people remember of them, and by nothing that is kept from them, on both kinds of database."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from service.gate.decision_list import CursorInvalidError, DecisionPage, DecisionSearch, list_decisions
from tests.deployment import START, Deployment
from tests.gate_support import Market, open_market, open_venue
from tests.prepared import prepared


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    await market.admit("alice")
    await market.put_investor("bob", frozen=False)
    return market


async def find(market: Market, *, sees_all: bool = True, limit: int = 50, **search: Any) -> DecisionPage:
    deployment = market.deployment
    async with deployment.context.database.reading() as session:
        return await list_decisions(
            session,
            market.member.org_id,
            DecisionSearch(**search),
            sees_all=sees_all,
            limit=limit,
            now=deployment.clock(),
        )


async def find_ids(market: Market, **search: Any) -> list[str]:
    return [each.id for each in (await find(market, **search)).decisions]


async def test_decisions_are_found_by_what_is_remembered_of_them(market: Market) -> None:
    permit = (await market.decide(market.buy("alice")))["id"]
    market.deployment.clock.advance(hours=1)
    deny = (await market.decide(market.buy("bob")))["id"]
    later = START + timedelta(minutes=30)
    assert await find_ids(market) == [deny, permit]
    assert await find_ids(market, outcome="permit") == [permit]
    assert await find_ids(market, investor_ref="bob") == [deny]
    assert await find_ids(market, code="COUNTERPARTY_UNIDENTIFIED") == [deny]
    assert await find_ids(market, code="COUNTERPARTY_UNIDENTIFIED", outcome="permit") == []
    assert await find_ids(market, code="COUNTERPARTY_UNIDENTIFIED", investor_ref="alice") == []
    assert await find_ids(market, code="COUNTERPARTY_UNIDENTIFIED", security_id="note") == [deny]
    assert (await find_ids(market, since=later), await find_ids(market, until=later)) == ([deny], [permit])
    assert await find_ids(market, security_id="note", outcome="deny", investor_ref="bob") == [deny]
    assert await find_ids(market, security_id="other") == []
    listed = {each.id: each for each in (await find(market)).decisions}
    assert (listed[permit].state, listed[permit].codes, listed[permit].buyer_ref) == ("expired", (), "alice")
    assert (listed[deny].state, "COUNTERPARTY_UNIDENTIFIED" in listed[deny].codes) == (None, True)


async def test_pages_follow_one_another(market: Market) -> None:
    made = [(await market.decide(market.buy(ref, 1)))["id"] for ref in ("alice", "bob", "alice", "bob", "alice")]
    for search in ({}, {"security_id": "note"}):
        seen, after = [], None
        for _ in range(3):
            page = await find(market, limit=2, after=after, **search)
            seen += [each.id for each in page.decisions]
            after = page.following
        assert (seen, after) == (sorted(made, reverse=True), None)
    by_code = await find(market, limit=1, code="COUNTERPARTY_UNIDENTIFIED")
    assert await find_ids(market, code="COUNTERPARTY_UNIDENTIFIED", after=by_code.following) == [made[1]]
    with pytest.raises(CursorInvalidError):
        await find(market, after="yesterday")


async def test_a_search_tells_nobody_what_is_kept_from_them(market: Market) -> None:
    await market.screen("alice", "hit")
    hit = (await market.decide(market.buy("alice")))["id"]
    market.deployment.clock.advance(hours=25)
    await market.screen("alice", "clear")
    market.deployment.clock.advance(hours=25)
    stale = (await market.decide(market.buy("alice")))["id"]
    assert await find_ids(market, code="SANCTIONS_HIT") == [hit]
    assert stale in await find_ids(market, code="AML_SCREEN_STALE")
    assert await find_ids(market, code="RESTRICTED") == []
    for code in ("SANCTIONS_HIT", "AML_SCREEN_STALE"):
        for more in ({}, {"security_id": "note"}, {"investor_ref": "alice"}):
            assert await find_ids(market, sees_all=False, code=code, **more) == []
    assert await find_ids(market, sees_all=False, code="RESTRICTED") == [stale, hit]
    seen = (await find(market, sees_all=False)).decisions
    assert [each.codes[0] for each in seen] == ["RESTRICTED", "RESTRICTED"]


async def test_the_registrar_sees_every_venue_and_a_venue_its_own(market: Market) -> None:
    venue = await open_venue(market, "venue")
    await venue.put_investor("carol", frozen=False)
    theirs = (await venue.decide(venue.buy("carol")))["id"]
    ours = (await market.decide(market.buy("bob")))["id"]
    assert await find_ids(market) == [ours]
    assert await find_ids(market, security_id="note") == [ours, theirs]
    assert await find_ids(venue, security_id="note") == await find_ids(venue) == [theirs]
    assert await find_ids(market, code="COUNTERPARTY_UNIDENTIFIED", security_id="note") == [ours, theirs]
    [_, foreign] = (await find(market, security_id="note")).decisions
    assert (foreign.org_id, foreign.buyer_ref) == (venue.member.org_id, None)


@pytest.mark.parametrize(
    "search",
    [{}, {"security_id": "note"}, {"investor_ref": "bob"}, {"code": "COUNTERPARTY_UNIDENTIFIED"}, {"outcome": "deny"}],
    ids=["all", "security", "investor", "code", "outcome"],
)
async def test_a_search_walks_an_index(market: Market, search: dict[str, str]) -> None:
    """No table is read through, and nothing but a page is sorted."""
    await market.decide(market.buy("bob"))
    plan = await explain_search(market, search)
    assert "ix_transfer_" in plan
    assert "SCAN transfer" not in plan
    assert "Seq Scan on transfer" not in plan


async def explain_search(market: Market, search: dict[str, str]) -> str:
    """Return how the database finds the page and what is on it."""
    caught: list[tuple[str, Any]] = []

    def catch(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "transfer" in statement:
            caught.append((statement, parameters))

    database = market.deployment.context.database
    async with database.reading() as session:
        connection = await session.connection()
        if not database.is_sqlite:
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        event.listen(connection.sync_connection, "before_cursor_execute", catch)
        await list_decisions(
            session,
            market.member.org_id,
            DecisionSearch(**search),
            sees_all=True,
            limit=50,
            now=market.deployment.clock(),
        )
        event.remove(connection.sync_connection, "before_cursor_execute", catch)
        prefix = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        plans = [await connection.exec_driver_sql(prefix + statement, parameters) for statement, parameters in caught]
        return "\n".join(str(row[-1]) for rows in plans for row in rows)
