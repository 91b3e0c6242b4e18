"""Transfers over HTTP: decide, preview, settle, void, look up."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import MalformedError, ServiceError
from service.gate.answer_models import BundleAnswer, DecisionAnswer, DecisionsAnswer, PreviewAnswer, ReceiptAnswer
from service.gate.bundle_reading import check_bundle_readable, check_receipt_readable, read_bundle
from service.gate.decisions import build_answer
from service.gate.pipeline import decide_transfer, settle_transfer, void_transfer
from service.gate.previews import preview_transfer
from service.gate.receipts import build_receipt, read_log_state
from service.gate.rows import TransferRow
from service.gate.settlement import find_transfer, read_reservation_state
from service.gate.transfer_models import (
    BatchItem,
    Settlement,
    TransferBatch,
    TransferPreview,
    TransferRequest,
    Voiding,
)
from service.gate.transfers import answer_first, read_signed
from service.storage.tables import Transfer
from service.web.accesses import record_access
from service.web.auth import Caller, require_scope
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.idempotency import read_idempotency_key
from service.web.openapi import answers, takes_idempotency_key
from service.web.problems import problem_of, shape_problem
from service.web.routing import v1_router

GateCaller = Annotated[Caller, Depends(require_scope("gate"))]
Reader = Annotated[Caller, Depends(require_scope("gate", "compliance", "audit"))]
COMPLIANCE = "compliance"
router = v1_router("gate")


class IdempotencyKeyRequiredError(MalformedError):
    """A transfer without a key could be decided twice."""

    code = "idempotency_key_required"


def _sees_all(caller: Caller) -> bool:
    return COMPLIANCE in caller.scopes


@router.post("/transfers", responses=answers(DecisionAnswer), openapi_extra=takes_idempotency_key(required=True))
async def post_transfer(body: TransferRequest, request: Request, context: ContextDep, caller: GateCaller) -> Response:
    """Decide whether a transfer may happen; a permit reserves."""
    key = read_idempotency_key(request)
    if key is None:
        raise IdempotencyKeyRequiredError("POST /v1/transfers needs an Idempotency-Key.")
    decided = await decide_transfer(context, caller.org_id, body, key=key)
    headers = {"Idempotency-Replayed": "true"} if decided.replayed else None
    return _answer_text(answer_first(decided.transfer, sees_all=_sees_all(caller)), headers)


def _answer_text(text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text, media_type="application/json", headers=headers)


@router.post("/transfers/preview", responses=answers(PreviewAnswer))
async def post_preview(body: TransferPreview, context: ContextDep, caller: GateCaller) -> dict[str, Any]:
    """Say what would be decided; nothing is reserved or recorded."""
    return await preview_transfer(context, caller.org_id, body, sees_all=_sees_all(caller))


@router.post("/transfers/batch", responses=answers(DecisionsAnswer))
async def post_batch(body: TransferBatch, context: ContextDep, caller: GateCaller) -> Response:
    """Decide transfers in order; each item answers with its decision or its problem."""
    answered = await asyncio.gather(*(_decide_item(item, context, caller) for item in body.transfers))
    return _answer_text(f'{{"data":[{",".join(answered)}]}}')


async def _decide_item(item: dict[str, Any], context: Context, caller: Caller) -> str:
    try:
        asked = BatchItem.model_validate(item)
        decided = await decide_transfer(context, caller.org_id, asked, key=asked.idempotency_key)
    except ValidationError as error:
        return json.dumps(shape_problem(error.errors(), detail="The transfer does not have the expected shape."))
    except ServiceError as error:
        return json.dumps(problem_of(error))
    return answer_first(decided.transfer, sees_all=_sees_all(caller))


@router.post("/transfers/{transfer_id}/settle", responses=answers(DecisionAnswer))
async def post_settlement(
    transfer_id: str, body: Settlement, context: ContextDep, caller: GateCaller
) -> dict[str, Any]:
    """Settle a permitted transfer, exactly once, if everything still holds."""
    ended = await settle_transfer(
        context, caller.org_id, transfer_id, reference=body.reference, sees_all=_sees_all(caller)
    )
    return await _describe_ended(context, ended.transfer, ended.state, caller)


@router.post("/transfers/{transfer_id}/void", responses=answers(DecisionAnswer))
async def post_voiding(transfer_id: str, body: Voiding, context: ContextDep, caller: GateCaller) -> dict[str, Any]:
    """Give a reservation up, exactly once."""
    ended = await void_transfer(context, caller.org_id, transfer_id, reason=body.reason)
    return await _describe_ended(context, ended.transfer, ended.state, caller)


@router.get("/transfers/{transfer_id}", responses=answers(DecisionAnswer))
async def get_transfer(transfer_id: str, context: ContextDep, caller: Reader) -> dict[str, Any]:
    """Return a decision and what became of its reservation."""
    async with context.database.reading() as session:
        transfer = await find_transfer(session, caller.org_id, transfer_id)
        state = await read_reservation_state(session, transfer, now=context.clock())
        return await _describe(session, transfer, state, caller)


@router.get("/transfers/{transfer_id}/bundle", responses=answers(BundleAnswer))
async def get_bundle(transfer_id: str, context: ContextDep, caller: Reader) -> dict[str, Any]:
    """Return everything that is needed to make the decision again."""
    async with context.database.reading() as session:
        transfer = await find_transfer(session, caller.org_id, transfer_id)
    check_bundle_readable(transfer, sees_all=_sees_all(caller))
    parties = [transfer.seller_ref, transfer.buyer_ref]
    await record_access(context, caller, object_kind="bundle", object_id=transfer.id, investor_refs=parties)
    return await read_bundle(context, transfer)


@router.get("/transfers/{transfer_id}/receipt", responses=answers(ReceiptAnswer))
async def get_receipt(transfer_id: str, context: ContextDep, caller: Reader) -> dict[str, Any]:
    """Return the record that was logged for the decision, and the proof that the log holds it."""
    async with context.database.reading() as session:
        transfer = await find_transfer(session, caller.org_id, transfer_id)
        check_receipt_readable(transfer, sees_all=_sees_all(caller))
        return await build_receipt(session, transfer)


async def _describe_ended(
    context: Context, transfer: Transfer | TransferRow, state: str | None, caller: Caller
) -> dict[str, Any]:
    async with context.database.reading() as session:
        return await _describe(session, transfer, state, caller)


async def _describe(
    session: AsyncSession, transfer: Transfer | TransferRow, state: str | None, caller: Caller
) -> dict[str, Any]:
    signed = read_signed(transfer, sees_all=_sees_all(caller))
    return build_answer(signed, reservation_state=state, log=await read_log_state(session, transfer))
