"""Granting what needs no case: identity and screening, from a form made from the type's schema, with a preview."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import FormData

from service.console.forms import FormDep, text_of
from service.console.issuer.access import Officer
from service.console.issuer.cases_api import TYPES as BY_CASE
from service.console.issuer.cases_api import check_subject_ref
from service.console.issuer.claims_form import check_silence, describe_claims, label_claim, list_types, name_type
from service.console.issuer.fields import Field, read_typed, read_values
from service.console.issuer.offers_api import render_made
from service.console.once import Result, do_once
from service.console.pages import explain, render
from service.console.routing import console_router
from service.console.values import name_value
from service.console.viewer import Viewer
from service.errors import NotFoundError, ServiceError
from service.issuer.claims import prepare_claims
from service.issuer.identity import Issuer, get_issuer
from service.issuer.offers import OfferRequest, create_offer
from service.storage.subject_keys import name_person
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.problems import status_of

ADDRESS = "/console/grants"
router = console_router()


@router.get(ADDRESS)
async def choose_type(request: Request, viewer: Officer) -> Response:
    """Show which credentials can be granted without a case, and which need one."""
    names = {each: name_type(each, viewer.language) for each in list_types()}
    return render(request, viewer, "issuer/grants.html", names=names, by_case=BY_CASE)


@router.get(ADDRESS + "/{name}")
async def show_form(name: str, request: Request, viewer: Officer) -> Response:
    """Show the form of a credential type."""
    fields = _describe_fields(name, viewer)
    return _render_form(request, viewer, name, fields, FormData({"tx_code": "yes"}))


@router.post(ADDRESS + "/{name}")
async def preview(name: str, request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Show what the credential will say, or the form again: with what is wrong, or because something is to change."""
    fields = _describe_fields(name, viewer)
    if text_of(form, "change"):
        return _render_form(request, viewer, name, fields, form)
    typed = read_typed(fields, form)
    try:
        check_subject_ref(text_of(form, "subject_ref"))
        issuer = await _find_issuer(context, viewer)
        claims = prepare_claims(issuer, name, _read_claims(name, fields, typed), now=context.clock())
    except ServiceError as error:
        return _render_form(request, viewer, name, fields, form, error)
    return render(
        request,
        viewer,
        "issuer/grant_preview.html",
        name=name,
        type_name=name_type(name, viewer.language),
        claims=[
            (label_claim(name, viewer.language, claim), name_value(viewer.language, claim, value))
            for claim, value in claims.items()
        ],
        sent=[(field, value) for field, value in form.multi_items() if field not in ("form_token", "once", "change")],
        subject_ref=text_of(form, "subject_ref"),
    )


@router.post(ADDRESS + "/{name}/make")
async def grant(name: str, request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Make the offer, and show it with its code."""
    fields = _describe_fields(name, viewer)
    typed = read_typed(fields, form)

    async def work(session: AsyncSession) -> Result:
        connection = await session.connection()
        issuer = await get_issuer(connection, base_url=context.base_url, org_id=viewer.org_id)
        ask = OfferRequest(
            credential_configuration_id=name,
            claims=_read_claims(name, fields, typed),
            subject_ref=check_subject_ref(text_of(form, "subject_ref")),
            tx_code=text_of(form, "tx_code") == "yes",
        )
        made = await create_offer(connection, context.signer, issuer, ask, now=context.clock(), actor=viewer.account_id)
        return {"offer_id": made.id, "tx_code": made.tx_code}

    try:
        made = await do_once(request, viewer, form, work, subject=name_person(text_of(form, "subject_ref")))
    except ServiceError as error:
        return _render_form(request, viewer, name, fields, form, error)
    return await render_made(request, context, viewer, made)


def _describe_fields(name: str, viewer: Viewer) -> list[Field]:
    if name not in list_types() or name in BY_CASE:
        raise NotFoundError
    return describe_claims(name, viewer.language)


def _read_claims(name: str, fields: list[Field], typed: Mapping[str, str]) -> dict[str, Any]:
    claims = read_values(fields, typed)
    check_silence(name, claims)
    return claims


async def _find_issuer(context: Context, viewer: Viewer) -> Issuer:
    async with context.database.reading() as session:
        return await get_issuer(await session.connection(), base_url=context.base_url, org_id=viewer.org_id)


def _render_form(
    request: Request,
    viewer: Viewer,
    name: str,
    fields: list[Field],
    form: FormData,
    error: ServiceError | None = None,
) -> Response:
    wrong: list[dict[str, Any]] = [] if error is None else error.errors
    return render(
        request,
        viewer,
        "issuer/grant.html",
        status=200 if error is None else status_of(type(error)),
        problem=None if error is None else explain(viewer.language, error),
        name=name,
        type_name=name_type(name, viewer.language),
        fields=fields,
        typed=read_typed(fields, form),
        wrong=[str(each.get("path", "")).strip("/").partition("/")[0] for each in wrong],
        findings={str(each.get("path", "")).strip("/").partition("/")[0]: each.get("detail", "") for each in wrong},
        subject_ref=text_of(form, "subject_ref"),
        tx_code=text_of(form, "tx_code"),
    )
