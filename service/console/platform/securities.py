"""Securities: the list, one of them with its caps and offerings, its versions, and the forms for new ones."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Form, Query, Request, Response

from service.console.forms import FormDep, text_of
from service.console.platform.access import Reader, Writer, record_act
from service.console.platform.charts import WIDTH, draw_bars
from service.console.platform.fields import find_member, list_fields, show_document
from service.console.platform.names import Id, check_id
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.platform.security_fields import SECURITY_GROUPS
from service.console.platform.sheets import IdTakenError, Sheet, save_sheet, show_sheet
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.errors import ChangedMeanwhileError
from service.gate import cap_table, securities
from service.gate.security_models import SecurityTerms
from service.gate.versions import list_security_versions
from service.web.dependencies import ContextDep

router = console_router()
_FIELDS = list_fields(SECURITY_GROUPS)
_NEW = {"policy": {"safe_harbour_only": True}, "voting": True}


def _sheet_for_new() -> Sheet:
    action = "/console/new-security"
    return Sheet("new_security", action, "/console/securities", SECURITY_GROUPS, asks_id=True)


def _sheet_for_edit(security_id: str, version: int) -> Sheet:
    address = f"/console/securities/{security_id}"
    return Sheet("edit_security", f"{address}/edit", address, SECURITY_GROUPS, subject=security_id, version=version)


@router.get("/console/securities")
async def show_securities(request: Request, viewer: Reader, context: ContextDep, after: After = "") -> Response:
    """List the securities that the organisation keeps, and on the first page those that it may trade for others."""
    async with context.database.reading() as session:
        own = await securities.list_securities(session, viewer.org_id, after=after, limit=LENGTH + 1)
        granted = await securities.list_granted_securities(session, viewer.org_id, after=None, limit=LENGTH)
    page, last = cut_page(own, lambda each: str(each["id"]))
    return show_page(
        request,
        viewer,
        "securities.html",
        securities=page,
        granted=[] if after else granted,
        following=next_address(request, last),
    )


@router.get("/console/new-security")
async def show_new_security(request: Request, viewer: Writer) -> Response:
    """Show the form for a security."""
    return show_sheet(request, viewer, replace(_sheet_for_new(), typed=show_document(_NEW, _FIELDS)))


@router.post("/console/new-security")
async def make_security(request: Request, viewer: Writer, context: ContextDep, form: FormDep) -> Response:
    """Create a security."""

    async def save(terms: SecurityTerms) -> str:
        security_id = check_id(text_of(form, "id"))
        async with context.database.transaction() as session:
            saved = await securities.put_security(session, viewer.org_id, security_id, terms, now=context.clock())
            if not saved.created:
                raise IdTakenError("There is a security of this id already.")
            record_act(session, context, viewer, "security.create", security_id)
        return f"/console/securities/{security_id}"

    return await save_sheet(request, viewer, _sheet_for_new(), form, SecurityTerms, save)


@router.get("/console/securities/{security_id}")
async def show_security(request: Request, security_id: Id, viewer: Reader, context: ContextDep) -> Response:
    """Show a security that the organisation keeps or may trade: terms, offerings, and counts for who keeps it."""
    async with context.database.reading() as session:
        access = await securities.open_security(session, viewer.org_id, security_id, lock=False)
        own = access.grant is None
        offerings = await securities.list_offerings(session, access.head.org_id, security_id)
        holders = await cap_table.describe_holders(session, viewer.org_id, security_id) if own else None
        grants = await securities.list_grants(session, viewer.org_id, security_id, after=None, limit=LENGTH)
    return show_page(
        request,
        viewer,
        "security.html",
        id=security_id,
        version=access.head.version,
        terms=access.terms,
        groups=SECURITY_GROUPS,
        member=find_member,
        own=own,
        grant=access.grant,
        grants=grants if own else [],
        offerings=offerings,
        holders=holders,
        bars=draw_bars(holders["categories"]) if holders else [],
        width=WIDTH,
    )


@router.get("/console/securities/{security_id}/edit")
async def show_edit(request: Request, security_id: Id, viewer: Writer, context: ContextDep) -> Response:
    """Show the form for a new version of a security."""
    async with context.database.reading() as session:
        head = await securities.find_security(session, viewer.org_id, security_id)
        terms = await securities.read_security_terms(session, head)
    sheet = _sheet_for_edit(security_id, head.version)
    return show_sheet(request, viewer, replace(sheet, typed=show_document(terms, _FIELDS)))


@router.post("/console/securities/{security_id}/edit")
async def edit_security(
    request: Request,
    security_id: Id,
    viewer: Writer,
    context: ContextDep,
    form: FormDep,
    version: Annotated[int, Form(ge=1)],
) -> Response:
    """Give a security a new version, made from the one that the form showed."""
    async with context.database.reading() as session:
        head = await securities.find_security(session, viewer.org_id, security_id)
        known = await securities.read_security_terms(session, head)

    async def save(terms: SecurityTerms) -> str:
        async with context.database.transaction() as session:
            head = await securities.find_security(session, viewer.org_id, security_id, lock=True)
            if head.version != version:
                raise ChangedMeanwhileError("Somebody else made another version.")
            await securities.put_security(session, viewer.org_id, security_id, terms, now=context.clock())
            record_act(session, context, viewer, "security.change", security_id)
        return f"/console/securities/{security_id}"

    def keep_rest(document: dict[str, Any]) -> dict[str, Any]:
        """Keep what the form has no fields for."""
        return {**known, **document}

    sheet = _sheet_for_edit(security_id, version)
    return await save_sheet(request, viewer, sheet, form, SecurityTerms, save, read=keep_rest)


@router.get("/console/securities/{security_id}/versions")
async def show_versions(
    request: Request,
    security_id: Id,
    viewer: Reader,
    context: ContextDep,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show what each version of a security changed, newest first."""
    async with context.database.reading() as session:
        await securities.find_security(session, viewer.org_id, security_id)
        versions = await list_security_versions(session, viewer.org_id, security_id, before=before, limit=LENGTH + 1)
    page, last = cut_page(versions, lambda each: each.number)
    back = f"/console/securities/{security_id}"
    following = next_address(request, last, name="before")
    return show_page(
        request, viewer, "versions.html", subject=security_id, back=back, versions=page, following=following
    )
