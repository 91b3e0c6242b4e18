"""Investors as the platform knows them, and their standing."""

from typing import Annotated, Any

from fastapi import Depends, Query, Response
from fastapi.responses import JSONResponse

from service.errors import InvalidInputError
from service.verifier.answer_models import InvestorAnswer, StandingAnswer
from service.verifier.investors import put_investor, read_standing
from service.verifier.models import ClientId, InvestorBody
from service.web.accesses import record_access
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.openapi import answers
from service.web.routing import v1_router

Verifier = Annotated[Caller, Depends(require_scope("verifier"))]
router = v1_router("verifier")


class AsOfUnsupportedError(InvalidInputError):
    """Standing is only known as it is now."""

    code = "as_of_unsupported"


@router.put("/investors/{ref}", responses=answers(InvestorAnswer, 200, 201))
async def put_entry(ref: ClientId, body: InvestorBody, context: ContextDep, caller: Verifier) -> Response:
    """Create (201) or change (200) an investor; what is not sent stays as it is."""
    changes = body.model_dump(mode="json", exclude_unset=True)
    async with context.database.transaction() as session:
        saved, is_new = await put_investor(session, context.signer, caller.org_id, ref, changes, context.clock())
    return JSONResponse(saved, status_code=201 if is_new else 200)


@router.get("/investors/{ref}/standing", responses=answers(StandingAnswer))
async def get_standing(
    ref: ClientId, context: ContextDep, caller: Verifier, as_of: Annotated[str | None, Query()] = None
) -> dict[str, Any]:
    """Return the facts that presentations proved, their sources, and which purposes they cover."""
    if as_of is not None:
        raise AsOfUnsupportedError("as_of is not supported: standing is only known as it is now.")
    async with context.database.reading() as session:
        standing = await read_standing(
            session,
            context.signer,
            base_url=context.base_url,
            org_id=caller.org_id,
            ref=ref,
            now=context.clock(),
        )
    await record_access(context, caller, object_kind="standing", object_id=ref, investor_refs=[ref])
    return standing
