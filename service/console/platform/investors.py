"""Investors as the organisation knows them: found by their ref, their standing, what it covers and what is missing."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from service.console.forms import FormDep, FormUnreadableError, text_of
from service.console.issuer.claims_form import label_claim
from service.console.pages import explain, redirect
from service.console.platform.access import (
    Compliance,
    Keeper,
    Reader,
    as_caller,
    record_act,
    sees_all,
)
from service.console.platform.fields import CHOICE, WORDS, Field, Group, check_document, list_fields, read_document
from service.console.platform.names import Id, check_id
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.console.translation import find_text, translate
from service.console.viewer import RoleMissingError, Viewer
from service.errors import InvalidInputError, ServiceError
from service.gate.securities import list_regimes
from service.rules.law import choose_law
from service.rules.purposes import list_purposes
from service.verifier.investors import find_investors, put_investor, read_known
from service.verifier.models import ScreeningBody
from service.verifier.standing_answer import describe_standing
from service.verifier.withholding import withhold_screenings
from service.web.accesses import record_access
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.instants import format_instant
from service.web.problems import status_of

router = console_router()
_LIST = "/console/investors"
SCREENING = (
    Group(
        "screening",
        (
            Field("result", CHOICE, ("clear", "potential", "hit"), worded=True, required=True),
            Field("screened_at", hint=True),
            Field("lists", WORDS, hint=True, empty=[]),
        ),
    ),
)


@router.get(_LIST)
async def show_investors(
    request: Request, viewer: Reader, context: ContextDep, ref: str = "", after: After = ""
) -> Response:
    """Search by how a ref begins."""
    prefix = ref.strip()[:64]
    async with context.database.reading() as session:
        found = await find_investors(session, viewer.org_id, prefix=prefix, after=after or None, limit=LENGTH + 1)
    page, last = cut_page(found, lambda each: each.ref)
    following = next_address(request, last)
    return show_page(request, viewer, "investors.html", prefix=prefix, investors=page, following=following)


@router.post(_LIST)
async def add_investor(request: Request, viewer: Keeper, context: ContextDep, form: FormDep) -> Response:
    """Record an investor; one who is there stays as they are."""
    ref = text_of(form, "ref")
    try:
        check_id(ref)
    except InvalidInputError as error:
        problem = explain(viewer.language, error)
        return show_page(
            request, viewer, "investors.html", status=422, prefix=ref, investors=[], following=None, problem=problem
        )
    await _change(context, viewer, ref, {}, "investor.create")
    return redirect(f"{_LIST}/{ref}")


@router.get(_LIST + "/{ref}")
async def show_investor(request: Request, ref: Id, viewer: Reader, context: ContextDep) -> Response:
    """Show an investor's standing; the reading is recorded."""
    return await _show(request, viewer, context, ref)


async def _show(
    request: Request, viewer: Viewer, context: Context, ref: str, *, status: int = 200, **more: Any
) -> Response:
    now, law = context.clock(), choose_law(None)
    async with context.database.reading() as session:
        known = await read_known(
            session, context.signer, base_url=context.base_url, org_id=viewer.org_id, ref=ref, now=now
        )
        regimes = await list_regimes(session, viewer.org_id)
    await record_access(context, as_caller(viewer), object_kind="standing", object_id=ref, investor_refs=[ref])
    standing = withhold_screenings(describe_standing(known, now, law), sees_all=sees_all(viewer))
    values = {
        "ref": ref,
        "standing": standing,
        "purposes": {
            each.id: find_text(viewer.language, f"purposes.{each.id}") or each.title for each in list_purposes(law)
        },
        "regimes": regimes,
        "label_claim": lambda kind, claim: label_claim(kind, viewer.language, claim),
        "screening": SCREENING,
        "typed": {},
        "problems": {},
    }
    return show_page(request, viewer, "investor.html", status=status, **values | more)


@router.post(_LIST + "/{ref}/freeze")
async def freeze(ref: Id, viewer: Keeper, context: ContextDep, form: FormDep) -> Response:
    """Freeze an investor, as all may who look after investors, or let them trade again, as compliance may."""
    wanted = text_of(form, "frozen")
    if wanted not in ("yes", "no"):
        raise FormUnreadableError("The form cannot be read.")
    frozen = wanted == "yes"
    if not frozen and not sees_all(viewer):
        raise RoleMissingError("To let a frozen investor trade again needs the role compliance.")
    await _change(context, viewer, ref, {"frozen": frozen}, "investor.freeze" if frozen else "investor.unfreeze")
    return redirect(f"{_LIST}/{ref}")


@router.post(_LIST + "/{ref}/screening")
async def screen(request: Request, ref: Id, viewer: Compliance, context: ContextDep, form: FormDep) -> Response:
    """Keep what the organisation's own screening found."""
    fields = list_fields(SCREENING)
    document = read_document(form, fields)
    document["screened_at"] = document["screened_at"] or format_instant(context.clock())
    body, problems = check_document(ScreeningBody, document, fields, viewer.language)
    typed = {each.path: text_of(form, each.path) for each in fields}
    if body is None:
        problem = translate(viewer.language, "platform.wrong.fields", count=len(problems))
        return await _show(request, viewer, context, ref, status=422, typed=typed, problems=problems, problem=problem)
    try:
        await _change(context, viewer, ref, {"screening": body.model_dump(mode="json")}, "investor.screen")
    except ServiceError as error:
        problem = explain(viewer.language, error)
        return await _show(request, viewer, context, ref, status=status_of(type(error)), typed=typed, problem=problem)
    return redirect(f"{_LIST}/{ref}")


async def _change(context: Context, viewer: Viewer, ref: str, changes: Mapping[str, Any], action: str) -> None:
    async with context.database.transaction() as session:
        await put_investor(
            session, context.signer, viewer.org_id, ref, changes, context.clock(), sees_all=sees_all(viewer)
        )
        record_act(session, context, viewer, action, ref)
