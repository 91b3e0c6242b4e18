"""Offerings of a security: one of them with its versions, and the forms for new ones."""

from dataclasses import replace
from typing import Annotated

from fastapi import Form, Query, Request, Response

from service.console.forms import FormDep, text_of
from service.console.platform.access import Reader, Writer, record_act
from service.console.platform.fields import find_member, list_fields, show_document
from service.console.platform.names import Id, check_id
from service.console.platform.paging import LENGTH, cut_page, next_address
from service.console.platform.security_fields import OFFERING_GROUPS
from service.console.platform.sheets import IdTakenError, Sheet, save_sheet, show_sheet
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.errors import ChangedMeanwhileError
from service.gate import securities
from service.gate.security_models import OfferingTerms
from service.gate.versions import list_offering_versions
from service.web.dependencies import ContextDep

router = console_router()
_FIELDS = list_fields(OFFERING_GROUPS)
_NEW = {"lien_allowed": True, "state": "open"}


def _sheet_for_new(security_id: str) -> Sheet:
    address = f"/console/securities/{security_id}"
    return Sheet("new_offering", f"{address}/new-offering", address, OFFERING_GROUPS, subject=security_id, asks_id=True)


def _sheet_for_edit(security_id: str, offering_id: str, version: int) -> Sheet:
    address = f"/console/securities/{security_id}/offerings/{offering_id}"
    subject = f"{security_id} / {offering_id}"
    return Sheet("edit_offering", f"{address}/edit", address, OFFERING_GROUPS, subject=subject, version=version)


@router.get("/console/securities/{security_id}/new-offering")
async def show_new_offering(request: Request, security_id: Id, viewer: Writer, context: ContextDep) -> Response:
    """Show the form for an offering."""
    async with context.database.reading() as session:
        await securities.find_security(session, viewer.org_id, security_id)
    return show_sheet(request, viewer, replace(_sheet_for_new(security_id), typed=show_document(_NEW, _FIELDS)))


@router.post("/console/securities/{security_id}/new-offering")
async def make_offering(
    request: Request, security_id: Id, viewer: Writer, context: ContextDep, form: FormDep
) -> Response:
    """Create an offering."""
    async with context.database.reading() as session:
        await securities.find_security(session, viewer.org_id, security_id)

    async def save(terms: OfferingTerms) -> str:
        offering_id = check_id(text_of(form, "id"))
        async with context.database.transaction() as session:
            saved = await securities.put_offering(
                session, viewer.org_id, security_id, offering_id, terms, now=context.clock()
            )
            if not saved.created:
                raise IdTakenError("There is an offering of this id already.")
            record_act(session, context, viewer, "offering.create", security_id)
        return f"/console/securities/{security_id}/offerings/{offering_id}"

    return await save_sheet(request, viewer, _sheet_for_new(security_id), form, OfferingTerms, save)


@router.get("/console/securities/{security_id}/offerings/{offering_id}")
async def show_offering(
    request: Request,
    security_id: Id,
    offering_id: Id,
    viewer: Reader,
    context: ContextDep,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show an offering, and for who keeps its security what each version changed."""
    async with context.database.reading() as session:
        access = await securities.open_security(session, viewer.org_id, security_id, lock=False)
        registrar, own = access.head.org_id, access.grant is None
        offering = await securities.get_offering(session, registrar, security_id, offering_id)
        versions = await list_offering_versions(
            session, registrar, security_id, offering_id, before=before, limit=LENGTH + 1
        )
    page, last = cut_page(versions, lambda each: each.number)
    return show_page(
        request,
        viewer,
        "offering.html",
        security_id=security_id,
        offering=offering,
        own=own,
        groups=OFFERING_GROUPS,
        member=find_member,
        versions=page if own else [],
        following=next_address(request, last, name="before") if own else None,
    )


@router.get("/console/securities/{security_id}/offerings/{offering_id}/edit")
async def show_edit(
    request: Request, security_id: Id, offering_id: Id, viewer: Writer, context: ContextDep
) -> Response:
    """Show the form for a new version of an offering."""
    async with context.database.reading() as session:
        offering = await securities.get_offering(session, viewer.org_id, security_id, offering_id)
    sheet = _sheet_for_edit(security_id, offering_id, offering["version"])
    return show_sheet(request, viewer, replace(sheet, typed=show_document(offering, _FIELDS)))


@router.post("/console/securities/{security_id}/offerings/{offering_id}/edit")
async def edit_offering(
    request: Request,
    security_id: Id,
    offering_id: Id,
    viewer: Writer,
    context: ContextDep,
    form: FormDep,
    version: Annotated[int, Form(ge=1)],
) -> Response:
    """Give an offering a new version, made from the one that the form showed."""
    async with context.database.reading() as session:
        await securities.get_offering(session, viewer.org_id, security_id, offering_id)

    async def save(terms: OfferingTerms) -> str:
        async with context.database.transaction() as session:
            await securities.find_security(session, viewer.org_id, security_id, lock=True)
            known = await securities.get_offering(session, viewer.org_id, security_id, offering_id)
            if known["version"] != version:
                raise ChangedMeanwhileError("Somebody else made another version.")
            await securities.put_offering(session, viewer.org_id, security_id, offering_id, terms, now=context.clock())
            record_act(session, context, viewer, "offering.change", security_id)
        return f"/console/securities/{security_id}/offerings/{offering_id}"

    sheet = _sheet_for_edit(security_id, offering_id, version)
    return await save_sheet(request, viewer, sheet, form, OfferingTerms, save)
