"""Requests that are waiting together, decided together: one transaction reads for all, evaluates each in its turn,
and writes for all.

Source: design.md section 3; docs/decisions/0017-batch-pipeline.md.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import NotFoundError, ServiceError
from service.gate.holders import write_holder_names
from service.gate.inquiries import check_process_clock
from service.gate.material import Material, Question, Securities, find_securities, read_material
from service.gate.register import TransferKey
from service.gate.register_reading import VersionCache
from service.gate.register_writing import write_changes
from service.gate.rows import Holder, KeyRow, TransferRow
from service.gate.transfer_models import TransferRequest
from service.gate.transfers import decide, repeat_decision
from service.gate.turn import Turn
from service.gate.windows import lock_scopes, name_scopes
from service.storage.core import read_rows
from service.storage.tables import ReservationEnding, SigningKey, Transfer
from service.storage.together import read_together
from service.web.context import Context
from service.web.signing import GATE

Result = Any | ServiceError
_ANSWERS_AT_A_TIME = 8
_Recorded = dict[tuple[str, str], TransferRow]


@dataclass(frozen=True, slots=True)
class Decision:
    """Somebody asks whether a transfer may happen.

    Attributes:
        key: Idempotency key, unique within the organisation.
    """

    org_id: str
    request: TransferRequest
    key: str


@dataclass(frozen=True, slots=True)
class Closing:
    """Somebody wants a reservation to end.

    Attributes:
        act: What to do when its turn comes.
    """

    org_id: str
    transfer_id: str
    act: Callable[[Turn, Question], Awaitable[Any]]


Ask = Decision | Closing


async def run_batch(
    connection: AsyncConnection, context: Context, cache: VersionCache, asks: Sequence[Ask]
) -> list[Result]:
    """Answer every request, in order, with its result or the error that it deserves.

    The caller commits. An exception means that nothing may be kept.
    """
    ending = await _read_ending(connection, asks)
    questions = [_ask(each, ending) for each in asks]
    open_questions = [each for each in questions if isinstance(each, Question)]
    securities = await find_securities(connection, open_questions, cache, lock=True)
    material, recorded, ended, keys = await read_together(
        connection,
        lambda one: _read_material(one, context, cache, open_questions, securities),
        # Under the locks, which a duplicate may have waited for while its first sender held them.
        lambda one: _read_recorded(one, asks),
        lambda one: _read_ended(one, open_questions),
        lambda one: _read_keys(one, {each.org_id for each in open_questions if not each.transfer}),
    )
    check_process_clock(context.clock(), material.now)
    await lock_scopes(connection, _name_scopes(material, open_questions))
    turn = Turn(connection, material, keys=keys, endings=ended, signer=context.signer)
    results = []
    for number, (ask, question) in enumerate(zip(asks, questions, strict=True), 1):
        results.append(await _answer(turn, ask, question, recorded))
        if number % _ANSWERS_AT_A_TIME == 0:
            await asyncio.sleep(0)  # others are served meanwhile
    await write_changes(connection, material.changes)
    await write_holder_names(connection, material.names)
    return results


async def _read_material(
    connection: AsyncConnection,
    context: Context,
    cache: VersionCache,
    questions: Sequence[Question],
    securities: Securities,
) -> Material:
    return await read_material(
        connection,
        questions,
        securities,
        base_url=context.base_url,
        signer=context.signer,
        cache=cache,
        clock=context.database_clock,
    )


def _ask(ask: Ask, ending: Mapping[TransferKey, TransferRow]) -> Question | ServiceError:
    if isinstance(ask, Decision):
        return Question(ask.org_id, ask.request)
    transfer = ending.get((ask.org_id, ask.transfer_id))
    if transfer is None:
        return NotFoundError()
    return Question(ask.org_id, TransferRequest.model_validate(transfer.request), transfer)


async def _answer(
    turn: Turn, ask: Ask, question: Question | ServiceError, recorded: dict[tuple[str, str], TransferRow]
) -> Result:
    if isinstance(question, ServiceError):
        return question
    try:
        if isinstance(ask, Closing):
            return await ask.act(turn, question)
        known = recorded.get((ask.org_id, ask.key))
        if known is not None:
            return repeat_decision(known, question)
        decided = await decide(turn, question, key=ask.key)
    except ServiceError as error:
        return error
    recorded[ask.org_id, ask.key] = decided.transfer
    return decided


async def _read_recorded(connection: AsyncConnection, asks: Iterable[Ask]) -> _Recorded:
    """Return what was decided before, by organisation and key."""
    keys = [(each.org_id, each.key) for each in asks if isinstance(each, Decision)]
    rows = await read_rows(connection, TransferRow, Transfer, ("org_id", "idempotency_key"), keys)
    return {(row.org_id, row.idempotency_key): row for row in rows}


async def _read_ending(connection: AsyncConnection, asks: Iterable[Ask]) -> dict[TransferKey, TransferRow]:
    """Return the transfers whose reservations are to end."""
    keys = [(each.org_id, each.transfer_id) for each in asks if isinstance(each, Closing)]
    rows = await read_rows(connection, TransferRow, Transfer, ("org_id", "id"), keys)
    return {(row.org_id, row.id): row for row in rows}


def _name_scopes(material: Material, questions: Iterable[Question]) -> set[str]:
    """Name the limits that sales of different securities share."""
    scopes: set[str] = set()
    for question in questions:
        access = material.try_open(question)
        buyer = question.request.buyer
        if access is not None and question.request.action == "primary" and buyer is not None:
            register = access.register
            buyers = material.names.list_possible(register.head.org_id, Holder(question.org_id, buyer.investor_ref))
            for each in buyers:
                scopes |= name_scopes(register.head.org_id, register.terms["issuer"], register.list_offerings(), each)
    return scopes


@dataclass(frozen=True, slots=True)
class _EndingRow:
    """See ``tables.ReservationEnding``."""

    org_id: str
    transfer_id: str
    state: str


async def _read_ended(connection: AsyncConnection, questions: Iterable[Question]) -> dict[TransferKey, str]:
    """Return how reservations that are asked about ended before."""
    ending = [(each.transfer.org_id, each.transfer.id) for each in questions if each.transfer]
    ended = await read_rows(connection, _EndingRow, ReservationEnding, ("org_id", "transfer_id"), ending)
    return {(row.org_id, row.transfer_id): row.state for row in ended}


async def _read_keys(connection: AsyncConnection, org_ids: Iterable[str]) -> dict[str, KeyRow]:
    """Return each organisation's newest active gate key."""
    wanted = [(GATE, org_id) for org_id in org_ids]
    rows = await read_rows(connection, KeyRow, SigningKey, ("purpose", "org_id"), wanted)
    active = [row for row in rows if row.retired_at is None]
    return {row.org_id: row for row in sorted(active, key=lambda row: (row.created_at, row.kid))}
