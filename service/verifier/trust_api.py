"""The platform's list of trusted issuers."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse

from service.verifier.answer_models import TrustedIssuerAnswer
from service.verifier.models import ClientId, TrustedIssuerBody
from service.verifier.trust import (
    TrustTerms,
    delete_trusted_issuer,
    describe_trusted_issuer,
    get_trusted_issuer,
    page_trusted_issuers,
    put_trusted_issuer,
)
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.models import Page
from service.web.openapi import answers
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

Verifier = Annotated[Caller, Depends(require_scope("verifier"))]
router = v1_router("verifier")


@router.put("/trusted-issuers/{entry_id}", responses=answers(TrustedIssuerAnswer, 200, 201))
async def put_entry(entry_id: ClientId, body: TrustedIssuerBody, context: ContextDep, caller: Verifier) -> Response:
    """Create (201) or replace (200) an entry."""
    terms = TrustTerms(**body.model_dump())
    async with context.database.transaction() as session:
        row, is_new = await put_trusted_issuer(
            session, caller.org_id, entry_id, terms, context.clock(), any_did=context.did_resolver is not None
        )
    return JSONResponse(describe_trusted_issuer(row), status_code=201 if is_new else 200)


@router.get("/trusted-issuers", responses=answers(Page[TrustedIssuerAnswer]))
async def list_entries(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: Verifier,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List the entries."""
    async with context.database.reading() as session:
        rows = await page_trusted_issuers(session, caller.org_id, after=after, limit=limit)
    return page_of(request, response, [describe_trusted_issuer(row) for row in rows], limit=limit)


@router.get("/trusted-issuers/{entry_id}", responses=answers(TrustedIssuerAnswer))
async def get_entry(entry_id: ClientId, context: ContextDep, caller: Verifier) -> dict[str, Any]:
    """Return one entry."""
    async with context.database.reading() as session:
        return describe_trusted_issuer(await get_trusted_issuer(session, caller.org_id, entry_id))


@router.delete("/trusted-issuers/{entry_id}", status_code=204)
async def delete_entry(entry_id: ClientId, context: ContextDep, caller: Verifier) -> None:
    """Trust this issuer no more, from the next decision on."""
    async with context.database.transaction() as session:
        await delete_trusted_issuer(session, caller.org_id, entry_id, context.clock())
