"""What happened, read in order."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from service.events.endpoints import EventTypeError, EventTypeForbiddenError
from service.events.feed import get_event, list_events
from service.events.models import EventAnswer
from service.events.records import describe_event
from service.storage.event_types import EVENT_SCOPES, list_visible_types
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.models import Page
from service.web.openapi import answers
from service.web.pagination import DEFAULT_LIMIT, Limit, link_next
from service.web.routing import v1_router

Listener = Annotated[Caller, Depends(require_scope("issuer", "verifier", "gate"))]
Sequence = Annotated[
    int | None,
    Query(ge=0, le=2**63 - 1, description="The `sequence` of the last event that was read; without it, the oldest."),
]
Types = Annotated[str | None, Query(max_length=2000, description="Event types, separated by commas.")]
router = v1_router("events")


@router.get("/events", responses=answers(Page[EventAnswer]))
async def read_events(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: Listener,
    after: Sequence = None,
    types: Types = None,
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """List events in the order of their `sequence`, from any on: what webhooks told, and what they missed.

    Every event appears, if late, with a higher `sequence` than all that were listed before; none is skipped.
    """
    wanted = _read_types(types, caller)
    page = await list_events(context, caller.org_id, types=wanted, after=after, limit=limit)
    following = None if page.next is None else str(page.next)
    link_next(request, response, following, limit=limit)
    return {"data": [describe_event(event) for event in page.events], "next": following}


@router.get("/events/{event_id}", responses=answers(EventAnswer))
async def read_event(event_id: str, context: ContextDep, caller: Listener) -> dict[str, Any]:
    """Return one event."""
    async with context.database.reading() as session:
        visible = list_visible_types(caller.scopes)
        return describe_event(await get_event(session, caller.org_id, event_id, types=visible))


def _read_types(types: str | None, caller: Caller) -> frozenset[str]:
    visible = list_visible_types(caller.scopes)
    if types is None:
        return visible
    wanted = frozenset(types.split(","))
    if not wanted <= EVENT_SCOPES.keys():
        raise EventTypeError("types must name event types, separated by commas.")
    if not wanted <= visible:
        raise EventTypeForbiddenError("The scopes of this token do not cover all of these types.")
    return wanted
