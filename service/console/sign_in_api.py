"""Signing in by a passkey or a link, signing out, and the page that says how."""

import re

from fastapi import Request, Response

from service.accounts.passkeys import (
    PasskeyCopiedError,
    PasskeyRefusedError,
    make_sign_in_options,
    sign_in_with_passkey,
)
from service.accounts.sessions import end_session
from service.accounts.sign_in_links import LinkUnusableError, look_at_link, spend_sign_in_link
from service.console.cookies import (
    clear_session_cookie,
    read_browser_secret,
    read_session_secret,
    set_session_cookie,
)
from service.console.forms import FormDep, text_of
from service.console.pages import answer_json, explain, language_of, redirect, render
from service.console.routing import console_router
from service.console.viewer import SIGN_IN, find_viewer
from service.storage.tables import Organization
from service.web.dependencies import ContextDep

HOME = "/console"
_OWN_PAGE = re.compile(r"/console(?:/[A-Za-z0-9_.-]+)*")
router = console_router()


def choose_next(wanted: str) -> str:
    """Return the page to go on to: one of ours, else the home page; an address from outside leads nowhere else."""
    return wanted if _OWN_PAGE.fullmatch(wanted) and not wanted.startswith(SIGN_IN) else HOME


@router.get(SIGN_IN)
async def show_sign_in(request: Request) -> Response:
    """Show how to sign in."""
    wanted = choose_next(request.query_params.get("next", HOME))
    if await find_viewer(request) is not None:
        return redirect(wanted)
    return render(request, None, "sign_in.html", next=wanted)


@router.post(SIGN_IN + "/passkey/options")
async def begin_passkey(request: Request, context: ContextDep) -> Response:
    """Give this browser a challenge for a passkey."""
    browser = read_browser_secret(request)
    return answer_json(
        make_sign_in_options(context.signer, base_url=context.base_url, browser=browser, now=context.clock())
    )


@router.post(SIGN_IN + "/passkey")
async def use_passkey(request: Request, context: ContextDep, form: FormDep) -> Response:
    """Sign this browser in by a passkey; whoever was signed in here before is signed out."""
    now, browser, wanted = context.clock(), read_browser_secret(request), choose_next(text_of(form, "next"))
    try:
        async with context.database.transaction() as session:
            secret = await sign_in_with_passkey(
                session,
                context.signer,
                text_of(form, "credential"),
                base_url=context.base_url,
                browser=browser,
                now=now,
            )
            await end_session(session, read_session_secret(request) or "", now=now)
    except (PasskeyRefusedError, PasskeyCopiedError) as error:
        problem = explain(language_of(request, None), error)
        return render(request, None, "sign_in.html", status=401, next=wanted, problem=problem)
    response = redirect(wanted)
    set_session_cookie(request, response, secret)
    return response


@router.get(SIGN_IN + "/link/{token}")
async def show_link(token: str, request: Request, context: ContextDep) -> Response:
    """Show whom a link signs in, and the button that does it; looking spends nothing."""
    try:
        async with context.database.reading() as session:
            account = await look_at_link(session, token, now=context.clock())
            organization = await session.get_one(Organization, account.org_id)
    except LinkUnusableError:
        return render(request, None, "sign_in_link.html", status=404, account=None, organization=None)
    return render(request, None, "sign_in_link.html", account=account.name, organization=organization.name)


@router.post(SIGN_IN + "/link/{token}")
async def use_link(token: str, request: Request, context: ContextDep) -> Response:
    """Spend a link and sign this browser in; whoever was signed in here before is signed out."""
    try:
        async with context.database.transaction() as session:
            secret = await spend_sign_in_link(session, token, now=context.clock())
            await end_session(session, read_session_secret(request) or "", now=context.clock())
    except LinkUnusableError:
        if await find_viewer(request) is not None:
            return redirect(HOME)  # the button was pressed twice
        return render(request, None, "sign_in_link.html", status=404, account=None, organization=None)
    response = redirect(HOME)
    set_session_cookie(request, response, secret)
    return response


@router.post("/console/sign-out")
async def sign_out(request: Request, context: ContextDep) -> Response:
    """Sign this browser out, whether or not anybody is signed in."""
    async with context.database.transaction() as session:
        await end_session(session, read_session_secret(request) or "", now=context.clock())
    response = redirect(SIGN_IN)
    clear_session_cookie(request, response)
    return response
