"""Events are recorded with what they tell, read in an order that nothing escapes, and go when their time is over."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from service.events.feed import list_events
from service.events.numbering import number_events
from service.events.retention import forget_events
from service.gate.expiry import expire_reservations
from service.storage.event_types import EVENT_SCOPES
from service.storage.outbox import build_event, write_event
from service.storage.tables import DueEvent, Event, HeldReservation, StandingCredential
from service.verifier.status_schedule import refresh_all_status_lists
from service.web.signing import GATE, rotate_signing_key
from tests.case_support import open_desks
from tests.deployment import Deployment, running_deployment
from tests.events_support import Hooks
from tests.flows.test_past_standing import change_status, put_on_file
from tests.flows.test_standing import KYC_QUERY
from tests.foreign_issuer import running_foreign_issuer
from tests.gate_support import Market, open_market, open_venue
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Platform
from tests.verifying_support import Wallet as ProvingWallet

ORG = "org_1"


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    await market.admit("bob")
    return market


def hooks_of(market: Market, *scopes: str) -> Hooks:
    return Hooks(market.deployment, market.member, scopes or ("verifier", "gate"))


def tell(events: list[dict[str, Any]], family: str) -> list[Any]:
    """Return type and state of the events of one family, in order."""
    return [
        (event["type"], event["data"].get("outcome") or event["data"].get("state") or event["data"].get("cause"))
        for event in events
        if event["type"].startswith(family)
    ]


async def test_a_transfer_tells_of_itself_to_venue_and_registrar(market: Market) -> None:
    venue = await open_venue(market, "venue")
    await venue.admit("ann", sub="subject-ann")
    first = await venue.decide(venue.buy("ann", 10))
    await venue.settle(first)
    second = await venue.decide(venue.buy("ann", 10))
    await venue.void(second)
    third = await venue.decide(venue.buy("nobody", 10))
    assert [each["outcome"] for each in (first, second, third)] == ["permit", "permit", "deny"]
    for own in (hooks_of(venue), hooks_of(market)):
        events = await own.events(types="transfer.decided,transfer.settled,transfer.voided,transfer.expired")
        assert tell(events, "transfer") == [
            ("transfer.decided", "permit"),
            ("transfer.settled", "settled"),
            ("transfer.decided", "permit"),
            ("transfer.voided", "void"),
            ("transfer.decided", "deny"),
        ]
        assert [each["data"]["transfer_id"] for each in events] == [
            each["id"] for each in (first, first, second, second, third)
        ]
        assert {each["data"]["security_id"] for each in events} == {market.security_id}


async def test_a_reservation_that_nobody_asks_about_expires_by_the_clock(market: Market) -> None:
    decision = await market.decide(market.buy("bob", 10))
    market.deployment.clock.advance(days=8)
    assert await expire_reservations(market.deployment.context) == 1
    assert await expire_reservations(market.deployment.context) == 0
    [event] = await hooks_of(market, "gate").events(types="transfer.expired")
    assert event["data"]["transfer_id"] == decision["id"]
    assert event["timestamp"] == decision["expires_at"].replace(".000", "")
    async with market.deployment.context.database.reading() as session:
        assert (await session.exec(select(func.count()).select_from(HeldReservation))).one() == 0


async def test_what_changes_a_standing_tells_the_platform(market: Market) -> None:
    own, deployment = hooks_of(market, "verifier"), market.deployment
    assert tell(await own.events(), "standing") == [("standing.changed", "presented")]
    assert tell(await own.events(), "presentation") == [("presentation.verified", "verified")]
    await market.screen("bob")
    await market.put_investor("bob", frozen=True)
    await market.put_investor("bob", frozen=True)  # changes nothing
    credential_id = await put_on_file(market.scene.accreditor, 1)  # 0 is in the wallet that the scene made first
    for status in ("suspended", "valid", "revoked"):
        await change_status(market.scene.accreditor, credential_id, status)
        await own.advance()
    changes = [each for each in await own.events() if each["type"] == "standing.changed"]
    assert [each["data"]["cause"] for each in changes] == [
        "presented",
        "screening",
        "frozen",
        "status",
        "status",
        "status",
    ]
    assert {each["data"]["investor_ref"] for each in changes} == {"bob"}
    assert changes[-1]["data"]["credential_type"] == "qualified-investor"
    deployment.clock.advance(days=31)
    await own.advance()
    later = [each["data"] for each in await own.events() if each["type"] == "standing.changed"][len(changes) :]
    assert {each["cause"] for each in later} == {"expired"}
    assert {each["credential_type"] for each in later} == {"kyc", "aml-screening", "qualified-investor"}


async def test_a_status_that_changed_elsewhere_is_told_once_the_list_was_fetched(
    migrated_url: str, tmp_path: Path
) -> None:
    async with running_foreign_issuer() as abroad:
        allowed = (f"localhost:{abroad.port}",)
        async with running_deployment(migrated_url, tmp_path, fetch_allow=allowed) as deployment:
            platform = Platform(deployment, await deployment.add_organization("platform", "platform"))
            await platform.trust(abroad.identifier, "kyc")
            wallet = ProvingWallet(deployment, new_key_pair())
            wallet.held = [abroad.issue(wallet.keys, deployment.clock())]
            abroad.serve_list(deployment.clock())
            await wallet.answer(await platform.ask(dcql_query=KYC_QUERY, investor_ref="inv-1"))
            own = Hooks(deployment, platform.member, ("verifier",))
            for statuses in ({5: 1}, {5: 1, 6: 1}, {6: 1}):  # 5 is the wallet's
                deployment.clock.advance(minutes=11)
                abroad.serve_list(deployment.clock(), statuses=statuses)
                await refresh_all_status_lists(deployment.context)
                await own.advance()
            changes = [each["data"] for each in await own.events(types="standing.changed")]
            assert [each["cause"] for each in changes] == ["presented", "status", "status"]
            assert {each["investor_ref"] for each in changes} == {"inv-1"}


async def test_only_who_relies_on_the_credential_is_told(market: Market) -> None:
    venue = await open_venue(market, "venue")
    await venue.admit("ann", sub="subject-ann")
    for own in (hooks_of(market, "verifier"), hooks_of(venue, "verifier")):
        await own.events()
    credential_id = await put_on_file(market.scene.accreditor, 2)  # ann's
    await change_status(market.scene.accreditor, credential_id, "revoked")
    await hooks_of(market).advance()
    told = {
        slug: [each["data"]["investor_ref"] for each in await own.events() if each["data"].get("cause") == "status"]
        for slug, own in (("market", hooks_of(market, "verifier")), ("venue", hooks_of(venue, "verifier")))
    }
    assert told == {"market": [], "venue": ["ann"]}


async def test_an_altered_standing_keeps_nobody_from_being_told(market: Market) -> None:
    await market.admit("ann")
    own = hooks_of(market, "verifier")
    async with market.deployment.context.database.transaction() as session:
        for row in (await session.exec(select(StandingCredential))).all():
            if row.investor_ref == "ann":
                row.sealed = row.sealed[::-1]
                session.add(row)
    credential_id = await put_on_file(market.scene.accreditor, 1)  # bob's
    await change_status(market.scene.accreditor, credential_id, "revoked")
    await own.advance()
    causes = [
        (each["data"]["investor_ref"], each["data"]["cause"]) for each in await own.events(types="standing.changed")
    ]
    assert causes[-1] == ("bob", "status")
    assert ("ann", "status") not in causes


async def test_an_issuer_hears_of_its_credentials(deployment: Deployment) -> None:
    issuer = await add_issuer(deployment)
    own = Hooks(deployment, issuer, ("issuer",))
    wallet = Wallet(deployment, issuer)
    made = await make_offer(deployment, issuer)
    assert (await wallet.redeem(made)).status_code == 200
    [issued] = await own.events()
    assert (issued["type"], issued["data"]["credential_offer_id"]) == ("credential.issued", made["id"])
    credential_id = issued["data"]["credential_id"]
    for status in ("suspended", "valid"):
        answer = await own.call(
            "POST", f"/v1/credentials/{credential_id}/status", {"status": status, "reason": "canary"}
        )
        assert answer.status_code == 200
    deployment.clock.advance(days=340)
    await own.advance()
    deployment.clock.advance(days=30)
    await own.advance()
    events = await own.events()
    assert [each["type"].partition(".")[2] for each in events] == [
        "issued",
        "suspended",
        "reinstated",
        "expiring",
        "expired",
    ]
    assert {each["data"]["credential_id"] for each in events} == {credential_id}
    assert "investor-1" not in str(events)
    assert "canary" not in str(events)


async def test_what_was_revoked_does_not_expire(deployment: Deployment) -> None:
    issuer = await add_issuer(deployment)
    own, wallet = Hooks(deployment, issuer, ("issuer",)), Wallet(deployment, issuer)
    assert (await wallet.redeem(await make_offer(deployment, issuer))).status_code == 200
    [issued] = await own.events()
    path = f"/v1/credentials/{issued['data']['credential_id']}/status"
    assert (await own.call("POST", path, {"status": "revoked", "reason": "x"})).status_code == 200
    deployment.clock.advance(days=370)
    await own.advance()
    assert [each["type"] for each in await own.events()] == ["credential.issued", "credential.revoked"]
    async with deployment.context.database.reading() as session:
        assert (await session.exec(select(DueEvent))).all() == []


async def test_cases_and_keys_tell_of_themselves(deployment: Deployment) -> None:
    first, second = await open_desks(deployment)
    approved, declined = await first.open(), await first.open(subject_ref="investor-2")
    await first.review(approved)
    assert (await second.approve(approved)).status_code == 201
    await first.decline(declined)
    context = deployment.context
    async with context.database.transaction() as session:
        await rotate_signing_key(
            session, context.signer, org_id=first.member.org_id, purpose=GATE, now=deployment.clock()
        )
    events = await Hooks(deployment, first.member, ("issuer",)).events()
    assert [(each["type"], each["data"].get("case_id")) for each in events] == [
        ("case.opened", approved),
        ("case.opened", declined),
        ("case.reviewed", approved),
        ("case.approved", approved),
        ("case.declined", declined),
        ("key.rotated", None),
    ]


async def test_each_scope_hears_of_its_own_types(market: Market) -> None:
    await market.decide(market.buy("bob", 10))
    for scope in ("verifier", "gate"):
        types = {each["type"] for each in await hooks_of(market, scope).events()}
        assert types
        assert all(scope in EVENT_SCOPES[each] for each in types)
    own = hooks_of(market, "verifier")
    [decided] = await hooks_of(market, "gate").events(types="transfer.decided")
    assert (await own.call("GET", f"/v1/events/{decided['id']}")).status_code == 404
    refused = await own.call("GET", "/v1/events?types=transfer.decided")
    assert (refused.status_code, refused.json()["code"]) == (403, "event_type_forbidden")
    unknown = await own.call("GET", "/v1/events?types=transfer.dreamt")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "event_type_unknown")
    assert await hooks_of(market, "gate").read(f"/v1/events/{decided['id']}") == decided


async def write(deployment: Deployment, number: int, org_id: str = ORG) -> None:
    async with deployment.context.database.transaction() as session:
        await write_event(
            await session.connection(),
            org_id=org_id,
            kind="transfer.decided",
            data={"n": number},
            subject=f"transfer/{number}",
            now=deployment.clock(),
        )


async def read_all(deployment: Deployment, after: int = 0) -> list[tuple[int | None, str]]:
    page = await list_events(deployment.context, ORG, types=EVENT_SCOPES, after=after, limit=200)
    return [(event.sequence, event.data) for event in page.events]


async def test_what_commits_late_is_not_passed_over(deployment: Deployment) -> None:
    """Its id is older than what a reader has seen already; on SQLite it is written outside of the service's order."""
    late = build_event(org_id=ORG, kind="transfer.decided", data={"n": 0}, subject="transfer/0", now=deployment.clock())
    await write(deployment, 1)
    assert await read_all(deployment) == [(1, '{"n":1}')]
    async with deployment.context.database.transaction() as session:
        session.add(Event(**late))
        if not deployment.context.database.is_sqlite:  # elsewhere others commit while this is open
            await session.flush()
            await write(deployment, 2)
            assert await read_all(deployment, after=1) == [(2, '{"n":2}')]
    newest = 1 if deployment.context.database.is_sqlite else 2
    assert await read_all(deployment, after=newest) == [(newest + 1, '{"n":0}')]


async def test_a_reader_beside_many_writers_sees_every_event_once_and_in_order(deployment: Deployment) -> None:
    seen: list[tuple[int | None, str]] = []

    async def read(until: int) -> None:
        while len(seen) < until:
            seen.extend(await read_all(deployment, after=len(seen)))

    writers = asyncio.gather(*(write(deployment, number) for number in range(60)))
    await asyncio.gather(writers, read(60))
    assert [sequence for sequence, _ in seen] == list(range(1, 61))
    assert len({data for _, data in seen}) == 60


async def test_swept_events_are_not_passed_over_in_silence(deployment: Deployment) -> None:
    """Also those that never got a number, because nobody asked before their time was over."""
    kept, database = timedelta(days=90), deployment.context.database
    own = Hooks(deployment, await deployment.add_organization("venue", "platform"), ("gate",))
    for number in (1, 2, 3):
        await write(deployment, number, org_id=own.member.org_id)
        if number == 1:
            assert [each["sequence"] for each in await own.events()] == [1]
        if number == 2:
            written_at = int((await _list_ids(deployment))[-1].removeprefix("evt_")[:12], 16) / 1000
            over_at = datetime.fromtimestamp(written_at, UTC) + kept
            assert await forget_events(database, over_at - timedelta(minutes=5), kept=kept) == 0
            assert await forget_events(database, over_at + timedelta(milliseconds=1), kept=kept) == 2
    answer = await own.call("GET", "/v1/events?after=1")
    assert (answer.status_code, answer.json()["code"]) == (409, "events_forgotten")
    assert [each["data"] for each in await own.events()] == [{"n": 3}]
    assert [each["sequence"] for each in await own.events(after=2)] == [3]


async def _list_ids(deployment: Deployment) -> list[str]:
    async with deployment.context.database.reading() as session:
        return list((await session.exec(select(Event.id).order_by(col(Event.id)))).all())


async def test_numbers_are_given_in_the_order_of_writing(deployment: Deployment) -> None:
    """Two processes' clocks may differ: of two transactions about the same, the later one's id can be the lower one."""
    rows = [
        build_event(org_id=ORG, kind="transfer.decided", data={"n": n}, subject="transfer/1", now=deployment.clock())
        for n in (1, 2)
    ]
    for row in reversed(rows):
        async with deployment.context.database.transaction() as session:
            session.add(Event(**row))
    await number_events(deployment.context.database, ORG, deployment.clock())
    assert await read_all(deployment) == [(1, '{"n":2}'), (2, '{"n":1}')]
