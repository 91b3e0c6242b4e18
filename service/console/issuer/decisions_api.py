"""What is done to a case: review, approval by somebody else, refusal."""

import re
from datetime import date
from typing import Any

from fastapi import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import FormData

from service.console.forms import FormDep, text_of
from service.console.issuer.access import Approver, Officer
from service.console.issuer.case_page import Sent, describe_approval, render_case
from service.console.issuer.cases_api import ADDRESS
from service.console.issuer.fields import FieldError, read_typed, read_values
from service.console.issuer.figures import describe_figures, fill_in, find_figures_named, find_rule
from service.console.issuer.offers_api import render_made
from service.console.issuer.verification import check_verification
from service.console.once import Result, do_once
from service.console.pages import redirect
from service.console.routing import console_router
from service.errors import InvalidInputError, ServiceError
from service.issuer import cases
from service.issuer.case_review import INVESTMENT_LIMIT, ReviewRequest
from service.issuer.identity import get_issuer
from service.storage.subject_keys import name_person
from service.web.dependencies import ContextDep

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,29})(\.[0-9]{1,18})?")
MAX_REASON = 500
router = console_router()


class RuleNotChosenError(InvalidInputError):
    """No rule of this case's type was chosen."""

    code = "rule_not_chosen"


class ReasonMissingError(InvalidInputError):
    """A refusal needs a reason of at most 500 characters."""

    code = "reason_missing"


@router.post(ADDRESS + "/{case_id}/review")
async def review(case_id: str, request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Work out figures; nobody is harmed by doing it twice."""
    async with context.database.reading() as session:
        view = await cases.get_case(session, context.signer, viewer.org_id, case_id)
    rule = find_rule(view.credential_configuration_id, text_of(form, "rule"))
    fields = [] if rule is None else describe_figures(rule, viewer.language)
    typed = read_typed(fields, form)
    more = {name: text_of(form, name) for name in ("limit_at_least", "as_of")}
    try:
        if rule is None:
            raise RuleNotChosenError("No rule was chosen.")
        is_limit = view.credential_configuration_id == INVESTMENT_LIMIT
        ask = ReviewRequest(
            test=None if is_limit else rule.id,
            limit=rule.id if is_limit else None,
            figures=fill_in(rule, read_values(fields, typed)),
            as_of=_read_day(more["as_of"]),
            limit_at_least=_read_amount(more["limit_at_least"]) if is_limit else None,
        )
        async with context.database.transaction() as session:
            await cases.review_case(
                session,
                context.signer,
                viewer.org_id,
                case_id,
                ask,
                client_id=viewer.account_id,
                now=context.clock(),
            )
    except ServiceError as error:
        wrong = _list_wrong(error)
        sent = Sent("review", error, "" if rule is None else rule.id, typed, more, wrong)
        return await render_case(request, context, viewer, case_id, sent)
    return redirect(f"{ADDRESS}/{case_id}")


@router.post(ADDRESS + "/{case_id}/approve")
async def approve(case_id: str, request: Request, context: ContextDep, viewer: Approver, form: FormDep) -> Response:
    """Approve a review of somebody else, and show the offer with its code."""
    async with context.database.reading() as session:
        view = await cases.get_case(session, context.signer, viewer.org_id, case_id)
    fields = describe_approval(view, viewer)
    typed = read_typed(fields, form)

    async def work(session: AsyncSession) -> Result:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=viewer.org_id)
        claims = read_values(fields, typed)
        check_verification(view, claims)
        ask = cases.ApprovalRequest(claims, tx_code=_wants_code(form))
        _, made = await cases.approve_case(
            session, context.signer, issuer, case_id, ask, client_id=viewer.account_id, now=context.clock()
        )
        return {"offer_id": made.id, "tx_code": made.tx_code}

    try:
        made = await do_once(request, viewer, form, work, subject=name_person(view.subject_ref))
    except ServiceError as error:
        more = {"tx_code": "yes" if _wants_code(form) else ""}
        sent = Sent("approve", error, typed=typed, more=more, fields=_list_wrong(error))
        return await render_case(request, context, viewer, case_id, sent)
    return await render_made(request, context, viewer, made)


@router.post(ADDRESS + "/{case_id}/decline")
async def decline(case_id: str, request: Request, context: ContextDep, viewer: Approver, form: FormDep) -> Response:
    """Decline a case."""
    reason = text_of(form, "reason")
    try:
        if not 1 <= len(reason) <= MAX_REASON:
            raise ReasonMissingError("reason: 1 to 500 characters.")
        async with context.database.transaction() as session:
            await cases.decline_case(
                session,
                context.signer,
                viewer.org_id,
                case_id,
                reason=reason,
                client_id=viewer.account_id,
                now=context.clock(),
            )
    except ServiceError as error:
        sent = Sent("decline", error, more={"reason": reason})
        return await render_case(request, context, viewer, case_id, sent)
    return redirect(f"{ADDRESS}/{case_id}")


def _wants_code(form: FormData) -> bool:
    return text_of(form, "tx_code") == "yes"


def _list_wrong(error: ServiceError) -> list[str]:
    named: list[Any] = [str(each.get("path", "")).strip("/").partition("/")[0] for each in error.errors]
    return [*named, *find_figures_named(error)]


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise FieldError("The day cannot be read.", errors=[{"path": "/as_of", "detail": ""}]) from None


def _read_amount(text: str) -> str:
    amount = text.replace(",", "")
    if not _AMOUNT.fullmatch(amount):
        raise FieldError("The amount cannot be read.", errors=[{"path": "/limit_at_least", "detail": ""}])
    return amount
