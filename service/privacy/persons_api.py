"""Erasing people whom an issuer reviewed, and what stops it."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from service.privacy.erasure import Cause
from service.privacy.hold_requests import answer_lifting, answer_placing, answer_reading
from service.privacy.holds import Subject
from service.privacy.models import ErasureAnswer, HoldAnswer, HoldBody, Ref, describe_erasure
from service.privacy.persons import erase_person
from service.privacy.residue import sweep
from service.storage.subject_keys import name_person
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once
from service.web.openapi import answers, takes_idempotency_key
from service.web.routing import v1_router

IssuerCaller = Annotated[Caller, Depends(require_scope("issuer"))]
router = v1_router("privacy")


@router.post("/subjects/{ref}/erasure", responses=answers(ErasureAnswer), openapi_extra=takes_idempotency_key())
async def post_person_erasure(ref: Ref, request: Request, context: ContextDep, caller: IssuerCaller) -> Response:
    """Erase a person, unless a hold, a valid credential or a rule of retention wants the records kept."""

    async def handle(session: AsyncSession) -> Answer:
        cause = Cause("request", caller.client_id)
        done = await erase_person(session, caller.org_id, ref, cause, context.clock())
        return Answer(200, describe_erasure(done))

    answer = await answer_once(context, request, caller, handle)
    await sweep(context.database)
    return answer


@router.put("/subjects/{ref}/legal-hold", responses=answers(HoldAnswer, 200, 201))
async def put_person_hold(ref: Ref, body: HoldBody, context: ContextDep, caller: IssuerCaller) -> Response:
    """Place a legal hold (201) or change its grounds (200); while it stands nothing about the person is erased."""
    hold, is_new = await answer_placing(context, caller, Subject(caller.org_id, name_person(ref), ref), body)
    return JSONResponse(hold, status_code=201 if is_new else 200)


@router.get("/subjects/{ref}/legal-hold", responses=answers(HoldAnswer))
async def get_person_hold(ref: Ref, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return the legal hold that stands on a person's records."""
    return await answer_reading(context, Subject(caller.org_id, name_person(ref), ref))


@router.delete("/subjects/{ref}/legal-hold", status_code=204)
async def delete_person_hold(ref: Ref, context: ContextDep, caller: IssuerCaller) -> None:
    """Lift a legal hold."""
    await answer_lifting(context, caller, Subject(caller.org_id, name_person(ref), ref))
