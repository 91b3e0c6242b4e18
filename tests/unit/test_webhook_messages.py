"""Messages of webhooks: signatures, what a receiver refuses, when they are sent again, and the form of each type."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from standardwebhooks import Webhook

from service.cli.webhook_check import WebhookInvalidError, WebhookSecretError, parse_secret, verify_webhook
from service.cli.webhook_receiver import DUPLICATE, WebhookReceiver
from service.credentials.webhook import format_secret, sign_webhook
from service.events.examples import EXAMPLES
from service.events.records import PAYLOAD_VERSION, EventRow, describe_event, write_payload
from service.events.schedule import DELAYS, find_next_try, read_retry_after
from service.storage.due_events import compute_notice
from service.storage.event_types import EVENT_SCOPES

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
KEYS = [bytes(range(32)), bytes(range(32, 64))]
BODY = b'{"type":"transfer.decided","data":{}}'
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/events.schema.json").read_text(encoding="utf-8"))


def sign(**changes: Any) -> dict[str, str]:
    values: dict[str, Any] = {"message_id": "evt_1", "timestamp": int(NOW.timestamp()), "body": BODY} | changes
    return sign_webhook(values.pop("keys", KEYS[:1]), **values)


def test_our_signature_is_that_of_the_library() -> None:
    made = Webhook(format_secret(KEYS[0])).sign("evt_1", NOW, BODY.decode())
    assert sign()["webhook-signature"] == made
    assert parse_secret(format_secret(KEYS[0])) == KEYS[0]


def test_either_of_two_secrets_verifies() -> None:
    headers = sign(keys=KEYS)
    assert headers["webhook-signature"].count(" ") == 1
    for key in KEYS:
        assert verify_webhook([key], headers, BODY, now=NOW) == "evt_1"


FORGERIES: list[tuple[str, dict[str, str], bytes]] = [
    ("another body", {}, BODY + b" "),
    ("another id", {"webhook-id": "evt_2"}, BODY),
    ("no id", {"webhook-id": ""}, BODY),
    ("an id that shifts the parts", {"webhook-id": "evt.1"}, BODY),
    ("another time", {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, BODY),
    ("a time that is none", {"webhook-timestamp": "now"}, BODY),
    ("no signature", {"webhook-signature": ""}, BODY),
    ("another version", {"webhook-signature": sign()["webhook-signature"].replace("v1,", "v1a,")}, BODY),
    ("another key", {"webhook-signature": sign(keys=KEYS[1:])["webhook-signature"]}, BODY),
    ("letters of another script", {"webhook-signature": "v1,\u0430\udcff"}, BODY),
]


@pytest.mark.parametrize(("name", "changes", "body"), FORGERIES, ids=[each[0] for each in FORGERIES])
def test_a_forged_message_is_refused(name: str, changes: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookInvalidError):
        verify_webhook(KEYS[:1], sign() | changes, body, now=NOW)


def test_without_a_key_nothing_is_authentic() -> None:
    with pytest.raises(WebhookInvalidError):
        verify_webhook([], sign(keys=[]), BODY, now=NOW)


@pytest.mark.parametrize(("late", "is_taken"), [(-301, False), (-299, True), (299, True), (301, False)])
def test_an_old_message_is_refused(late: int, is_taken: bool) -> None:
    def verify() -> str:
        return verify_webhook(KEYS[:1], sign(), BODY, now=NOW + timedelta(seconds=late))

    if is_taken:
        assert verify() == "evt_1"
    else:
        with pytest.raises(WebhookInvalidError):
            verify()


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_AAAA", "whsec_****", format_secret(bytes(65)), "whsk_" + "A" * 44]
)
def test_a_secret_has_its_form(text: str) -> None:
    with pytest.raises(WebhookSecretError):
        parse_secret(text)


async def receive(receiver: WebhookReceiver, body: bytes, headers: dict[str, str], method: str = "POST") -> int:
    sent: list[dict[str, Any]] = []

    async def receive_body() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await receiver({"type": "http", "method": method, "path": "/", "headers": raw}, receive_body, send)
    status: int = sent[0]["status"]
    return status


async def test_the_receiver_shows_what_is_authentic_and_what_came_before() -> None:
    shown: list[tuple[str, str | None]] = []
    keys: list[bytes] = []
    receiver = WebhookReceiver(lambda: keys, lambda: NOW, lambda message, why: shown.append((message["type"], why)))
    challenge = b'{"type":"webhook.challenge","data":{"challenge":"x"}}'
    assert await receive(receiver, BODY, sign()) == 401, "without a secret nothing but the challenge is taken"
    assert await receive(receiver, challenge, {}) == 200
    keys.append(KEYS[0])
    assert await receive(receiver, challenge, {}) == 401
    assert await receive(receiver, challenge, sign(body=challenge)) == 200
    shown.clear()
    for _ in range(2):
        assert await receive(receiver, BODY, sign()) == 204
    assert shown == [("transfer.decided", None), ("transfer.decided", DUPLICATE)]
    old = sign(timestamp=int(NOW.timestamp()) - 600)
    assert await receive(receiver, BODY, old) == 401
    assert await receive(receiver, BODY + b" ", sign()) == 401
    assert [why is None for _, why in shown[2:]] == [False, False]
    assert await receive(receiver, b"[", sign()) == 400
    assert await receive(receiver, b"x" * 70_000, sign()) == 413


def test_tries_are_later_and_later_and_end() -> None:
    tries = [find_next_try(failures, NOW, chance=0) for failures in range(1, 12)]
    assert [each and each - NOW for each in tries] == [*DELAYS, None, None]
    assert sum(DELAYS, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)
    latest = find_next_try(2, NOW, chance=1)
    assert latest == NOW + timedelta(minutes=6)
    asked = find_next_try(1, NOW, chance=0, retry_after=timedelta(hours=1))
    assert asked == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("120", timedelta(minutes=2)),
        ("99999999999999999999", timedelta(hours=24)),
        ("Mon, 23 Nov 2026 15:30:00 GMT", timedelta(minutes=30)),
        ("Mon, 23 Nov 2026 14:30:00 GMT", timedelta(0)),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after_is_read(value: str | None, expected: timedelta | None) -> None:
    assert read_retry_after(value, NOW) == expected


def test_notice_is_given_after_three_quarters_of_a_life_or_thirty_days_ahead() -> None:
    assert compute_notice(NOW, NOW + timedelta(days=8)) == NOW + timedelta(days=6)
    assert compute_notice(NOW, NOW + timedelta(days=365)) == NOW + timedelta(days=335)


def show(kind: str, *, is_test: bool) -> EventRow:
    data = json.dumps(EXAMPLES[kind])
    return EventRow("org_1", "evt_" + "0" * 32, None if is_test else 7, kind, "", data, NOW, is_test)


@pytest.mark.parametrize("kind", EVENT_SCOPES)
def test_every_type_has_its_schema(kind: str) -> None:
    validator = Draft202012Validator(SCHEMA)
    for is_test in (True, False):
        event = json.loads(write_payload(show(kind, is_test=is_test), PAYLOAD_VERSION))
        validator.validate(event)
        for member in EXAMPLES[kind]:
            with_less = {name: value for name, value in event["data"].items() if name != member}
            if member != "credential_type":  # told only where it is about one
                with pytest.raises(ValidationError):
                    validator.validate(event | {"data": with_less})


def test_the_schema_knows_every_type() -> None:
    assert SCHEMA["properties"]["type"]["enum"] == sorted(EVENT_SCOPES, key=list(EVENT_SCOPES).index)
    assert describe_event(show("key.rotated", is_test=False))["version"] == SCHEMA["properties"]["version"]["const"]
