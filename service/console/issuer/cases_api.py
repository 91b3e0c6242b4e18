"""The review queue: list, open, and look at one case."""

import re
from typing import get_args

from fastapi import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import FormData

from service.console.forms import FormDep, text_of
from service.console.issuer.access import Officer, Reader
from service.console.issuer.actors import read_actors
from service.console.issuer.case_page import render_case
from service.console.issuer.claims_form import name_type
from service.console.once import Result, do_once
from service.console.pages import explain, redirect, render
from service.console.routing import console_router
from service.console.viewer import Viewer
from service.errors import InvalidInputError, ServiceError
from service.issuer import cases
from service.issuer.case_models import CaseState
from service.issuer.case_review import INVESTMENT_LIMIT, QUALIFIED_INVESTOR
from service.web.dependencies import ContextDep
from service.web.pagination import DEFAULT_LIMIT
from service.web.problems import status_of

ADDRESS = "/console/cases"
TYPES = (QUALIFIED_INVESTOR, INVESTMENT_LIMIT)
STATES: tuple[str, ...] = get_args(CaseState)
_SUBJECT_REF = re.compile(r"[A-Za-z0-9_.-]{1,64}")
router = console_router()


class SubjectRefError(InvalidInputError):
    """An organisation's own reference to a person has another form."""

    code = "subject_ref_invalid"


def check_subject_ref(subject_ref: str) -> str:
    """Return it, if it is one.

    Raises:
        SubjectRefError: See there.
    """
    if not _SUBJECT_REF.fullmatch(subject_ref):
        raise SubjectRefError("subject_ref: 1 to 64 letters, digits, dots, hyphens and underscores.")
    return subject_ref


@router.get(ADDRESS)
async def list_all(request: Request, context: ContextDep, viewer: Reader) -> Response:
    """List the cases, all or those in one state; without figures."""
    state = request.query_params.get("state", "")
    state = state if state in STATES else ""
    async with context.database.reading() as session:
        rows = await cases.list_cases(
            session,
            viewer.org_id,
            state=state or None,
            after=request.query_params.get("after"),
            limit=DEFAULT_LIMIT + 1,
        )
        name_actor = await read_actors(session, viewer)
    shown = rows[:DEFAULT_LIMIT]
    return render(
        request,
        viewer,
        "issuer/cases.html",
        cases=shown,
        next=shown[-1].id if len(rows) > len(shown) else None,
        state=state,
        states=STATES,
        name_actor=name_actor,
        types={each: name_type(each, viewer.language) for each in TYPES},
    )


@router.get(ADDRESS + "/new")
async def show_new(request: Request, viewer: Officer) -> Response:
    """Show the form for a new case."""
    return _render_new(request, viewer, FormData())


@router.post(ADDRESS)
async def open_case(request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Open a case."""

    async def work(session: AsyncSession) -> Result:
        view = await cases.open_case(
            session,
            context.signer,
            viewer.org_id,
            configuration_id=text_of(form, "type"),
            subject_ref=check_subject_ref(text_of(form, "subject_ref")),
            client_id=viewer.account_id,
            now=context.clock(),
        )
        return {"id": view.id}

    try:
        made = await do_once(request, viewer, form, work)
    except ServiceError as error:
        return _render_new(request, viewer, form, error)
    return redirect(f"{ADDRESS}/{made['id']}")


@router.get(ADDRESS + "/{case_id}")
async def show_case(case_id: str, request: Request, context: ContextDep, viewer: Reader) -> Response:
    """Show a case with its figures and their working; the reading is recorded first."""
    return await render_case(request, context, viewer, case_id)


def _render_new(request: Request, viewer: Viewer, form: FormData, error: ServiceError | None = None) -> Response:
    return render(
        request,
        viewer,
        "issuer/case_new.html",
        status=200 if error is None else status_of(type(error)),
        problem=None if error is None else explain(viewer.language, error),
        types={each: name_type(each, viewer.language) for each in TYPES},
        chosen=text_of(form, "type"),
        subject_ref=text_of(form, "subject_ref"),
    )
