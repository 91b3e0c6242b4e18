"""API clients: made, with the secret shown once, and revoked."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.console.forms import FormDep, text_of, texts_of
from service.console.once import do_once
from service.console.pages import explain, redirect
from service.console.platform.access import Manager, record_act, sees_all
from service.console.platform.names import Id
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.console.viewer import Viewer
from service.errors import InvalidInputError, ServiceError
from service.organizations.clients import ScopeNotAllowedError, create_client, list_clients, revoke_client
from service.organizations.organizations import allowed_scopes, get_organization
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.problems import status_of

router = console_router()
_LIST = "/console/clients"
_LONGEST_NAME = 200
_COMPLIANCE = "compliance"


class ClientNameInvalidError(InvalidInputError):
    """A client's name has 1 to 200 characters."""

    code = "client_name_invalid"


@router.get(_LIST)
async def show_clients(request: Request, viewer: Manager, context: ContextDep, after: After = "") -> Response:
    """List the clients, with the form for another."""
    return await _show(request, viewer, context, after=after)


async def _show(
    request: Request, viewer: Viewer, context: Context, *, status: int = 200, after: str = "", **more: Any
) -> Response:
    async with context.database.reading() as session:
        rows = await list_clients(session, viewer.org_id, after=after or None, limit=LENGTH + 1)
    page, last = cut_page(rows, lambda row: row.client_id)
    values = {
        "clients": page,
        "scopes": list_scopes(viewer),
        "typed": "",
        "chosen": [],
        "following": next_address(request, last),
    }
    return show_page(request, viewer, "clients.html", status=status, **values | more)


def list_scopes(viewer: Viewer) -> list[str]:
    """Return what the viewer can give a client; who may not see AML reasons makes no client that may."""
    scopes = allowed_scopes(viewer.org_roles)
    return sorted(scopes if sees_all(viewer) else scopes - {_COMPLIANCE})


@router.post(_LIST)
async def make_client(request: Request, viewer: Manager, context: ContextDep, form: FormDep) -> Response:
    """Make a client and show its secret, which is kept nowhere; sent again, the form makes no other."""
    name, scopes, secrets = text_of(form, "name"), texts_of(form, "scopes"), dict[str, str]()

    async def work(session: AsyncSession) -> Mapping[str, Any]:
        if not 1 <= len(name) <= _LONGEST_NAME:
            raise ClientNameInvalidError("A client's name has 1 to 200 characters.")
        if not set(scopes) <= set(list_scopes(viewer)):
            raise ScopeNotAllowedError("A client cannot have more scopes than its maker may give.")
        organization = await get_organization(session, viewer.org_id)
        made = create_client(session, organization, name=name, scopes=scopes, now=context.clock())
        record_act(session, context, viewer, "client.create", made.client_id)
        secrets[made.client_id] = made.client_secret
        return {"client_id": made.client_id}

    try:
        result = await do_once(request, viewer, form, work)
    except ServiceError as error:
        problem = explain(viewer.language, error)
        status = status_of(type(error))
        return await _show(request, viewer, context, status=status, typed=name, chosen=scopes, problem=problem)
    client_id = result["client_id"]
    return show_page(request, viewer, "client_made.html", client_id=client_id, secret=secrets.get(client_id))


@router.post(_LIST + "/{client_id}/revoke")
async def revoke(client_id: Id, viewer: Manager, context: ContextDep) -> Response:
    """Let a client get no more tokens."""
    async with context.database.transaction() as session:
        await revoke_client(session, viewer.org_id, client_id, now=context.clock())
        record_act(session, context, viewer, "client.revoke", client_id)
    return redirect(_LIST)
