"""Eligibility over HTTP."""

from typing import Annotated, Any

from fastapi import Depends

from service.gate.eligibility import check_eligibility
from service.gate.eligibility_models import EligibilityAnswer, EligibilityRequest
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.openapi import answers
from service.web.routing import v1_router

router = v1_router("gate")


@router.post("/eligibility", responses=answers(EligibilityAnswer))
async def post_eligibility(
    body: EligibilityRequest, context: ContextDep, caller: Annotated[Caller, Depends(require_scope("gate"))]
) -> dict[str, Any]:
    """Say which investors may take part in which securities; nothing is reserved or recorded."""
    return await check_eligibility(context, caller.org_id, body, sees_all="compliance" in caller.scopes)
