"""The administrator's page: who may sign in, with which roles."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import FormData

from service.accounts.accounts import (
    ADMIN,
    LANGUAGES,
    ROLES,
    change_roles,
    create_account,
    disable_account,
    get_account,
    list_accounts,
)
from service.accounts.sign_in_links import make_sign_in_link
from service.console.forms import FormDep, text_of, texts_of
from service.console.once import Result, do_once
from service.console.pages import explain, redirect, render
from service.console.routing import console_router
from service.console.viewer import Viewer, require_role
from service.errors import ServiceError
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.problems import status_of

ADDRESS = "/console/accounts"
router = console_router()
Admin = Annotated[Viewer, Depends(require_role(ADMIN))]


@router.get(ADDRESS)
async def show_accounts(request: Request, context: ContextDep, viewer: Admin) -> Response:
    """List the accounts, with a form for a new one."""
    return await _render_list(request, context, viewer)


@router.post(ADDRESS)
async def add_account(request: Request, context: ContextDep, viewer: Admin, form: FormDep) -> Response:
    """Make an account, and show the link with which it signs in for the first time."""

    async def work(session: AsyncSession) -> Result:
        account = await create_account(
            session,
            org_id=viewer.org_id,
            name=text_of(form, "name"),
            roles=texts_of(form, "role"),
            language=text_of(form, "language"),
            actor=viewer.account_id,
            now=context.clock(),
        )
        await session.flush()
        return {"id": account.id, "link": _make_link(session, context, viewer, account)}

    try:
        made = await do_once(request, viewer, form, work)
    except ServiceError as error:
        return await _render_list(request, context, viewer, form=form, error=error)
    return await _render_account(request, context, viewer, made["id"], link=made["link"])


@router.get(ADDRESS + "/{account_id}")
async def show_account(account_id: str, request: Request, context: ContextDep, viewer: Admin) -> Response:
    """Show one account."""
    return await _render_account(request, context, viewer, account_id)


@router.post(ADDRESS + "/{account_id}/roles")
async def set_roles(account_id: str, request: Request, context: ContextDep, viewer: Admin, form: FormDep) -> Response:
    """Give an account other roles."""
    try:
        async with context.database.transaction() as session:
            await change_roles(
                session,
                viewer.org_id,
                account_id,
                texts_of(form, "role"),
                actor=viewer.account_id,
                now=context.clock(),
            )
    except ServiceError as error:
        return await _render_account(request, context, viewer, account_id, error=error)
    return redirect(f"{ADDRESS}/{account_id}")


@router.post(ADDRESS + "/{account_id}/link")
async def add_link(account_id: str, request: Request, context: ContextDep, viewer: Admin, form: FormDep) -> Response:
    """Make a sign-in link and show it."""

    async def work(session: AsyncSession) -> Result:
        account = await get_account(session, viewer.org_id, account_id)
        return {"link": _make_link(session, context, viewer, account)}

    try:
        made = await do_once(request, viewer, form, work)
    except ServiceError as error:
        return await _render_account(request, context, viewer, account_id, error=error)
    return await _render_account(request, context, viewer, account_id, link=made["link"])


@router.post(ADDRESS + "/{account_id}/disable")
async def disable(account_id: str, request: Request, context: ContextDep, viewer: Admin) -> Response:
    """Disable an account, which signs it out everywhere."""
    try:
        async with context.database.transaction() as session:
            await disable_account(session, viewer.org_id, account_id, actor=viewer.account_id, now=context.clock())
    except ServiceError as error:
        return await _render_account(request, context, viewer, account_id, error=error)
    return redirect(ADDRESS)


def _make_link(session: AsyncSession, context: Context, viewer: Viewer, account: Any) -> str:
    now = context.clock()
    return make_sign_in_link(session, account, base_url=context.base_url, actor=viewer.account_id, now=now)


async def _render_list(
    request: Request,
    context: Context,
    viewer: Viewer,
    *,
    form: FormData | None = None,
    error: ServiceError | None = None,
) -> Response:
    async with context.database.reading() as session:
        rows = await list_accounts(session, viewer.org_id)
    typed = FormData() if form is None else form
    return render(
        request,
        viewer,
        "accounts.html",
        status=200 if error is None else status_of(type(error)),
        problem=None if error is None else explain(viewer.language, error),
        accounts=rows,
        roles=ROLES,
        languages=LANGUAGES,
        name=text_of(typed, "name"),
        chosen=texts_of(typed, "role"),
        chosen_language=text_of(typed, "language") or viewer.language,
    )


async def _render_account(
    request: Request,
    context: Context,
    viewer: Viewer,
    account_id: str,
    *,
    link: str | None = None,
    error: ServiceError | None = None,
) -> Response:
    async with context.database.reading() as session:
        account = await get_account(session, viewer.org_id, account_id)
    return render(
        request,
        viewer,
        "account_of.html",
        status=200 if error is None else status_of(type(error)),
        problem=None if error is None else explain(viewer.language, error),
        account=account,
        roles=ROLES,
        link=link,
    )
