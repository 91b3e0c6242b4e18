"""Granted credentials: found by reference, with the status that verifiers read, its changes, and the letter."""

from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.accounts import LANGUAGES, OFFICER
from service.console.forms import FormDep, text_of
from service.console.issuer.access import Officer, Reader, record_reading
from service.console.issuer.actors import read_actors
from service.console.once import do_once
from service.console.pages import explain, redirect, render
from service.console.platform.access import record_act
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.routing import console_router
from service.console.translation import translate
from service.console.viewer import Viewer
from service.errors import InvalidInputError, ServiceError
from service.issuer.case_review import QUALIFIED_INVESTOR
from service.issuer.credentials import CredentialFilter, list_credentials, load_credential, view_credential
from service.issuer.evidence_types import PDF
from service.issuer.grant_history import list_grant_events, read_published_statuses
from service.issuer.grants_api import name_letter_file
from service.issuer.identity import get_issuer
from service.issuer.letters import LetterForm, make_letter
from service.issuer.status import STATUS_VALUES, change_status
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.problems import status_of

ADDRESS = "/console/credentials"
MAX_REASON = 500
router = console_router()
Status = Annotated[str, Query(max_length=20)]


@router.get(ADDRESS)
async def show_credentials(
    request: Request, context: ContextDep, viewer: Reader, ref: str = "", status: Status = "", after: After = ""
) -> Response:
    """List grants, all or those of one reference or status."""
    wanted = CredentialFilter(ref.strip()[:64] or None, status if status in STATUS_VALUES else None)
    async with context.database.reading() as session:
        found = await list_credentials(session, viewer.org_id, wanted, after=after or None, limit=LENGTH + 1)
    page, last = cut_page(found, lambda each: each.id)
    return render(
        request,
        viewer,
        "issuer/credentials.html",
        credentials=page,
        following=next_address(request, last),
        ref=wanted.subject_ref or "",
        chosen=wanted.status or "",
        statuses=tuple(STATUS_VALUES),
        now=context.clock(),
    )


@router.get(ADDRESS + "/{credential_id}")
async def show_credential(credential_id: str, request: Request, context: ContextDep, viewer: Reader) -> Response:
    """Show one grant: its status in the published lists, what can be done, what was done."""
    async with context.database.reading() as session:
        view = view_credential(await load_credential(session, viewer.org_id, credential_id))
        published = await read_published_statuses(session, viewer.org_id, credential_id)
        events = await list_grant_events(session, viewer.org_id, credential_id)
        name_actor = await read_actors(session, viewer)
    return render(
        request,
        viewer,
        "issuer/credential.html",
        credential=view,
        published=published,
        events=events,
        name_actor=name_actor,
        may_change=OFFICER in viewer.roles,
        has_letter=view.credential_configuration_id.startswith(QUALIFIED_INVESTOR),
        letter_languages=LANGUAGES if context.letter_font is not None else LANGUAGES[:1],
        now=context.clock(),
    )


@router.get(ADDRESS + "/{credential_id}/status")
async def ask_for_reason(
    credential_id: str, request: Request, context: ContextDep, viewer: Officer, to: Status = ""
) -> Response:
    """Ask for the reason of a change, and say what it means, before anything happens."""
    return await _show_change(request, context, viewer, credential_id, to)


async def _show_change(
    request: Request, context: Context, viewer: Viewer, credential_id: str, to: str, **more: Any
) -> Response:
    if to not in STATUS_VALUES:
        raise InvalidInputError("There is no such status.")
    async with context.database.reading() as session:
        view = view_credential(await load_credential(session, viewer.org_id, credential_id))
    values: dict[str, Any] = {"credential": view, "to": to, "reason": "", "max_reason": MAX_REASON}
    return render(request, viewer, "issuer/credential_status.html", **values | more)


@router.post(ADDRESS + "/{credential_id}/status")
async def change(credential_id: str, request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Change the status of every copy, with its reason."""
    to, reason = text_of(form, "to"), text_of(form, "reason")
    if to in STATUS_VALUES and not 1 <= len(reason) <= MAX_REASON:
        problem = translate(viewer.language, "credentials.reason_needed", count=MAX_REASON)
        return await _show_change(
            request, context, viewer, credential_id, to, reason=reason, status=422, problem=problem
        )
    if to not in STATUS_VALUES:
        raise InvalidInputError("There is no such status.")

    async def work(session: AsyncSession) -> dict[str, str]:
        await change_status(
            session,
            viewer.org_id,
            credential_id,
            status=to,
            reason=reason,
            actor=viewer.account_id,
            now=context.clock(),
        )
        record_act(session, context, viewer, f"credential.{to}", credential_id)
        return {}

    try:
        await do_once(request, viewer, form, work)
    except ServiceError as error:
        more: dict[str, Any] = {
            "reason": reason,
            "status": status_of(type(error)),
            "problem": explain(viewer.language, error),
        }
        return await _show_change(request, context, viewer, credential_id, to, **more)
    return redirect(f"{ADDRESS}/{credential_id}")


@router.get(ADDRESS + "/{credential_id}/letter")
async def download_letter(
    credential_id: str, context: ContextDep, viewer: Reader, language: Annotated[str, Query(max_length=8)] = "en"
) -> Response:
    """Give out the letter about a grant in a language; it is made the first time."""
    async with context.database.reading() as session:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=viewer.org_id)
    letter = await make_letter(
        context.database,
        context.signer,
        issuer,
        credential_id,
        LetterForm(language if language in LANGUAGES else "en", context.letter_font),
        client_id=viewer.account_id,
        now=context.clock(),
    )
    await record_reading(context, viewer, kind="letter", object_id=credential_id, subject_ref=letter.subject_ref)
    return Response(letter.pdf, media_type=PDF, headers=name_letter_file(letter))
