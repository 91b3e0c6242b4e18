"""Webhooks: signed, sent until they arrive, in order for each subject, to nobody who did not ask for them."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.responses import JSONResponse, Response

from service.events.claims import claim_due, record_outcome
from service.events.courier import Courier
from service.events.deliveries import EndpointInactiveError
from service.events.numbering import number_for_endpoints
from service.events.sending import Outcome
from service.storage.outbox import write_event
from service.storage.tables import Event, WebhookDelivery, WebhookEndpoint
from tests.deployment import PASSPHRASE, Deployment
from tests.events_support import Hooks, Receiver, let_call, receiving
from tests.loopback import Received
from tests.prepared import prepared

KIND = "transfer.decided"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@prepared
async def hooks(deployment: Deployment) -> Hooks:
    return Hooks(deployment, await deployment.add_organization("venue", "platform"), ("gate",))


async def happen(hooks: Hooks, *subjects: str) -> list[str]:
    """Let something happen to each subject, in a transaction each; returns the ids of the events."""
    database = hooks.deployment.context.database
    for number, subject in enumerate(subjects):
        async with database.transaction() as session:
            await write_event(
                await session.connection(),
                org_id=hooks.member.org_id,
                kind=KIND,
                data={"n": number},
                subject=subject,
                now=hooks.deployment.clock(),
            )
    return [each["id"] for each in await hooks.events()][-len(subjects) :]


async def test_an_independent_library_verifies_what_is_sent(hooks: Hooks, receiver: Receiver) -> None:
    hooks.deployment.clock.now = datetime.now(UTC)  # the library has a clock of its own
    let_call(hooks.deployment, receiver)
    endpoint = await hooks.make(receiver, types=[KIND])
    challenge = receiver.party.requests_to("/hook")[0]
    assert Webhook(endpoint["secret"]).verify(challenge.body, challenge.headers)["type"] == "webhook.challenge"
    [event_id] = await happen(hooks, "transfer/1")
    await hooks.advance()
    [message] = receiver.messages
    assert message.headers["webhook-id"] == event_id
    told = receiver.verify(endpoint["secret"], message)
    assert told == (await hooks.read(f"/v1/events/{event_id}")) | {"version": endpoint["version"]}
    forged = message.body.replace(b'"n":0', b'"n":1')
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(forged, message.headers)
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("delivered", 1, 204)


async def test_for_a_day_the_secrets_of_before_sign_too(hooks: Hooks, receiver: Receiver) -> None:
    hooks.deployment.clock.now = datetime.now(UTC)
    let_call(hooks.deployment, receiver)
    endpoint = await hooks.make(receiver)
    lost, rotated = [
        (await hooks.call("POST", f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret")).json() for _ in range(2)
    ]
    await happen(hooks, "transfer/1")
    await hooks.advance()
    for secret in (endpoint["secret"], lost["secret"], rotated["secret"]):
        receiver.verify(secret, receiver.messages[0])
    assert rotated["old_secret_until"] is not None
    async with hooks.deployment.context.database.transaction() as session:
        row = (await session.exec(select(WebhookEndpoint))).one()
        row.old_secret_until = hooks.deployment.clock()
        session.add(row)
    await happen(hooks, "transfer/2")
    await hooks.advance()
    receiver.verify(rotated["secret"], receiver.messages[1])
    with pytest.raises(WebhookVerificationError):
        receiver.verify(endpoint["secret"], receiver.messages[1])


async def test_a_receiver_that_is_down_for_an_hour_misses_nothing(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    receiver.answer = 503
    subjects = [f"transfer/{number % 7}" for number in range(21)]
    ids = await happen(hooks, *subjects)
    for _ in range(60):
        await hooks.advance()
        hooks.deployment.clock.advance(minutes=1)
    tried = len(receiver.messages)
    assert 7 <= tried < 60, "only the first of each subject is tried, less and less often"
    [endpoint] = (await hooks.read("/v1/webhook-endpoints"))["data"]
    assert endpoint["failing"]
    receiver.answer = 204
    for _ in range(12):
        hooks.deployment.clock.advance(minutes=30)
        await hooks.advance()
    arrived = receiver.ids[tried:]
    assert sorted(arrived) == sorted(ids)
    for subject in set(subjects):
        own = [event_id for event_id, each in zip(ids, subjects, strict=True) if each == subject]
        assert [event_id for event_id in arrived if event_id in own] == own
    assert {each["state"] for each in await hooks.deliveries()} == {"delivered"}
    [endpoint] = (await hooks.read("/v1/webhook-endpoints"))["data"]
    assert not endpoint["failing"]


async def test_after_the_last_try_it_is_dead_and_the_next_of_its_subject_goes(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    first, second = await happen(hooks, "transfer/1", "transfer/1")
    receiver.answer = lambda request: 500 if request.headers["webhook-id"] == first else 204
    times = []
    for _ in range(60):
        before = len(receiver.messages)
        await hooks.advance()
        times += [hooks.deployment.clock()] * (len(receiver.messages) - before)
        hooks.deployment.clock.advance(hours=2)
    assert receiver.ids == [first] * 10 + [second]
    assert times[9] - times[0] >= timedelta(hours=75)
    dead, *_ = await hooks.deliveries(state="dead")
    assert (dead["event_id"], dead["last_error"], dead["attempts"]) == (first, "http_status", 10)
    receiver.answer = 204
    answer = await hooks.call("POST", f"/v1/webhook-deliveries/{dead['id']}/redeliver")
    assert (answer.status_code, answer.json()["state"]) == (200, "pending")
    await hooks.advance()
    assert receiver.ids[-1] == first
    assert await hooks.deliveries(state="dead") == []


async def test_who_asks_to_be_left_alone_is(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    receiver.answer = Response(status_code=429, headers={"Retry-After": "3600"})
    await happen(hooks, "transfer/1")
    await hooks.advance()
    await happen(hooks, "transfer/2")
    hooks.deployment.clock.advance(minutes=59)
    await hooks.advance()
    assert len(receiver.messages) == 1
    receiver.answer = 204
    hooks.deployment.clock.advance(minutes=2)
    await hooks.advance()
    assert len(receiver.messages) == 3


async def test_who_is_gone_gets_nothing_more(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    endpoint = await hooks.make(receiver)
    receiver.answer = 410
    await happen(hooks, "transfer/1")
    await hooks.advance()
    found = await hooks.read(f"/v1/webhook-endpoints/{endpoint['id']}")
    assert (found["state"], found["disabled_because"]) == ("disabled", "gone")
    await happen(hooks, "transfer/2")
    hooks.deployment.clock.advance(hours=1)
    await hooks.advance()
    assert len(receiver.messages) == 1
    receiver.answer = 204
    enabled = await hooks.call("PATCH", f"/v1/webhook-endpoints/{endpoint['id']}", {"disabled": False})
    assert enabled.json()["state"] == "pending"
    await hooks.advance()
    assert len(receiver.messages) == 2, "what was on its way goes on; what happened meanwhile is in /v1/events"


async def test_five_days_of_failures_disable_and_what_waits_is_kept(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    path = f"/v1/webhook-endpoints/{(await hooks.make(receiver))['id']}"
    receiver.answer = 500
    [event] = await happen(hooks, "transfer/1")
    await hooks.advance()
    hooks.deployment.clock.advance(days=4, hours=23)
    await hooks.advance()
    assert (await hooks.read(path))["state"] == "active"
    hooks.deployment.clock.advance(days=1)
    await hooks.advance()
    found = await hooks.read(path)
    assert (found["state"], found["disabled_because"]) == ("disabled", "failing")
    receiver.answer = 204
    await hooks.call("PATCH", path, {"disabled": False})
    for _ in range(2):
        await hooks.advance()
        hooks.deployment.clock.advance(days=1)
    assert receiver.ids[-1] == event


async def test_a_redirect_is_a_failure_and_not_followed(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    receiver.party.routes["/other"] = Response(status_code=204)
    receiver.answer = Response(status_code=307, headers={"Location": f"{receiver.base_url}/other"})
    await happen(hooks, "transfer/1")
    await hooks.advance()
    assert receiver.party.requests_to("/other") == []
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["last_status"]) == ("pending", 307)


async def test_nothing_is_sent_to_who_does_not_answer_the_challenge(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    guessed, cut = JSONResponse({"challenge": "guessed"}), Response(b"{", status_code=200)
    places = {f"/{n}": answer for n, answer in enumerate((Response(status_code=204), guessed, cut, Response(b"", 500)))}
    receiver.party.routes |= places
    made = [
        (await hooks.call("POST", "/v1/webhook-endpoints", {"url": receiver.base_url + path})).json()["id"]
        for path in places
    ]
    for _ in range(8):
        await hooks.advance()
        hooks.deployment.clock.advance(minutes=15)
    await happen(hooks, "transfer/1")
    await hooks.advance()
    for path, endpoint_id in zip(places, made, strict=True):
        assert [each.json["type"] for each in receiver.party.requests_to(path)] == ["webhook.challenge"] * 4
        own = f"/v1/webhook-endpoints/{endpoint_id}"
        refused = await hooks.call("POST", f"{own}/challenge")
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_challenge_failed")
        inactive = await hooks.call("POST", f"{own}/test", {})
        assert (inactive.status_code, inactive.json()["code"]) == (409, EndpointInactiveError.code)
        assert (await hooks.read(own))["state"] == "pending"
    receiver.party.routes["/0"] = receiver.take
    answer = await hooks.call("POST", f"/v1/webhook-endpoints/{made[0]}/challenge")
    assert answer.json()["state"] == "active"


INTERNAL = ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0"]


async def test_an_internal_address_is_never_called(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in INTERNAL:
        host = f"[{address}]" if ":" in address else address
        _resolve_to(monkeypatch, [address])
        at_once = await hooks.call("POST", "/v1/webhook-endpoints", {"url": f"https://{host}/hook"})
        assert (at_once.status_code, at_once.json()["code"]) == (422, "webhook_url_invalid"), host
        made = await hooks.call("POST", "/v1/webhook-endpoints", {"url": "https://looks-public.test/hook"})
        refused = await hooks.call("POST", f"/v1/webhook-endpoints/{made.json()['id']}/challenge")
        assert (refused.status_code, refused.json()["code"]) == (409, "webhook_challenge_failed")


async def test_a_name_that_turns_inward_is_not_followed(
    hooks: Hooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint answered its challenge; then its name leads to us. The guard looks at every sending."""
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    async with hooks.deployment.context.database.transaction() as session:
        row = (await session.exec(select(WebhookEndpoint))).one()
        row.url = row.url.replace("http://localhost", "https://rebound.test")
        session.add(row)
    _resolve_to(monkeypatch, ["93.184.216.34", "127.0.0.1"])
    await happen(hooks, "transfer/1")
    await hooks.advance()
    assert receiver.messages == []
    [delivery] = await hooks.deliveries()
    assert (delivery["last_error"], delivery["last_status"]) == ("fetch_blocked", None)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    async def resolve(_self: Any, _host: str, port: int, **_how: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop().__class__, "getaddrinfo", resolve)


NEVER_CALLED = [
    "http://example.com/hook",
    "ftp://example.com/",
    "https://user:pass@example.com/",
    "https:///hook",
    "https://example.com/#here",
    "https://exämple.com/",
    "hook",
    "https://127.1/hook",
    "https://0x7f000001/hook",
    "https://localhost:8443/hook",
]


async def test_an_address_that_is_never_called_is_refused_at_once(hooks: Hooks) -> None:
    for url in NEVER_CALLED:
        refused = await hooks.call("POST", "/v1/webhook-endpoints", {"url": url})
        assert (refused.status_code, refused.json()["code"]) == (422, "webhook_url_invalid"), url


async def test_one_that_hangs_holds_up_nobody_else(hooks: Hooks, receiver: Receiver) -> None:
    """A listener that accepts and never answers, with more messages than a process sends to one at once."""
    with receiving() as stuck:
        let_call(hooks.deployment, receiver, stuck)
        await hooks.make(receiver)
        held = await hooks.make(stuck)
    listener = socket.create_server(("127.0.0.1", int(stuck.address.rpartition(":")[2])))
    courier = Courier(hooks.deployment.context)
    try:
        await happen(hooks, *(f"transfer/{number}" for number in range(12)))
        deadline = time.monotonic() + 5
        while len(receiver.messages) < 12 and time.monotonic() < deadline:
            await courier.advance()
            await asyncio.sleep(0.01)
        assert len(receiver.messages) == 12
        in_flight = Counter(endpoint_id for _, endpoint_id in courier._sending.values())
        assert in_flight[held["id"]] == 4
    finally:
        await courier.close()
        listener.close()


async def test_two_couriers_send_everything_once(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    ids = await happen(hooks, *(f"transfer/{number}" for number in range(24)))
    couriers = [Courier(hooks.deployment.context) for _ in range(2)]
    while any(await asyncio.gather(*(each.advance() for each in couriers))):
        await asyncio.gather(*(each.finish() for each in couriers))
    assert sorted(receiver.ids) == sorted(ids)


COURIER = """
import asyncio, sys
from service.composition import build_context
from service.events.courier import run_courier
from service.settings import load_settings

async def main():
    await run_courier(build_context(load_settings()))

asyncio.run(main())
"""


async def test_a_process_that_is_killed_between_sending_and_recording_loses_nothing(
    hooks: Hooks, receiver: Receiver
) -> None:
    """The receiver kills the sender while it waits for the answer."""
    deployment = hooks.deployment
    deployment.clock.now = datetime.now(UTC)  # the other process has the machine's clock
    let_call(deployment, receiver)
    await hooks.make(receiver)
    settings = deployment.settings
    environment = os.environ | {
        "GOODSTANDING_BASE_URL": settings.base_url,
        "GOODSTANDING_DATA_DIR": str(settings.data_dir),
        "GOODSTANDING_DATABASE_URL": settings.database_url,
        "GOODSTANDING_KEY_PASSPHRASE": PASSPHRASE,
        "GOODSTANDING_FETCH_ALLOW": receiver.address,
    }
    ids = await happen(hooks, "transfer/1", "transfer/1", "transfer/2")
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", COURIER, env=environment)

    def kill(_request: Received) -> int:
        os.kill(other.pid, signal.SIGKILL)
        return 204

    receiver.answer = kill
    assert await asyncio.wait_for(other.wait(), 30) == -signal.SIGKILL
    sent = list(receiver.ids)
    assert sent
    assert {each["state"] for each in await hooks.deliveries()} == {"pending"}
    receiver.answer = 204
    await hooks.advance()
    assert receiver.ids == sent, "as long as its lease runs, it may still be sending"
    deployment.clock.advance(minutes=2)
    await hooks.advance()
    again = receiver.ids[len(sent) :]
    assert sorted(again) == sorted(ids)
    assert set(sent) <= set(again), "a duplicate has the id that it had"
    assert [each for each in again if each in ids[:2]] == ids[:2]


async def test_a_late_outcome_changes_nothing(hooks: Hooks, receiver: Receiver) -> None:
    """Its lease was over, and another process sent the message and wrote that down."""
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    await happen(hooks, "transfer/1")
    context = hooks.deployment.context
    await number_for_endpoints(context.database, context.clock())
    claims = []
    for _ in range(2):
        claims += await claim_due(context, in_flight={}, room=1)
        hooks.deployment.clock.advance(minutes=2)
    assert [each.message.id for each in claims] == [claims[0].message.id] * 2
    for claim, outcome in zip(claims, (Outcome(500, "http_status"), Outcome(204, None)), strict=True):
        async with context.database.transaction() as session:
            await record_outcome(session, claim, outcome, chance=0, now=context.clock())
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("pending", 1, 500)


async def test_a_process_sends_only_so_many_to_one_endpoint_at_once(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    endpoint = await hooks.make(receiver)
    await happen(hooks, *(f"transfer/{number}" for number in range(8)))
    context, key = hooks.deployment.context, (hooks.member.org_id, endpoint["id"])
    await number_for_endpoints(context.database, context.clock())
    taken = [len(await claim_due(context, in_flight={key: count}, room=64)) for count in (4, 3, 0)]
    assert taken == [0, 1, 4]


async def test_an_unreadable_secret_holds_up_nobody_else(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    broken = await hooks.make(receiver)
    await hooks.make(receiver)
    async with hooks.deployment.context.database.transaction() as session:
        row = await session.get_one(WebhookEndpoint, (hooks.member.org_id, broken["id"]))
        row.sealed_secret = row.sealed_secret[::-1]
        session.add(row)
    await happen(hooks, "transfer/1")
    await hooks.advance()
    assert len(receiver.messages) == 1


async def test_an_erased_event_is_not_sent(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    await hooks.make(receiver)
    await happen(hooks, "transfer/1")
    async with hooks.deployment.context.database.transaction() as session:
        await session.delete((await session.exec(select(Event))).one())
    await hooks.advance()
    assert receiver.messages == []
    async with hooks.deployment.context.database.reading() as session:
        assert (await session.exec(select(WebhookDelivery))).all() == []


async def test_an_endpoint_gets_what_it_asked_for_since_it_is_there(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    await happen(hooks, "transfer/before")
    async with hooks.deployment.context.database.transaction() as session:
        for kind in (KIND, "transfer.settled"):  # not numbered by the time at which the endpoint is made
            await write_event(
                await session.connection(),
                org_id=hooks.member.org_id,
                kind=kind,
                data={},
                subject="transfer/2",
                now=hooks.deployment.clock(),
            )
    hooks.deployment.clock.advance(seconds=1)
    endpoint = await hooks.make(receiver, types=["transfer.settled"])
    await happen(hooks, "transfer/3")
    await hooks.advance()
    assert receiver.messages == []
    path = f"/v1/webhook-endpoints/{endpoint['id']}"
    assert (await hooks.call("PATCH", path, {"types": [KIND]})).json()["types"] == [KIND]
    await happen(hooks, "transfer/4")
    await hooks.advance()
    assert len(receiver.messages) == 1


async def test_a_test_is_marked_and_no_event(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    endpoint = await hooks.make(receiver)
    path = f"/v1/webhook-endpoints/{endpoint['id']}"
    answer = await hooks.call("POST", f"{path}/test", {"type": "transfer.voided"})
    assert answer.status_code == 201
    await hooks.advance()
    [message] = receiver.messages
    assert (message.json["type"], message.json["test"], message.json["sequence"]) == ("transfer.voided", True, None)
    assert await hooks.events() == []
    assert (await hooks.call("GET", f"/v1/events/{message.json['id']}")).status_code == 404
    assert (await hooks.call("POST", f"{path}/test", {"type": "credential.issued"})).status_code == 404
    assert (await hooks.call("DELETE", path)).status_code == 204
    async with hooks.deployment.context.database.reading() as session:
        for table in (Event, WebhookDelivery, WebhookEndpoint):
            assert (await session.exec(select(table))).all() == []


async def test_others_see_nothing_of_an_endpoint(hooks: Hooks, receiver: Receiver) -> None:
    let_call(hooks.deployment, receiver)
    endpoint = await hooks.make(receiver)
    await happen(hooks, "transfer/1")
    await hooks.advance()
    [delivery] = await hooks.deliveries()
    stranger = Hooks(
        hooks.deployment, await hooks.deployment.add_organization("other", "platform"), ("verifier", "gate")
    )
    colleague = Hooks(hooks.deployment, hooks.member, ("verifier",))
    for other in (stranger, colleague):
        assert (await other.read("/v1/webhook-endpoints"))["data"] == []
        assert await other.deliveries() == []
        for method, path in (
            ("GET", f"/v1/webhook-endpoints/{endpoint['id']}"),
            ("PATCH", f"/v1/webhook-endpoints/{endpoint['id']}"),
            ("DELETE", f"/v1/webhook-endpoints/{endpoint['id']}"),
            ("POST", f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret"),
            ("POST", f"/v1/webhook-endpoints/{endpoint['id']}/challenge"),
            ("POST", f"/v1/webhook-endpoints/{endpoint['id']}/test"),
            ("POST", f"/v1/webhook-deliveries/{delivery['id']}/redeliver"),
        ):
            body = {} if method in ("PATCH", "POST") else None
            assert (await other.call(method, path, body)).status_code == 404, path
    refused = await colleague.call("POST", "/v1/webhook-endpoints", {"url": receiver.url, "types": [KIND]})
    assert (refused.status_code, refused.json()["code"]) == (403, "event_type_forbidden")


async def test_there_are_only_so_many_endpoints(hooks: Hooks) -> None:
    for number in range(20):
        made = await hooks.call("POST", "/v1/webhook-endpoints", {"url": f"https://example.com/{number}"})
        assert made.status_code == 201
    full = await hooks.call("POST", "/v1/webhook-endpoints", {"url": "https://example.com/"})
    assert (full.status_code, full.json()["code"]) == (409, "webhook_endpoints_full")
    page = await hooks.read("/v1/webhook-endpoints?limit=15")
    rest = await hooks.read(f"/v1/webhook-endpoints?limit=15&after={page['next']}")
    assert (len(page["data"]), len(rest["data"]), rest["next"]) == (15, 5, None)
    assert "whsec_" not in json.dumps(page)
    body = {"url": "https://example.com/", "types": ["transfer.dreamt"]}
    unknown = await hooks.call("POST", "/v1/webhook-endpoints", body)
    assert (unknown.status_code, unknown.json()["code"]) == (422, "event_type_unknown")
