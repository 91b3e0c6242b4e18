"""Ask an investor for a presentation: a code and a link, and what has come of it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.console.forms import FormDep, text_of
from service.console.once import do_once
from service.console.pages import redirect
from service.console.platform.access import Reader, Writer, record_act
from service.console.platform.names import Id
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.errors import NotFoundError
from service.keys import Signer
from service.storage.personal_data import PresentedContent, open_presented
from service.storage.subject_keys import read_subject_keys
from service.verifier.purposes import find_purpose
from service.verifier.request_rows import KeptRequest, find_kept_request
from service.verifier.request_terms import NewRequest
from service.verifier.requests import create_presentation_request, describe_new_request, state_of
from service.verifier.verdicts import name_subject
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.qr_code import draw_qr_code

router = console_router()


@router.post("/console/investors/{ref}/ask")
async def ask(request: Request, ref: Id, viewer: Writer, context: ContextDep, form: FormDep) -> Response:
    """Ask an investor for what a purpose needs, once."""
    purpose = find_purpose(text_of(form, "purpose")).id

    async def work(session: AsyncSession) -> Mapping[str, Any]:
        new = NewRequest(purpose=purpose, investor_ref=ref)
        row = await create_presentation_request(
            await session.connection(), context, viewer.org_id, new, context.clock()
        )
        record_act(session, context, viewer, "presentation.request", row.id)
        return {"id": row.id}

    made = await do_once(request, viewer, form, work)
    return redirect(f"/console/presentations/{made['id']}")


@router.get("/console/presentations/{request_id}")
async def show_request(request: Request, request_id: str, viewer: Reader, context: ContextDep) -> Response:
    """Show the code, the link and the state, which the page asks for again while the request is open."""
    values = await _read(context, viewer.org_id, request_id)
    links = describe_new_request(context.base_url, values["kept"])
    picture = ""
    if values["state"] == "pending":
        picture = await draw_qr_code(links["deep_link"], title="QR")
    return show_page(request, viewer, "presentation.html", **values, links=links, picture=picture)


@router.get("/console/presentations/{request_id}/state")
async def show_state(request: Request, request_id: str, viewer: Reader, context: ContextDep) -> Response:
    """Show the part of the page that tells the state."""
    return show_page(request, viewer, "_presentation.html", **await _read(context, viewer.org_id, request_id))


async def _read(context: Context, org_id: str, request_id: str) -> dict[str, Any]:
    """Return the request, its state and the checks that failed; what was shown is on the investor's page."""
    row, presented = await context.database.glance(partial(_find, context.signer, org_id, request_id))
    failed = [each for each in presented.checks if each["outcome"] != "pass"]
    return {"kept": row, "state": state_of(row, context.clock()), "failed": failed}


async def _find(
    signer: Signer, org_id: str, request_id: str, connection: AsyncConnection
) -> tuple[KeptRequest, PresentedContent]:
    row = await find_kept_request(connection, org_id=org_id, id=request_id)
    if row is None:
        raise NotFoundError
    subject = name_subject(row)
    keys = await read_subject_keys(connection, signer, row.org_id, [subject])
    return row, open_presented(keys.get(subject), row)
