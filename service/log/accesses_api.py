"""Who read which person's data: for the organisation whose clients read, and for whoever asks it."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from service.storage.log import list_accesses
from service.storage.tables import AuditEntry
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.instants import format_instant
from service.web.models import AnswerModel, Page
from service.web.openapi import answers
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

Auditor = Annotated[Caller, Depends(require_scope("audit"))]
InvestorRef = Annotated[
    str | None,
    Query(max_length=64, description="The organisation's own name for a person; at an issuer, the `subject_ref`."),
]
router = v1_router("log")


class ReadObjectAnswer(AnswerModel):
    """What was read: a ``standing``, ``presentation_request``, ``bundle`` or ``case``."""

    kind: str
    id: str


class AccessAnswer(AnswerModel):
    """One reading of one person's data; never the data."""

    id: str
    accessed_at: datetime
    investor_ref: str | None
    client_id: str
    scopes: list[str]
    object: ReadObjectAnswer
    purpose: str | None
    log_index: int | None


@router.get("/personal-data-accesses", responses=answers(Page[AccessAnswer]))
async def list_personal_data_accesses(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: Auditor,
    investor_ref: InvestorRef = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List readings of personal data by the organisation's clients, oldest first: of one person, or of all."""
    async with context.database.reading() as session:
        rows = await list_accesses(session, caller.org_id, subject_id=investor_ref, after=after, limit=limit + 1)
    return page_of(request, response, [_describe(row) for row in rows], limit=limit)


def _describe(row: AuditEntry) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(row.record)
    return {"id": row.id, "accessed_at": format_instant(row.recorded_at), **record, "log_index": row.idx}
