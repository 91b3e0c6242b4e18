"""Evidence files of cases over HTTP, requests for more of it, and the history of a case."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.issuer.backoffice_api import format_seconds
from service.issuer.case_history import list_case_events
from service.issuer.case_models import OpenedCaseAnswer
from service.issuer.cases_api import describe_opened_case
from service.issuer.evidence import add_evidence, list_evidence, open_evidence
from service.issuer.evidence_models import CaseHistoryAnswer, EvidenceAnswer, EvidenceListAnswer, InformationBody
from service.issuer.evidence_types import JPEG, PDF, PNG
from service.issuer.evidence_upload import describe_evidence, name_evidence, recognize_evidence
from service.issuer.information import request_information
from service.storage.subject_keys import name_person
from service.web.accesses import record_access
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once
from service.web.openapi import answers, answers_media, takes_file, takes_idempotency_key
from service.web.routing import gather, v1_router
from service.web.uploads import read_upload

IssuerCaller = Annotated[Caller, Depends(require_scope("issuer"))]
_router = v1_router("issuer")
_files = APIRouter(
    prefix="/v1", tags=["issuer"]
)  # its bodies are no JSON, and nothing reads them before the caller is known


@_files.post(
    "/cases/{case_id}/evidence",
    status_code=201,
    responses=answers(EvidenceAnswer, 200, 201),
    openapi_extra=takes_idempotency_key() | takes_file(item="What the file is for, best as the checklist says it."),
)
async def post_evidence(case_id: str, request: Request, context: ContextDep, caller: IssuerCaller) -> Response:
    """Add a file to a case (201); the same file for the same item again is answered with the first (200)."""
    new = await recognize_evidence(await read_upload(request))

    async def handle(session: AsyncSession) -> Answer:
        view, is_new = await add_evidence(
            session, context.signer, caller.org_id, case_id, new, client_id=caller.client_id, now=context.clock()
        )
        return Answer(201 if is_new else 200, describe_evidence(view), name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle, content=new.describe())


@_files.get("/cases/{case_id}/evidence/{evidence_id}", responses=answers_media(PDF, PNG, JPEG))
async def download_evidence(case_id: str, evidence_id: str, context: ContextDep, caller: IssuerCaller) -> Response:
    """Return a file as it was sent, to be saved and never shown in place."""
    async with context.database.reading() as session:
        view, content = await open_evidence(session, context.signer, caller.org_id, case_id, evidence_id)
    await record_access(
        context, caller, object_kind="evidence", object_id=evidence_id, investor_refs=[view.subject_ref]
    )
    return Response(content, media_type=view.media_type, headers=name_evidence(view))


@_router.get("/cases/{case_id}/evidence", responses=answers(EvidenceListAnswer))
async def get_evidence(case_id: str, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """List the files of a case, oldest first; there are at most 20."""
    async with context.database.reading() as session:
        ref, found = await list_evidence(session, context.signer, caller.org_id, case_id)
    await record_access(context, caller, object_kind="evidence_list", object_id=case_id, investor_refs=[ref])
    return {"data": [describe_evidence(view) for view in found], "next": None}


@_router.post(
    "/cases/{case_id}/request-information",
    responses=answers(OpenedCaseAnswer),
    openapi_extra=takes_idempotency_key(),
)
async def post_information_request(
    case_id: str, body: InformationBody, request: Request, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Let a case wait for more information; evidence or a review lets it go on."""

    async def handle(session: AsyncSession) -> Answer:
        view = await request_information(
            session,
            context.signer,
            caller.org_id,
            case_id,
            message=body.message,
            items=body.items,
            client_id=caller.client_id,
            now=context.clock(),
        )
        return Answer(200, describe_opened_case(view), name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle)


@_router.get("/cases/{case_id}/history", responses=answers(CaseHistoryAnswer))
async def get_case_history(case_id: str, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return what was done to a case, by whom, with what was asked for."""
    async with context.database.reading() as session:
        ref, events = await list_case_events(session, context.signer, caller.org_id, case_id)
    await record_access(context, caller, object_kind="case_history", object_id=case_id, investor_refs=[ref])
    described = [
        {"at": format_seconds(each.at), "kind": each.kind, "by": each.by, "facts": each.facts} for each in events
    ]
    return {"data": described, "next": None}


router = gather(_files, _router)
