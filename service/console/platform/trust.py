"""The list of trusted issuers: whom the organisation believes, for what, and as what."""

from dataclasses import replace
from typing import Any

from fastapi import Request, Response

from service.console.forms import FormDep, text_of
from service.console.pages import redirect
from service.console.platform.access import Reader, Writer, record_act
from service.console.platform.fields import (
    CHOICE,
    DAY,
    NUMBER,
    SEVERAL,
    WORDS,
    Field,
    Group,
    list_fields,
    show_document,
)
from service.console.platform.names import Id, check_id
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.platform.sheets import IdTakenError, Sheet, save_sheet, show_sheet
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.errors import NotFoundError
from service.organizations.organizations import attester_classes
from service.storage.trust import covers_day
from service.verifier.models import TrustedIssuerBody
from service.verifier.trust import (
    TrustTerms,
    delete_trusted_issuer,
    describe_trusted_issuer,
    get_trusted_issuer,
    page_trusted_issuers,
    put_trusted_issuer,
)
from service.web.dependencies import ContextDep

router = console_router()
_LIST = "/console/trusted-issuers"
_KEPT = ("x509_anchors",)  # entered over the API; no field of the form


def _list_groups() -> tuple[Group, ...]:
    attester = (
        Field("attester_class", CHOICE, ("", *attester_classes()), worded=True, hint=True),
        Field("attester_register_id", hint=True),
    )
    return (
        Group("issuer", (Field("issuer", required=True),)),
        Group(
            "trusted_for",
            (
                Field("credential_types", SEVERAL, tuple(CREDENTIAL_TYPES), worded=True, required=True),
                Field("jurisdictions", WORDS, hint=True, empty=[]),
                *attester,
            ),
        ),
        Group(
            "while",
            (Field("valid_from", DAY), Field("valid_until", DAY), Field("max_status_age", NUMBER, hint=True)),
        ),
    )


def _sheet_for_new() -> Sheet:
    return Sheet("new_trust", "/console/new-trusted-issuer", _LIST, _list_groups(), asks_id=True)


def _sheet_for_edit(entry_id: str) -> Sheet:
    return Sheet("edit_trust", f"{_LIST}/{entry_id}", _LIST, _list_groups(), subject=entry_id)


@router.get(_LIST)
async def show_trusted_issuers(request: Request, viewer: Reader, context: ContextDep, after: After = "") -> Response:
    """List the entries, and explain what an attester class and a jurisdiction do."""
    async with context.database.reading() as session:
        rows = await page_trusted_issuers(session, viewer.org_id, after=after or None, limit=LENGTH)
    page, last = cut_page(rows, lambda row: row.id)
    today = context.clock().date()
    return show_page(
        request,
        viewer,
        "trusted_issuers.html",
        trusted=[describe_trusted_issuer(row) | {"counts": covers_day(row, today)} for row in page],
        classes=attester_classes(),
        following=next_address(request, last),
    )


@router.get("/console/new-trusted-issuer")
async def show_new_entry(request: Request, viewer: Writer) -> Response:
    """Show the form for an entry."""
    return show_sheet(request, viewer, _sheet_for_new())


@router.post("/console/new-trusted-issuer")
async def add_entry(request: Request, viewer: Writer, context: ContextDep, form: FormDep) -> Response:
    """Trust an issuer."""

    async def save(body: TrustedIssuerBody) -> str:
        entry_id, now = check_id(text_of(form, "id")), context.clock()
        async with context.database.transaction() as session:
            any_did = context.did_resolver is not None
            terms = TrustTerms(**body.model_dump())
            _, is_new = await put_trusted_issuer(session, viewer.org_id, entry_id, terms, now, any_did=any_did)
            if not is_new:
                raise IdTakenError("There is an entry of this id already.")
            record_act(session, context, viewer, "trusted_issuer.create", entry_id)
        return _LIST

    return await save_sheet(request, viewer, _sheet_for_new(), form, TrustedIssuerBody, save)


@router.get(_LIST + "/{entry_id}")
async def show_entry(request: Request, entry_id: Id, viewer: Writer, context: ContextDep) -> Response:
    """Show the form for a change of an entry."""
    async with context.database.reading() as session:
        known = describe_trusted_issuer(await get_trusted_issuer(session, viewer.org_id, entry_id))
    sheet = _sheet_for_edit(entry_id)
    typed = show_document(known, list_fields(sheet.groups))
    return show_sheet(request, viewer, replace(sheet, typed=typed, ends=True))


@router.post(_LIST + "/{entry_id}")
async def change_entry(request: Request, entry_id: Id, viewer: Writer, context: ContextDep, form: FormDep) -> Response:
    """Change an entry."""
    async with context.database.reading() as session:
        known = describe_trusted_issuer(await get_trusted_issuer(session, viewer.org_id, entry_id))

    async def save(body: TrustedIssuerBody) -> str:
        async with context.database.transaction() as session:
            any_did = context.did_resolver is not None
            terms = TrustTerms(**body.model_dump())
            await put_trusted_issuer(session, viewer.org_id, entry_id, terms, context.clock(), any_did=any_did)
            record_act(session, context, viewer, "trusted_issuer.change", entry_id)
        return _LIST

    def keep_rest(document: dict[str, Any]) -> dict[str, Any]:
        return {name: known[name] for name in _KEPT} | document

    sheet = replace(_sheet_for_edit(entry_id), ends=True)
    return await save_sheet(request, viewer, sheet, form, TrustedIssuerBody, save, read=keep_rest)


@router.post(_LIST + "/{entry_id}/end")
async def end_entry(entry_id: Id, viewer: Writer, context: ContextDep) -> Response:
    """Trust an issuer no more, from the next decision on; a second time changes nothing."""
    async with context.database.transaction() as session:
        try:
            await delete_trusted_issuer(session, viewer.org_id, entry_id, context.clock())
        except NotFoundError:
            return redirect(_LIST)
        record_act(session, context, viewer, "trusted_issuer.end", entry_id)
    return redirect(_LIST)
