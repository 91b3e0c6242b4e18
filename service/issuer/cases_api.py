"""The review queue over HTTP: open, review, approve or decline."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.issuer import cases
from service.issuer.backoffice_api import SubjectRef, describe_made_offer, format_seconds
from service.issuer.case_models import (
    ApprovalAnswer,
    ApprovalBody,
    CaseAnswer,
    CaseBody,
    CaseState,
    DeclineBody,
    OpenedCaseAnswer,
    ReviewBody,
)
from service.issuer.case_records import CaseView
from service.issuer.identity import get_issuer
from service.storage.subject_keys import name_person
from service.web.accesses import record_access
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once
from service.web.models import Page
from service.web.openapi import answers, takes_idempotency_key
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

IssuerCaller = Annotated[Caller, Depends(require_scope("issuer"))]
router = v1_router("issuer")


@router.post("/cases", status_code=201, responses=answers(OpenedCaseAnswer, 201), openapi_extra=takes_idempotency_key())
async def open_case(body: CaseBody, request: Request, context: ContextDep, caller: IssuerCaller) -> Response:
    """Open a case about one person and one credential type."""

    async def handle(session: AsyncSession) -> Answer:
        view = await cases.open_case(
            session,
            context.signer,
            caller.org_id,
            configuration_id=body.credential_configuration_id,
            subject_ref=body.subject_ref,
            client_id=caller.client_id,
            now=context.clock(),
        )
        return Answer(201, describe_opened_case(view), name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle)


@router.get("/cases", responses=answers(Page[CaseAnswer]))
async def list_cases(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: IssuerCaller,
    state: Annotated[CaseState | None, Query()] = None,
    subject_ref: Annotated[SubjectRef | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List cases, all or those in one state or about one person; without figures."""
    async with context.database.reading() as session:
        rows = await cases.list_cases(
            session, caller.org_id, state=state, subject_ref=subject_ref, after=after, limit=limit + 1
        )
    return page_of(request, response, [_describe(row) for row in rows], limit=limit)


@router.get("/cases/{case_id}", responses=answers(OpenedCaseAnswer))
async def read_case(case_id: str, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return a case with the figures and the working of its last review."""
    async with context.database.reading() as session:
        view = await cases.get_case(session, context.signer, caller.org_id, case_id)
    await record_access(context, caller, object_kind="case", object_id=case_id, investor_refs=[view.subject_ref])
    return describe_opened_case(view)


@router.post("/cases/{case_id}/review", responses=answers(OpenedCaseAnswer), openapi_extra=takes_idempotency_key())
async def review_case(
    case_id: str, body: ReviewBody, request: Request, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Work out a test or a limit from figures; a new review takes the place of the one before."""

    async def handle(session: AsyncSession) -> Answer:
        view = await cases.review_case(
            session,
            context.signer,
            caller.org_id,
            case_id,
            body.to_request(),
            client_id=caller.client_id,
            now=context.clock(),
        )
        return Answer(200, describe_opened_case(view), name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle)


@router.post(
    "/cases/{case_id}/approve",
    status_code=201,
    responses=answers(ApprovalAnswer, 201),
    openapi_extra=takes_idempotency_key(),
)
async def approve_case(
    case_id: str, body: ApprovalBody, request: Request, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Approve a review that passed, as an API client that did not review it, and offer the credential."""

    async def handle(session: AsyncSession) -> Answer:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=caller.org_id)
        view, made = await cases.approve_case(
            session,
            context.signer,
            issuer,
            case_id,
            body.to_request(),
            client_id=caller.client_id,
            now=context.clock(),
        )
        answer = {"case": describe_opened_case(view), "offer": describe_made_offer(made)}
        return Answer(201, answer, name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle)


@router.post("/cases/{case_id}/decline", responses=answers(OpenedCaseAnswer), openapi_extra=takes_idempotency_key())
async def decline_case(
    case_id: str, body: DeclineBody, request: Request, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Decline a case; nothing is offered."""

    async def handle(session: AsyncSession) -> Answer:
        view = await cases.decline_case(
            session,
            context.signer,
            caller.org_id,
            case_id,
            reason=body.reason,
            client_id=caller.client_id,
            now=context.clock(),
        )
        return Answer(200, describe_opened_case(view), name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle)


def _describe(view: CaseView) -> dict[str, Any]:
    return {
        "id": view.id,
        "credential_configuration_id": view.credential_configuration_id,
        "subject_ref": view.subject_ref,
        "state": view.state,
        "opened_by": view.opened_by,
        "created_at": format_seconds(view.created_at),
        "rule": view.rule,
        "passed": view.passed,
        "reviewed_by": view.reviewed_by,
        "reviewed_at": None if view.reviewed_at is None else format_seconds(view.reviewed_at),
        "decided_by": view.decided_by,
        "decided_at": None if view.decided_at is None else format_seconds(view.decided_at),
        "offer_id": view.offer_id,
    }


def describe_opened_case(view: CaseView) -> dict[str, Any]:
    """Return a case with its last review as answers show it."""
    review = None if view.review is None else asdict(view.review)
    if review is not None:
        del review["steps"]  # what ``explanation`` says, for pages
    return {**_describe(view), "review": review, "reason": view.reason}
