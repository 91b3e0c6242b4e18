"""Ask for presentations, and see what came back."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import NotFoundError
from service.keys import Signer
from service.rules import purposes
from service.storage.personal_data import PresentedContent, open_presented
from service.storage.subject_keys import read_subject_keys
from service.verifier.answer_models import MadeRequestAnswer, PurposeAnswer, RequestAnswer
from service.verifier.browser_answers import take_dc_api_response, take_return
from service.verifier.models import DcApiResponseBody, PresentationRequestBody, ReturnBody
from service.verifier.purposes import build_query
from service.verifier.request_rows import KeptRequest, find_kept_request
from service.verifier.request_terms import NewRequest
from service.verifier.requests import (
    create_presentation_request,
    describe_new_request,
    describe_request,
)
from service.verifier.verdicts import name_subject
from service.web.accesses import record_access
from service.web.auth import Caller, require_scope
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once_off_orm
from service.web.models import Page
from service.web.openapi import answers, takes_idempotency_key
from service.web.routing import v1_router

Verifier = Annotated[Caller, Depends(require_scope("verifier"))]
router = v1_router("verifier")


@router.get("/purposes", responses=answers(Page[PurposeAnswer]))
async def list_purposes(_caller: Verifier) -> dict[str, Any]:
    """List what can be asked for by name, and the DCQL query of each."""
    data = [
        purposes.describe_purpose(purpose) | {"dcql_query": build_query(purpose)}
        for purpose in purposes.list_purposes()
    ]
    return {"data": data, "next": None}


@router.post(
    "/presentation-requests",
    status_code=201,
    responses=answers(MadeRequestAnswer, 201),
    openapi_extra=takes_idempotency_key(),
)
async def create_request(
    body: PresentationRequestBody, request: Request, context: ContextDep, caller: Verifier
) -> Response:
    """Create a presentation request; its links open the investor's wallet."""

    async def work(connection: AsyncConnection) -> Answer:
        new = NewRequest(**body.model_dump())
        row = await create_presentation_request(connection, context, caller.org_id, new, context.clock())
        return Answer(201, describe_new_request(context.base_url, row))

    return await answer_once_off_orm(context, request, caller, work)


@router.get("/presentation-requests/{request_id}", responses=answers(RequestAnswer))
async def get_request(request_id: str, context: ContextDep, caller: Verifier) -> dict[str, Any]:
    """Return the state of a request, what was presented, and every check.

    Without the scope `compliance`, `claims` of an AML screening are empty.
    """
    return await _describe(context, caller, request_id)


@router.post("/presentation-requests/{request_id}/dc-api-response", responses=answers(RequestAnswer))
async def post_dc_api_response(
    request_id: str, body: DcApiResponseBody, context: ContextDep, caller: Verifier
) -> dict[str, Any]:
    """Hand in what a page got from the Digital Credentials API; the answer says what came of it."""
    await take_dc_api_response(context, caller.org_id, request_id, origin=body.origin, data=body.data)
    return await _describe(context, caller, request_id)


@router.post("/presentation-requests/{request_id}/return", responses=answers(RequestAnswer))
async def post_return(request_id: str, body: ReturnBody, context: ContextDep, caller: Verifier) -> dict[str, Any]:
    """Say that the browser came back, in the session in which the request was made (`same_device`)."""
    await take_return(context, caller.org_id, request_id, response_code=body.response_code)
    return await _describe(context, caller, request_id)


async def _describe(context: Context, caller: Caller, request_id: str) -> dict[str, Any]:
    row, presented = await context.database.glance(partial(_read, context.signer, caller.org_id, request_id))
    if presented.credentials:
        await record_access(
            context,
            caller,
            object_kind="presentation_request",
            object_id=row.id,
            investor_refs=[row.investor_ref],
            purpose=row.purpose,
        )
    return describe_request(row, presented, context.clock())


async def _read(
    signer: Signer, org_id: str, request_id: str, connection: AsyncConnection
) -> tuple[KeptRequest, PresentedContent]:
    row = await find_kept_request(connection, org_id=org_id, id=request_id)
    if row is None:
        raise NotFoundError
    subject = name_subject(row)
    keys = await read_subject_keys(connection, signer, row.org_id, [subject])
    return row, open_presented(keys.get(subject), row)
