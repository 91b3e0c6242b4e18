"""Idempotency-Key: the first answer again, for at least seven days.

The record of the answer and the effect of the request are written in one transaction, so a crash leaves both or
neither, and a retry is safe in either case.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, InvalidInputError
from service.storage.tables import IdempotencyRecord
from service.web.auth import Caller
from service.web.context import Context

HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
_SEAL = "idempotency"


class IdempotencyKeyError(InvalidInputError):
    """The key is empty, too long, or missing where it is required."""

    code = "idempotency_key_invalid"


class IdempotencyKeyReusedError(InvalidInputError):
    """The key was used for another request."""

    code = "idempotency_key_reused"


class RequestInProgressError(ConflictError):
    """The first request with this key has not been answered yet."""

    code = "request_in_progress"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler wants to say: HTTP status and a JSON body.

    Attributes:
        subject: Whom the body tells of, as ``service.storage.subject_keys`` names them; it goes when they are erased.
    """

    status: int
    body: Any
    subject: str | None = None


Handler = Callable[[AsyncSession], Awaitable[Answer]]
Work = Callable[[AsyncConnection], Coroutine[Any, Any, Answer]]
_running: set[tuple[str, str]] = set()


def read_idempotency_key(request: Request) -> str | None:
    """Return the key, or None without one.

    Raises:
        IdempotencyKeyError: Empty or over 255 characters.
    """
    key = request.headers.get(HEADER)
    if key is not None and not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise IdempotencyKeyError("Idempotency-Key must have 1 to 255 characters.")
    return key


async def _digest_of(context: Context, request: Request, content: Any) -> str:
    """Return the keyed digest that two requests share exactly if they ask for the same.

    Bodies hold birth dates and amounts, which would be guessed from a plain hash.
    """
    body = content
    if body is None and await request.body():
        body = await request.json()
    canonical = json.dumps([request.method, request.url.path, body], sort_keys=True, separators=(",", ":"), default=str)
    return context.signer.authenticate(canonical.encode(), purpose=_SEAL).hex()


def _render(status: int, body: str, *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def _encode(answer: Answer) -> str:
    return json.dumps(jsonable_encoder(answer.body), ensure_ascii=False, separators=(",", ":"))


@asynccontextmanager
async def _exclusive(session: AsyncSession, org_id: str, key: str, *, is_sqlite: bool) -> AsyncIterator[None]:
    """Hold the key for this transaction; SQLite's writers already wait for one another."""
    if not is_sqlite:
        number = int.from_bytes(hashlib.sha256(f"{org_id}\0{key}".encode()).digest()[:8], "big", signed=True)
        connection = await session.connection()
        held = await connection.execute(text("SELECT pg_try_advisory_xact_lock(:n)"), {"n": number})
        if not held.scalar_one():
            raise RequestInProgressError("The first request with this key is still running.")
    yield


async def answer_once(
    context: Context, request: Request, caller: Caller, handler: Handler, *, content: Any = None
) -> Response:
    """Run ``handler`` in one transaction, or give the answer that this key got before.

    Args:
        content: JSON values that stand for a body which was read already and is no JSON, such as a form with a file.

    Raises:
        IdempotencyKeyReusedError: Same key, other request.
        RequestInProgressError: The first request with this key is still running.
    """
    key = read_idempotency_key(request)
    if key is None:
        async with context.database.transaction() as session:
            answer = await handler(session)
        return _render(answer.status, _encode(answer))
    mark = (caller.org_id, key)
    if mark in _running:
        raise RequestInProgressError("The first request with this key is still running.")
    _running.add(mark)
    try:
        return await _answer_with_key(context, request, caller, handler, key, content)
    finally:
        _running.discard(mark)


async def answer_once_off_orm(context: Context, request: Request, caller: Caller, work: Work) -> Response:
    """Do as ``answer_once`` for work off the ORM; without a key it is as cheap as ``Database.write``."""
    if read_idempotency_key(request) is None:
        answer = await context.database.write(work)
        return _render(answer.status, _encode(answer))

    async def handle(session: AsyncSession) -> Answer:
        return await work(await session.connection())

    return await answer_once(context, request, caller, handle)


async def _answer_with_key(
    context: Context, request: Request, caller: Caller, handler: Handler, key: str, content: Any
) -> Response:
    digest = await _digest_of(context, request, content)
    database = context.database
    async with (
        database.transaction() as session,
        _exclusive(session, caller.org_id, key, is_sqlite=database.is_sqlite),
    ):
        kept = await session.get(IdempotencyRecord, (caller.org_id, key))
        if kept is not None:
            if kept.request_sha256 != digest:
                raise IdempotencyKeyReusedError("This Idempotency-Key was used for another request.")
            body = context.signer.unseal(kept.sealed_body, purpose=_SEAL).decode()
            return _render(kept.status, body, replayed=True)
        answer = await handler(session)
        body = _encode(answer)
        session.add(
            IdempotencyRecord(
                org_id=caller.org_id,
                key=key,
                request_sha256=digest,
                status=answer.status,
                subject=answer.subject,
                sealed_body=context.signer.seal(body.encode(), purpose=_SEAL),
                created_at=context.clock(),
            )
        )
    return _render(answer.status, body)
