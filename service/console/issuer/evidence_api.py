"""Evidence of a case on its page: take a file, give it back to be saved, ask the investor for more."""

from dataclasses import replace

from fastapi import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.console.forms import FormDep, get_upload, text_of, texts_of
from service.console.issuer.access import Officer, Reader, record_reading
from service.console.issuer.case_page import Sent, render_case
from service.console.issuer.cases_api import ADDRESS
from service.console.once import Result, do_once
from service.console.pages import redirect
from service.console.routing import console_router
from service.console.wordings import find_wording
from service.errors import InvalidInputError, ServiceError
from service.issuer.evidence import MAX_ITEM_CHARACTERS, add_evidence, open_evidence
from service.issuer.evidence_upload import name_evidence, recognize_evidence
from service.issuer.information import request_information
from service.rules.catalog import LIMITS, TESTS
from service.rules.worksheet import InvestorLimit, InvestorTest
from service.web.dependencies import ContextDep

MAX_MESSAGE, MAX_ITEMS = 2000, 20
_HIDDEN_FIELDS = frozenset({"form_token"})
_RULES: tuple[InvestorTest | InvestorLimit, ...] = (*TESTS.values(), *LIMITS.values())
EVIDENCE = tuple(dict.fromkeys(item for rule in _RULES for item in rule.evidence))
router = console_router()


class MessageMissingError(InvalidInputError):
    """Nobody knows what more is wanted without a message."""

    code = "message_missing"


@router.post(ADDRESS + "/{case_id}/evidence")
async def add_file(case_id: str, request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Add a file; the same one sent twice is kept once."""
    try:
        new = await recognize_evidence(get_upload(request), allowed=_HIDDEN_FIELDS)
        new = replace(new, item=find_wording(viewer.language, new.item, EVIDENCE))
        async with context.database.transaction() as session:
            await add_evidence(
                session,
                context.signer,
                viewer.org_id,
                case_id,
                new,
                client_id=viewer.account_id,
                now=context.clock(),
            )
    except ServiceError as error:
        sent = Sent("evidence", error, text_of(form, "rule"), more={"item": text_of(form, "item")})
        return await render_case(request, context, viewer, case_id, sent)
    return redirect(f"{ADDRESS}/{case_id}#evidence")


@router.get(ADDRESS + "/{case_id}/evidence/{evidence_id}")
async def save_file(case_id: str, evidence_id: str, context: ContextDep, viewer: Reader) -> Response:
    """Give a file back to be saved, never to be shown as a page; the reading is recorded first."""
    async with context.database.reading() as session:
        view, content = await open_evidence(session, context.signer, viewer.org_id, case_id, evidence_id)
    await record_reading(context, viewer, kind="evidence", object_id=evidence_id, subject_ref=view.subject_ref)
    return Response(content, media_type=view.media_type, headers=name_evidence(view))


@router.post(ADDRESS + "/{case_id}/ask")
async def ask_for_more(case_id: str, request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Let the case wait until the investor has handed in more."""
    message, items = text_of(form, "message"), texts_of(form, "item")

    async def work(session: AsyncSession) -> Result:
        if not 1 <= len(message) <= MAX_MESSAGE:
            raise MessageMissingError("message: 1 to 2000 characters.")
        if len(items) > MAX_ITEMS or any(len(each) > MAX_ITEM_CHARACTERS for each in items):
            raise InvalidInputError("item: at most 20, of at most 300 characters.")
        await request_information(
            session,
            context.signer,
            viewer.org_id,
            case_id,
            message=message,
            items=items,
            client_id=viewer.account_id,
            now=context.clock(),
        )
        return {}

    try:
        await do_once(request, viewer, form, work)
    except ServiceError as error:
        return await render_case(request, context, viewer, case_id, Sent("ask", error, more={"message": message}))
    return redirect(f"{ADDRESS}/{case_id}#evidence")
