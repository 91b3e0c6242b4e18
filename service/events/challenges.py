"""Challenge an endpoint: nothing is sent to an address until it has shown that it expects our messages."""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select

from service.errors import ConflictError
from service.events.endpoints import ACTIVE, DISABLED, PENDING, EndpointView, open_secrets, view_endpoint
from service.events.records import PAYLOAD_VERSION, write_json
from service.events.schedule import DELAYS
from service.events.sending import Message, send_message
from service.storage.ids import new_id
from service.storage.tables import WebhookEndpoint
from service.web.context import Context
from service.web.instants import format_instant

CHALLENGE = "webhook.challenge"
_TRIES = 4
_MAX_ANSWER_BYTES = 4096


class ChallengeFailedError(ConflictError):
    """The endpoint did not answer the challenge with 2xx and the challenge itself."""

    code = "webhook_challenge_failed"


@dataclass(frozen=True, slots=True)
class _Challenge:
    message: Message
    expected: str


async def challenge_endpoint(context: Context, org_id: str, endpoint_id: str) -> bool:
    """Send a challenge, and make a pending endpoint active that answers it; returns whether it did.

    Without an answer it is tried again after 5 seconds, 5 minutes and half an hour.
    """
    async with context.database.reading() as session:
        row = await session.get(WebhookEndpoint, (org_id, endpoint_id))
    if row is None or row.state == DISABLED:
        return False
    made = _make(context, row)
    outcome = await send_message(context.fetcher, made.message, now=context.clock(), max_bytes=_MAX_ANSWER_BYTES)
    passed = outcome.is_delivered and _is_answer(outcome.body, made.expected)
    await _record(context, org_id, endpoint_id, passed=passed)
    return passed


async def challenge_again(context: Context, org_id: str, endpoint_id: str) -> EndpointView:
    """Send a challenge now, because somebody asks.

    Raises:
        ChallengeFailedError: See ``code``; a disabled endpoint is not asked.
    """
    if not await challenge_endpoint(context, org_id, endpoint_id):
        raise ChallengeFailedError("The endpoint did not answer the challenge with 2xx and the challenge itself.")
    async with context.database.reading() as session:
        return view_endpoint(await session.get_one(WebhookEndpoint, (org_id, endpoint_id)), context.clock())


async def take_due_challenges(context: Context) -> list[tuple[str, str]]:
    """Return the endpoints that are to be challenged now, by this process; organisation and id."""
    query = select(WebhookEndpoint.org_id, WebhookEndpoint.id).where(
        col(WebhookEndpoint.state) == PENDING, col(WebhookEndpoint.challenge_due_at) <= context.clock()
    )
    async with context.database.reading() as session:
        found = (await session.exec(query)).all()
    return [(org_id, endpoint_id) for org_id, endpoint_id in found if await _take(context, org_id, endpoint_id)]


async def _take(context: Context, org_id: str, endpoint_id: str) -> bool:
    """Put the next try ahead, so that no other process sends this one."""
    now = context.clock()
    async with context.database.transaction() as session:
        row = await session.get(WebhookEndpoint, (org_id, endpoint_id), with_for_update=True)
        if row is None or row.state != PENDING or row.challenge_due_at is None or row.challenge_due_at > now:
            return False
        row.challenges += 1
        row.challenge_due_at = now + DELAYS[row.challenges - 1] if row.challenges < _TRIES else None
        session.add(row)
    return True


def _make(context: Context, row: WebhookEndpoint) -> _Challenge:
    now, expected = context.clock(), secrets.token_urlsafe(24)
    document: dict[str, Any] = {
        "id": new_id("chl"),
        "type": CHALLENGE,
        "timestamp": format_instant(now),
        "version": PAYLOAD_VERSION,
        "data": {"challenge": expected, "endpoint_id": row.id},
    }
    message = Message(row.url, document["id"], write_json(document), open_secrets(context.signer, row, now))
    return _Challenge(message, expected)


def _is_answer(body: bytes, expected: str) -> bool:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return False
    given = answer.get("challenge") if isinstance(answer, dict) else None
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


async def _record(context: Context, org_id: str, endpoint_id: str, *, passed: bool) -> None:
    if not passed:
        return
    now: datetime = context.clock()
    async with context.database.transaction() as session:
        row = await session.get(WebhookEndpoint, (org_id, endpoint_id), with_for_update=True)
        if row is not None and row.state == PENDING:
            row.state, row.active_since, row.challenge_due_at, row.updated_at = ACTIVE, now, None, now
            session.add(row)
