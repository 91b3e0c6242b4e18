"""The viewer's own account."""

from typing import Annotated

from fastapi import Depends, Request, Response

from service.accounts.accounts import LANGUAGES, change_language
from service.console.forms import FormDep, text_of
from service.console.pages import redirect, render
from service.console.routing import console_router
from service.console.sign_in_api import choose_next
from service.console.viewer import Viewer, require_role
from service.web.dependencies import ContextDep

router = console_router()
Anybody = Annotated[Viewer, Depends(require_role())]


@router.get("/console/account")
async def show_account(request: Request, viewer: Anybody) -> Response:
    """Show the viewer's own account."""
    return render(request, viewer, "account.html", languages=LANGUAGES)


@router.post("/console/account/language")
async def choose_own_language(context: ContextDep, viewer: Anybody, form: FormDep) -> Response:
    """Set the language of the viewer's pages, and go back to the page on which that was asked."""
    async with context.database.transaction() as session:
        await change_language(session, viewer.org_id, viewer.account_id, text_of(form, "language"))
    return redirect(choose_next(text_of(form, "next")))
