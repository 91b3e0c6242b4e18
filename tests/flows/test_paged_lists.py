"""Lists that people page through: versions, positions, grants, investors and clients, on both kinds of database."""

from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import NotFoundError
from service.gate.cap_table import list_positions, page_positions
from service.gate.rows import Holder
from service.gate.securities import list_granted_securities, list_grants, list_regimes
from service.gate.versions import Change, list_offering_versions, list_security_versions
from service.organizations.clients import authenticate_client, list_clients, revoke_client
from service.verifier.investors import find_investors
from tests.deployment import Deployment
from tests.gate_support import REG_D, Market, open_market, open_venue
from tests.prepared import prepared


@prepared
async def market(deployment: Deployment) -> Market:
    return await open_market(deployment)


async def test_versions_tell_what_changed(market: Market) -> None:
    await market.put_security(caps={"holders": 10})
    await market.put_security(caps={"holders": 20}, state="halted")
    await market.put_offering("reg-d", REG_D | {"lockup_until": "2027-01-01"})
    org_id = market.member.org_id
    async with market.deployment.context.database.reading() as session:
        newest = await list_security_versions(session, org_id, "note", before=None, limit=2)
        [first] = await list_security_versions(session, org_id, "note", before=2, limit=2)
        offering, _ = await list_offering_versions(session, org_id, "note", "reg-d", before=None, limit=5)
        foreign = await list_security_versions(session, "org_other", "note", before=None, limit=5)
    assert [each.number for each in newest] == [3, 2]
    assert set(newest[0].changes) == {Change("caps.holders", 10, 20), Change("state", "open", "halted")}
    assert newest[1].changes == (Change("caps.holders", None, 10),)
    assert (first.number, first.changes, foreign) == (1, (), [])
    assert offering.changes == (Change("lockup_until", None, "2027-01-01"),)


async def test_positions_come_in_pages(market: Market) -> None:
    for ref in ("a", "b", "c"):
        await market.open_lot(ref, 10)
        await market.open_lot(ref, 5)
    org_id = market.member.org_id
    async with market.deployment.context.database.reading() as session:
        whole = await list_positions(session, org_id, "note")
        first = await page_positions(session, org_id, "note", after=None, limit=2)
        rest = await page_positions(session, org_id, "note", after=Holder(org_id, "b"), limit=2)
        with pytest.raises(NotFoundError):
            await page_positions(session, "org_other", "note", after=None, limit=2)
    assert (first + rest, [len(each["lots"]) for each in first]) == (whole, [2, 2])


async def test_grants_are_listed_on_both_sides(market: Market) -> None:
    venue = await open_venue(market, "venue", actions=["secondary"])
    async with market.deployment.context.database.reading() as session:
        [(grant, name)] = await list_grants(session, market.member.org_id, "note", after=None, limit=5)
        [granted] = await list_granted_securities(session, venue.member.org_id, after=None, limit=5)
        assert await list_granted_securities(session, market.member.org_id, after=None, limit=5) == []
    assert (grant.venue_org_id, name, grant.document["actions"]) == (venue.member.org_id, "Venue", ["secondary"])
    assert (granted["id"], granted["registrar"], granted["state"]) == ("note", "Platform", "open")


async def test_investors_are_found_by_how_their_ref_begins(market: Market) -> None:
    for ref in ("A-1", "a-1", "a-10", "a_1", "b-1", "a.1"):
        await market.put_investor(ref, frozen=False)

    async def find(session: AsyncSession, prefix: str, **more: Any) -> list[str]:
        found = await find_investors(session, market.member.org_id, prefix=prefix, **{"after": None, "limit": 9} | more)
        return [each.ref for each in found]

    async with market.deployment.context.database.reading() as session:
        assert set(await find(session, "")) == {"A-1", "a-1", "a-10", "a_1", "b-1", "a.1"}
        assert await find(session, "a-1") == ["a-1", "a-10"]
        assert await find(session, "a_") == ["a_1"]
        assert await find(session, "a-1", limit=1, after="a-1") == ["a-10"]
        assert await find(session, "%") == []


async def test_a_revoked_client_gets_no_token(market: Market) -> None:
    made, org_id = market.member.credentials, market.member.org_id
    database, now = market.deployment.context.database, market.deployment.clock()
    async with database.transaction() as session:
        for _ in range(2):
            await revoke_client(session, org_id, made.client_id, now=now)
        with pytest.raises(NotFoundError):
            await revoke_client(session, "org_other", made.client_id, now=now)
    async with database.reading() as session:
        [listed] = await list_clients(session, org_id, after=None, limit=5)
        assert listed.revoked_at == now
        assert await list_clients(session, org_id, after=made.client_id, limit=5) == []
        assert await authenticate_client(session, made.client_id, made.client_secret) is None


async def test_regimes_are_those_that_can_be_traded_under(market: Market) -> None:
    venue = await open_venue(market, "venue")
    async with market.deployment.context.database.reading() as session:
        assert await list_regimes(session, market.member.org_id) == {"us.506c", "us.reg_s"}
        assert await list_regimes(session, venue.member.org_id) == {"us.506c", "us.reg_s"}
        assert await list_regimes(session, market.scene.kyc.member.org_id) == set()
