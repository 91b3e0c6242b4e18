"""Webhook endpoints and what is sent to them."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.events import deliveries, endpoints
from service.events.challenges import challenge_again
from service.events.deliveries import DeliveryView
from service.events.endpoints import EndpointChange, EndpointView, NewEndpoint
from service.events.models import (
    DeliveryAnswer,
    DeliveryState,
    EndpointAnswer,
    EndpointChangeBody,
    EndpointWithSecretAnswer,
    NewEndpointBody,
    TestBody,
)
from service.storage.event_types import list_visible_types
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once
from service.web.instants import format_instant, format_optional
from service.web.models import Page
from service.web.openapi import answers, takes_idempotency_key
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

Listener = Annotated[Caller, Depends(require_scope("issuer", "verifier", "gate"))]
router = v1_router("events")


@router.post(
    "/webhook-endpoints",
    status_code=201,
    responses=answers(EndpointWithSecretAnswer, 201),
    openapi_extra=takes_idempotency_key(),
)
async def create_endpoint(body: NewEndpointBody, request: Request, context: ContextDep, caller: Listener) -> Response:
    """Have events sent to an address.

    It gets a signed `webhook.challenge` at once, and again after 5 seconds, 5 minutes and half an hour; it is active
    once it answers 2xx with `{"challenge": ...}` as it was sent. The secret is shown this once.
    """

    async def handle(session: AsyncSession) -> Answer:
        view, secret = await endpoints.create_endpoint(
            session,
            context.signer,
            context.fetcher,
            caller.org_id,
            NewEndpoint(**body.model_dump()),
            visible=list_visible_types(caller.scopes),
            now=context.clock(),
        )
        return Answer(201, {**describe_endpoint(view), "secret": secret})

    return await answer_once(context, request, caller, handle)


@router.get("/webhook-endpoints", responses=answers(Page[EndpointAnswer]))
async def list_endpoints(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: Listener,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List the endpoints all of whose types the token's scopes cover."""
    visible = list_visible_types(caller.scopes)
    async with context.database.reading() as session:
        views = await endpoints.list_endpoints(session, caller.org_id, visible=visible, now=context.clock())
    rest = [describe_endpoint(view) for view in views if after is None or view.id > after]
    return page_of(request, response, rest, limit=limit)


@router.get("/webhook-endpoints/{endpoint_id}", responses=answers(EndpointAnswer))
async def read_endpoint(endpoint_id: str, context: ContextDep, caller: Listener) -> dict[str, Any]:
    """Return one endpoint."""
    visible = list_visible_types(caller.scopes)
    async with context.database.reading() as session:
        row = await endpoints.load_endpoint(session, caller.org_id, endpoint_id, visible=visible)
        return describe_endpoint(endpoints.view_endpoint(row, context.clock()))


@router.patch("/webhook-endpoints/{endpoint_id}", responses=answers(EndpointAnswer))
async def change_endpoint(
    endpoint_id: str, body: EndpointChangeBody, context: ContextDep, caller: Listener
) -> dict[str, Any]:
    """Change types or description, disable or enable; another address is another endpoint."""
    change = EndpointChange(**body.model_dump())
    visible = list_visible_types(caller.scopes)
    async with context.database.transaction() as session:
        view = await endpoints.change_endpoint(
            session, caller.org_id, endpoint_id, change, visible=visible, now=context.clock()
        )
    return describe_endpoint(view)


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=204)
async def delete_endpoint(endpoint_id: str, context: ContextDep, caller: Listener) -> None:
    """Delete an endpoint with everything that was on its way there."""
    visible = list_visible_types(caller.scopes)
    async with context.database.transaction() as session:
        await endpoints.delete_endpoint(session, caller.org_id, endpoint_id, visible=visible)


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    responses=answers(EndpointWithSecretAnswer),
    openapi_extra=takes_idempotency_key(),
)
async def rotate_secret(endpoint_id: str, request: Request, context: ContextDep, caller: Listener) -> Response:
    """Make a new secret, shown this once; for 24 hours those before sign beside it."""

    async def handle(session: AsyncSession) -> Answer:
        view, secret = await endpoints.rotate_secret(
            session,
            context.signer,
            caller.org_id,
            endpoint_id,
            visible=list_visible_types(caller.scopes),
            now=context.clock(),
        )
        return Answer(200, {**describe_endpoint(view), "secret": secret})

    return await answer_once(context, request, caller, handle)


@router.post("/webhook-endpoints/{endpoint_id}/challenge", responses=answers(EndpointAnswer))
async def challenge_endpoint(endpoint_id: str, context: ContextDep, caller: Listener) -> dict[str, Any]:
    """Challenge an endpoint now, and answer what came of it."""
    await read_endpoint(endpoint_id, context, caller)
    return describe_endpoint(await challenge_again(context, caller.org_id, endpoint_id))


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    status_code=201,
    responses=answers(DeliveryAnswer, 201),
    openapi_extra=takes_idempotency_key(),
)
async def send_test(
    endpoint_id: str, body: TestBody, request: Request, context: ContextDep, caller: Listener
) -> Response:
    """Send an example of an event, marked `"test": true`; it is listed among the deliveries, not among the events."""

    async def handle(session: AsyncSession) -> Answer:
        view = await deliveries.send_test(
            session,
            caller.org_id,
            endpoint_id,
            body.type,
            visible=list_visible_types(caller.scopes),
            now=context.clock(),
        )
        return Answer(201, describe_delivery(view))

    return await answer_once(context, request, caller, handle)


@router.get("/webhook-deliveries", responses=answers(Page[DeliveryAnswer]))
async def list_deliveries(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: Listener,
    endpoint: Annotated[str | None, Query(max_length=64)] = None,
    state: Annotated[DeliveryState | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List deliveries, the newest first: all, those to one endpoint, or those in one state."""
    async with context.database.reading() as session:
        views = await deliveries.list_deliveries(
            session,
            caller.org_id,
            visible=list_visible_types(caller.scopes),
            endpoint_id=endpoint,
            state=state,
            after=after,
            limit=limit + 1,
        )
    return page_of(request, response, [describe_delivery(view) for view in views], limit=limit)


@router.post(
    "/webhook-deliveries/{delivery_id}/redeliver",
    responses=answers(DeliveryAnswer),
    openapi_extra=takes_idempotency_key(),
)
async def redeliver(delivery_id: str, request: Request, context: ContextDep, caller: Listener) -> Response:
    """Send a message again, with the `webhook-id` that it had, whatever became of it before."""

    async def handle(session: AsyncSession) -> Answer:
        visible = list_visible_types(caller.scopes)
        view = await deliveries.redeliver(session, caller.org_id, delivery_id, visible=visible, now=context.clock())
        return Answer(200, describe_delivery(view))

    return await answer_once(context, request, caller, handle)


def describe_endpoint(view: EndpointView) -> dict[str, Any]:
    """Return an endpoint as it is answered."""
    described = asdict(view) | {"types": list(view.types), "failing": view.is_failing}
    del described["is_failing"]
    for name in ("failing_since", "old_secret_until", "created_at", "updated_at"):
        described[name] = format_optional(described[name])
    return described


def describe_delivery(view: DeliveryView) -> dict[str, Any]:
    """Return a delivery as it is answered."""
    return {
        "id": view.id,
        "endpoint_id": view.endpoint_id,
        "event_id": view.event_id,
        "type": view.kind,
        "state": view.state,
        "attempts": view.attempts,
        "next_attempt_at": format_instant(view.due_at) if view.state == deliveries.PENDING else None,
        "last_attempt_at": format_optional(view.last_attempt_at),
        "last_status": view.last_status,
        "last_error": view.last_error,
        "delivered_at": format_optional(view.delivered_at),
        "created_at": format_instant(view.created_at),
    }
