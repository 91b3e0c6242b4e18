"""The home page, and the page for addresses that lead nowhere."""

from typing import Annotated

from fastapi import Depends, Request, Response

from service.console.pages import render
from service.console.routing import console_router
from service.console.viewer import Viewer, require_role
from service.errors import NotFoundError

router = console_router()
last_router = console_router()
Anybody = Annotated[Viewer, Depends(require_role())]


@router.get("/console")
async def show_home(request: Request, viewer: Anybody) -> Response:
    """Show what the viewer can do here."""
    return render(request, viewer, "home.html")


@last_router.get("/console/{rest:path}")
@last_router.post("/console/{rest:path}")
async def show_nothing() -> Response:
    """Say that there is no such page."""
    raise NotFoundError
