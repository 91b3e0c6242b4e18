"""Who is who across venues, over HTTP. For registrars only: a venue is not told by what other names somebody trades."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from service.gate.answer_models import HolderLinkAnswer
from service.gate.linking import link_holder, list_links
from service.gate.rows import Holder
from service.gate.security_models import HolderLinkTerms
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.models import Page
from service.web.openapi import answers
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

GateCaller = Annotated[Caller, Depends(require_scope("gate"))]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
router = v1_router("gate")


@router.put("/holder-links/{org_id}/{investor_ref}", responses=answers(HolderLinkAnswer, 200, 201))
async def put_link(
    org_id: Id, investor_ref: Id, body: HolderLinkTerms, context: ContextDep, caller: GateCaller
) -> Response:
    """Say that an investor of a venue is a holder whom the caller's registers know by another name."""
    holder = Holder(body.org_id, body.investor_ref)
    async with context.database.transaction() as session:
        now = await context.database_clock(await session.connection())
        saved = await link_holder(session, caller.org_id, Holder(org_id, investor_ref), holder, now=now)
    return JSONResponse(saved.body, status_code=201 if saved.created else 200)


@router.get("/holder-links", responses=answers(Page[HolderLinkAnswer]))
async def get_links(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: GateCaller,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List who is who in the caller's registers, by verified KYC or by its own word."""
    async with context.database.reading() as session:
        items = await list_links(session, caller.org_id, after=after, limit=limit + 1)
    return page_of(request, response, items, limit=limit)
