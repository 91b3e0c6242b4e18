"""Who held what when, and who was known as what: the past answers as it did then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.gate.parties import read_parties
from service.gate.party_facts import Party
from service.gate.past_parties import read_parties_as_of
from service.storage.past import RecordIncompleteError
from service.storage.tables import InvestorVersion
from service.web.instants import format_instant
from tests.actions_support import CONTROL, NO_AFFILIATE, REG_D_CONVERTIBLE, ask
from tests.deployment import Deployment
from tests.flows.test_actions import pledge, settle
from tests.flows.test_past_standing import change_status, put_on_file
from tests.gate_support import Market, open_market
from tests.prepared import prepared

Moments = list[tuple[datetime, Any]]


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment, settle_within=3600)
    await market.put_offering("reg-d", REG_D_CONVERTIBLE)
    for ref in ("alice", "bob"):
        await market.admit(ref)
    return market


async def positions(market: Market, as_of: datetime | str | None = None) -> Any:
    moment = format_instant(as_of) if isinstance(as_of, datetime) else as_of
    query = f"?as_of={moment}" if moment else ""
    return await market.read(f"/v1/securities/note/positions{query}")


async def note(market: Market, moments: Moments, **pause: float) -> None:
    moments.append((market.deployment.clock(), await positions(market)))
    market.deployment.clock.advance(**pause or {"minutes": 1})


async def expect_as_noted(market: Market, moments: Moments) -> None:
    for at, noted in moments:
        assert await positions(market, at) == noted, at
        assert await positions(market, at + timedelta(seconds=1)) == noted, at


async def test_sales_promises_and_their_ends_are_undone(market: Market) -> None:
    moments: Moments = []
    await note(market, moments)
    await market.open_lot("alice", 100)
    await market.open_lot("alice", 50, acquired_on="2024-02-10")
    await note(market, moments)
    bought = await market.decide(market.buy("bob", 40))
    sold = await market.decide(market.sell("alice", "bob", 120))
    given_up = await market.decide(market.sell("alice", "bob", 10))
    assert [each["outcome"] for each in (bought, sold, given_up)] == ["permit"] * 3
    await note(market, moments)
    for decision in (bought, sold):
        await market.settle(decision)
        await note(market, moments)
    await market.void(given_up)
    await note(market, moments)
    await market.decide(market.sell("bob", "alice", 30))
    await note(market, moments, hours=1)
    await settle(market, market.sell("bob", "alice", 100))  # after the promise before it ran out
    await note(market, moments)
    assert len({str(noted) for _, noted in moments}) == len(moments)
    await expect_as_noted(market, moments)


async def test_a_promise_ends_when_it_runs_out_not_when_that_is_noticed(market: Market) -> None:
    await market.open_lot("alice", 100)
    await market.decide(market.sell("alice", "bob", 10))
    expires_at = market.deployment.clock() + timedelta(hours=1)
    market.deployment.clock.advance(hours=2)
    held = [(await positions(market, expires_at - timedelta(seconds=at)))["data"][0]["reserved"] for at in (1, 0)]
    assert held == ["10", "0"]


@pytest.mark.parametrize("quantity", [40, 50, 60, 100, 120, 150, 200])
async def test_liens_and_parts_of_lots_are_undone(market: Market, quantity: int) -> None:
    """Of lots of 100, 50 and 50: parts, whole lots, and halves, which leave as much as they take."""
    await market.admit("bank", purpose="us.reg_s")
    moments: Moments = []
    for acquired_on, size in (("2024-01-10", 100), ("2024-02-10", 50), ("2024-03-10", 50)):
        await market.open_lot("alice", size, acquired_on=acquired_on)
    await note(market, moments)
    await pledge(market, quantity, recourse=True)
    await note(market, moments)
    released = ask(market, "release", "alice", "bank", 50 if quantity == 100 else quantity, trade=CONTROL)
    await settle(market, released | {"approvals": [{"approver": "bank", "approved_at": "2026-11-23T10:00:00Z"}]})
    await note(market, moments)
    await pledge(market, 30, recourse=True)
    await note(market, moments)
    await settle(market, ask(market, "liquidation", "bank", "bob", 30, trade=NO_AFFILIATE))
    await note(market, moments)
    await expect_as_noted(market, moments)


async def test_a_lien_is_that_of_the_lots_own_pledge(market: Market) -> None:
    await market.admit("bank", purpose="us.reg_s")
    moments: Moments = []
    for acquired_on in ("2024-01-10", "2024-02-10"):
        await market.open_lot("alice", 50, acquired_on=acquired_on)
    for recourse in (True, False):
        await pledge(market, 50, recourse=recourse)
        await note(market, moments)
    released = ask(market, "release", "alice", "bank", 50, trade=CONTROL)
    await settle(market, released | {"approvals": [{"approver": "bank", "approved_at": "2026-11-23T10:00:00Z"}]})
    await note(market, moments)
    await expect_as_noted(market, moments)


async def test_every_other_action_is_undone(market: Market) -> None:
    moments: Moments = []
    await market.admit("alice-2", sub="subject-alice")
    await market.open_lot("alice", 100)
    await note(market, moments)
    for action, seller, buyer, quantity, more in (
        ("gift", "alice", "bob", 10, {"trade": NO_AFFILIATE}),
        ("redemption", "alice", None, 10, {}),
        ("forced", "alice", "bob", 10, {}),
        ("inheritance", "alice", "bob", 10, {}),
        ("distribution", None, "alice", 30, {}),
        ("conversion", "alice", None, 30, {"offering_id": "reg-s"}),
        ("recovery", "alice", "alice-2", 90, {}),
    ):
        await settle(market, ask(market, action, seller, buyer, quantity) | more)
        await note(market, moments)
    assert len({str(noted) for _, noted in moments}) == len(moments)
    await expect_as_noted(market, moments)


async def test_only_the_registrar_asks_and_not_about_the_future(market: Market) -> None:
    await market.open_lot("alice", 100)
    other = replace(market, member=await market.deployment.add_organization("other", "platform"))
    answer = await other.call("GET", "/v1/securities/note/positions?as_of=2026-11-23")
    assert answer.status_code == 404
    answer = await market.call("GET", "/v1/securities/note/positions?as_of=2026-11-24")
    assert (answer.status_code, answer.json()["code"]) == (422, "as_of_in_future")
    assert (await positions(market, "2026-11-22"))["data"] == []


def comparable(parties: dict[str, Party]) -> dict[str, Party]:
    """Leave out what is made anew by each read, and by when a list of ours said so."""
    return {
        ref: replace(
            party,
            key=None,
            credentials=tuple(
                replace(each, reading=each.reading and replace(each.reading, issued_at=None))
                for each in party.credentials
            ),
        )
        for ref, party in parties.items()
    }


async def test_parties_are_known_as_they_were(market: Market) -> None:
    scene, clock, refs = market.scene, market.deployment.clock, ["alice", "bob", "nobody"]
    whose: dict[str, Any] = {
        "base_url": market.deployment.context.base_url,
        "org_id": market.member.org_id,
        "refs": refs,
    }
    moments: Moments = []

    async def note_parties() -> None:
        async with market.deployment.context.database.reading() as session:
            signer = market.deployment.context.signer
            found = await read_parties(session, signer, **whose, now=clock(), on=clock().date())
        moments.append((clock(), comparable(found)))
        clock.advance(minutes=1)

    await note_parties()
    credential_id = await put_on_file(scene.accreditor, 1)
    await change_status(scene.accreditor, credential_id, "suspended")
    await note_parties()
    await market.screen("bob", "potential")
    await market.put_investor("alice", frozen=True)
    await note_parties()
    await scene.platform.call("DELETE", "/v1/trusted-issuers/accreditor")
    await note_parties()
    await market.admit("nobody", purpose="us.reg_s")
    await note_parties()
    assert len({str(found) for _, found in moments}) == len(moments)
    for at, found in moments:
        async with market.deployment.context.database.reading() as session:
            signer = market.deployment.context.signer
            past = await read_parties_as_of(session, signer, **whose, at=at, on=at.date())
        assert comparable(past) == found


async def test_nothing_is_said_of_a_party_before_its_record_begins(market: Market) -> None:
    context, clock = market.deployment.context, market.deployment.clock
    async with context.database.transaction() as session:
        row = await session.get_one(InvestorVersion, (market.member.org_id, "alice", 1))
        row.recorded_at = clock() + timedelta(minutes=5)  # as a migration does
        session.add(row)
    whose: dict[str, Any] = {"base_url": context.base_url, "org_id": market.member.org_id, "refs": ["alice"]}
    async with context.database.reading() as session:
        with pytest.raises(RecordIncompleteError):
            await read_parties_as_of(session, context.signer, **whose, at=clock(), on=clock().date())
        before = datetime(2026, 11, 1, tzinfo=UTC)
        past = await read_parties_as_of(session, context.signer, **whose, at=before, on=before.date())
    assert (past["alice"].is_bound, past["alice"].credentials) == (False, ())
