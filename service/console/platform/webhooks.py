"""Webhook endpoints and what was sent to them: made, tried, disabled, and sent again."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.console.forms import FormDep, text_of, texts_of
from service.console.once import do_once
from service.console.pages import explain, redirect
from service.console.platform.access import Manager, Reader, Writer, record_act
from service.console.platform.names import Id
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.console.viewer import Viewer
from service.errors import ServiceError
from service.events import deliveries, endpoints
from service.events.deliveries import EndpointInactiveError
from service.events.endpoints import EndpointChange, NewEndpoint
from service.organizations.organizations import allowed_scopes
from service.storage.event_types import list_visible_types
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.problems import status_of

router = console_router()
_LIST = "/console/webhooks"
_STATES = (deliveries.PENDING, deliveries.DELIVERED, deliveries.DEAD)


@router.get(_LIST)
async def show_webhooks(request: Request, viewer: Reader, context: ContextDep) -> Response:
    """List the endpoints, with the form for another."""
    return await _show(request, viewer, context)


async def _show(request: Request, viewer: Viewer, context: Context, *, status: int = 200, **more: Any) -> Response:
    types = _list_types(viewer)
    async with context.database.reading() as session:
        found = await endpoints.list_endpoints(session, viewer.org_id, visible=types, now=context.clock())
    values = {"endpoints": found, "types": types, "typed": "", "chosen": types}
    return show_page(request, viewer, "webhooks.html", status=status, **values | more)


def _list_types(viewer: Viewer) -> list[str]:
    """Return the types of events that the organisation hears of."""
    return sorted(list_visible_types(allowed_scopes(viewer.org_roles)))


@router.post(_LIST)
async def make_endpoint(request: Request, viewer: Manager, context: ContextDep, form: FormDep) -> Response:
    """Make an endpoint and show its secret once; sent again, the form makes no other."""
    new = NewEndpoint(text_of(form, "url"), texts_of(form, "types"))
    secrets: dict[str, str] = {}

    async def work(session: AsyncSession) -> Mapping[str, Any]:
        view, secret = await endpoints.create_endpoint(
            session,
            context.signer,
            context.fetcher,
            viewer.org_id,
            new,
            visible=_list_types(viewer),
            now=context.clock(),
        )
        record_act(session, context, viewer, "webhook.create", view.id)
        secrets[view.id] = secret
        return {"id": view.id}

    try:
        result = await do_once(request, viewer, form, work)
    except ServiceError as error:
        problem, status = explain(viewer.language, error), status_of(type(error))
        more = {"typed": new.url, "chosen": new.types, "problem": problem}
        return await _show(request, viewer, context, status=status, **more)
    endpoint_id = result["id"]
    return show_page(request, viewer, "webhook_made.html", id=endpoint_id, secret=secrets.get(endpoint_id))


@router.post(_LIST + "/{endpoint_id}/change")
async def change_endpoint(endpoint_id: Id, viewer: Manager, context: ContextDep, form: FormDep) -> Response:
    """Disable an endpoint, or enable it again, upon which it is challenged again."""
    disabled = text_of(form, "disabled") == "yes"
    async with context.database.transaction() as session:
        await endpoints.change_endpoint(
            session,
            viewer.org_id,
            endpoint_id,
            EndpointChange(disabled=disabled),
            visible=_list_types(viewer),
            now=context.clock(),
        )
        record_act(session, context, viewer, "webhook.disable" if disabled else "webhook.enable", endpoint_id)
    return redirect(_LIST)


@router.post(_LIST + "/{endpoint_id}/rotate")
async def rotate_secret(
    endpoint_id: Id, request: Request, viewer: Manager, context: ContextDep, form: FormDep
) -> Response:
    """Make a new secret and show it once; sent again, the form makes no other."""
    secrets: dict[str, str] = {}

    async def work(session: AsyncSession) -> Mapping[str, Any]:
        _, secrets[endpoint_id] = await endpoints.rotate_secret(
            session, context.signer, viewer.org_id, endpoint_id, visible=_list_types(viewer), now=context.clock()
        )
        record_act(session, context, viewer, "webhook.rotate", endpoint_id)
        return {}

    await do_once(request, viewer, form, work)
    return show_page(request, viewer, "webhook_rotated.html", id=endpoint_id, secret=secrets.get(endpoint_id))


@router.post(_LIST + "/{endpoint_id}/test")
async def send_test(endpoint_id: Id, request: Request, viewer: Manager, context: ContextDep, form: FormDep) -> Response:
    """Send an example, marked as a test."""

    async def work(session: AsyncSession) -> Mapping[str, Any]:
        await deliveries.send_test(
            session, viewer.org_id, endpoint_id, None, visible=_list_types(viewer), now=context.clock()
        )
        record_act(session, context, viewer, "webhook.test", endpoint_id)
        return {}

    try:
        await do_once(request, viewer, form, work)
    except EndpointInactiveError as error:
        problem, status = explain(viewer.language, error), status_of(type(error))
        return await _show(request, viewer, context, status=status, problem=problem)
    return redirect(f"{_LIST}/deliveries?endpoint={endpoint_id}")


@router.post(_LIST + "/{endpoint_id}/delete")
async def delete_endpoint(endpoint_id: Id, viewer: Manager, context: ContextDep) -> Response:
    """Delete an endpoint with everything that was on its way there."""
    async with context.database.transaction() as session:
        await endpoints.delete_endpoint(session, viewer.org_id, endpoint_id, visible=_list_types(viewer))
        record_act(session, context, viewer, "webhook.delete", endpoint_id)
    return redirect(_LIST)


@router.get(_LIST + "/deliveries")
async def show_deliveries(
    request: Request, viewer: Reader, context: ContextDep, state: str = "", endpoint: str = "", after: After = ""
) -> Response:
    """List what was sent, newest first."""
    async with context.database.reading() as session:
        found = await deliveries.list_deliveries(
            session,
            viewer.org_id,
            visible=_list_types(viewer),
            endpoint_id=endpoint[:64] or None,
            state=state if state in _STATES else None,
            after=after or None,
            limit=LENGTH + 1,
        )
    page, last = cut_page(found, lambda each: each.id)
    return show_page(
        request,
        viewer,
        "deliveries.html",
        deliveries=page,
        states=_STATES,
        state=state,
        endpoint=endpoint[:64],
        following=next_address(request, last),
    )


@router.post(_LIST + "/deliveries/{delivery_id}/redeliver")
async def redeliver(delivery_id: Id, viewer: Writer, context: ContextDep) -> Response:
    """Send a message again, with the id that it had; pressed twice it is still one message on its way."""
    async with context.database.transaction() as session:
        await deliveries.redeliver(
            session, viewer.org_id, delivery_id, visible=_list_types(viewer), now=context.clock()
        )
        record_act(session, context, viewer, "webhook.redeliver", delivery_id)
    return redirect(f"{_LIST}/deliveries")
