"""What expires, by month and week, and the renewal of many at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.console.forms import FormDep, texts_of
from service.console.issuer.access import Officer, Reader
from service.console.once import do_once
from service.console.pages import explain, render
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.routing import console_router
from service.console.translation import translate
from service.console.viewer import Viewer
from service.errors import ServiceError
from service.issuer.credentials import CredentialFilter, CredentialView, list_credentials
from service.issuer.identity import get_issuer
from service.issuer.offers import MadeOffer
from service.issuer.renewal import RenewalRequest, renew_credentials
from service.rules.dates import add_months
from service.web.context import Context
from service.web.dependencies import ContextDep

ADDRESS = "/console/calendar"
SPANS = (1, 3, 12)
MAX_RENEWED = 200
OFFERED_FOR = timedelta(days=7)
_REVOKED = "revoked"
router = console_router()


@dataclass(slots=True)
class Week:
    """Credentials that end between two days, both within."""

    first: date
    last: date
    credentials: list[CredentialView] = field(default_factory=list)


@dataclass(slots=True)
class Month:
    """The weeks of a month in which something ends."""

    first: date
    weeks: list[Week] = field(default_factory=list)


@router.get(ADDRESS)
async def show_calendar(
    request: Request, context: ContextDep, viewer: Reader, months: Annotated[int, Query()] = SPANS[1], after: After = ""
) -> Response:
    """Show what ends within the next months."""
    return await _show(request, context, viewer, months, after)


async def _show(
    request: Request, context: Context, viewer: Viewer, months: int, after: str = "", **more: Any
) -> Response:
    span = months if months in SPANS else SPANS[1]
    now = context.clock()
    end = datetime.combine(add_months(now.date(), span), now.timetz())
    wanted = CredentialFilter(expires_from=now, expires_before=end)
    async with context.database.reading() as session:
        found = await list_credentials(session, viewer.org_id, wanted, after=after or None, limit=LENGTH + 1)
    page, last = cut_page(found, lambda each: each.id)
    shown = [each for each in page if each.status != _REVOKED]
    values: dict[str, Any] = {
        "calendar": group_by_week(shown),
        "months": span,
        "spans": SPANS,
        "following": next_address(request, last),
        "may_renew": "officer" in viewer.roles,
    }
    return render(request, viewer, "issuer/calendar.html", **values | more)


def group_by_week(found: Sequence[CredentialView]) -> list[Month]:
    """Group credentials, which are in the order of their end, by the month and the week of their last day."""
    months: list[Month] = []
    for each in found:
        last_day = (each.expires_at - timedelta(seconds=1)).date()
        first = last_day.replace(day=1)
        if not months or months[-1].first != first:
            months.append(Month(first))
        monday = last_day - timedelta(days=last_day.weekday())
        weeks = months[-1].weeks
        if not weeks or weeks[-1].first != max(monday, first):
            weeks.append(Week(max(monday, first), min(monday + timedelta(days=6), add_months(first, 1) - timedelta(1))))
        weeks[-1].credentials.append(each)
    return months


@router.post(ADDRESS)
async def renew(request: Request, context: ContextDep, viewer: Officer, form: FormDep) -> Response:
    """Offer the chosen credentials anew, and show each offer or what stood in its way."""
    ids = list(dict.fromkeys(texts_of(form, "credential")))[:MAX_RENEWED]
    if not ids:
        problem = translate(viewer.language, "credentials.none_chosen")
        return await _show(request, context, viewer, SPANS[1], status=422, problem=problem)

    async def work(session: AsyncSession) -> dict[str, Any]:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=viewer.org_id)
        made = await renew_credentials(
            session,
            context.signer,
            issuer,
            ids,
            RenewalRequest(lifetime=OFFERED_FOR),
            actor=viewer.account_id,
            now=context.clock(),
        )
        return {"items": [_describe(viewer, *each) for each in zip(ids, made, strict=True)]}

    result = await do_once(request, viewer, form, work)
    return render(request, viewer, "issuer/renewed.html", items=result["items"])


def _describe(viewer: Viewer, credential_id: str, made: MadeOffer | ServiceError) -> dict[str, Any]:
    if isinstance(made, ServiceError):
        return {"id": credential_id, "problem": explain(viewer.language, made)}
    return {"id": credential_id, "problem": None, "link": made.web_link, "tx_code": made.tx_code}
