"""The viewer's own account: language and passkeys."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.accounts import LANGUAGES, change_language, get_account
from service.accounts.passkeys import list_passkeys, make_registration_options, register_passkey, remove_passkey
from service.console.cookies import read_browser_secret, read_session_secret
from service.console.forms import FormDep, text_of
from service.console.pages import answer_json, explain, redirect, render
from service.console.routing import console_router
from service.console.sign_in_api import choose_next
from service.console.translation import translate
from service.console.viewer import Viewer, require_role
from service.errors import ServiceError
from service.web.dependencies import ContextDep
from service.web.problems import status_of

ADDRESS = "/console/account"
router = console_router()
Anybody = Annotated[Viewer, Depends(require_role())]


@router.get(ADDRESS)
async def show_account(request: Request, context: ContextDep, viewer: Anybody) -> Response:
    """Show the viewer's own account."""
    async with context.database.reading() as session:
        values = await _read_values(session, viewer)
    return render(request, viewer, "account.html", **values)


@router.post(ADDRESS + "/language")
async def choose_own_language(context: ContextDep, viewer: Anybody, form: FormDep) -> Response:
    """Set the language of the viewer's pages, and go back to the page on which that was asked."""
    async with context.database.transaction() as session:
        await change_language(session, viewer.org_id, viewer.account_id, text_of(form, "language"))
    return redirect(choose_next(text_of(form, "next")))


@router.post(ADDRESS + "/passkeys/options")
async def begin_registration(request: Request, context: ContextDep, viewer: Anybody) -> Response:
    """Give this browser a challenge for a new passkey."""
    async with context.database.reading() as session:
        account = await get_account(session, viewer.org_id, viewer.account_id)
        known = await list_passkeys(session, viewer.org_id, viewer.account_id)
    return answer_json(
        make_registration_options(
            context.signer,
            account,
            known,
            base_url=context.base_url,
            browser=read_browser_secret(request),
            now=context.clock(),
        )
    )


@router.post(ADDRESS + "/passkeys")
async def add_passkey(request: Request, context: ContextDep, viewer: Anybody, form: FormDep) -> Response:
    """Register the passkey that this browser made."""
    try:
        async with context.database.transaction() as session:
            await register_passkey(
                session,
                context.signer,
                await get_account(session, viewer.org_id, viewer.account_id),
                text_of(form, "credential"),
                name=text_of(form, "name") or translate(viewer.language, "account.passkey"),
                base_url=context.base_url,
                browser=read_browser_secret(request),
                now=context.clock(),
            )
    except ServiceError as error:
        async with context.database.reading() as session:
            values = await _read_values(session, viewer)
        problem = explain(viewer.language, error)
        return render(request, viewer, "account.html", status=status_of(type(error)), problem=problem, **values)
    return redirect(ADDRESS)


@router.post(ADDRESS + "/passkeys/{passkey_id}/remove")
async def forget_passkey(passkey_id: str, request: Request, context: ContextDep, viewer: Anybody) -> Response:
    """Remove one of the viewer's passkeys, and sign them out in every other browser."""
    own = read_session_secret(request) or ""
    async with context.database.transaction() as session:
        await remove_passkey(
            session, viewer.org_id, viewer.account_id, passkey_id, now=context.clock(), browser_session=own
        )
    return redirect(ADDRESS)


async def _read_values(session: AsyncSession, viewer: Viewer) -> dict[str, Any]:
    passkeys = await list_passkeys(session, viewer.org_id, viewer.account_id)
    return {"languages": LANGUAGES, "passkeys": passkeys}
