"""The list of decisions and what it can be searched by."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from fastapi import Request, Response

from service.console.platform.access import Reader, sees_all
from service.console.platform.paging import LENGTH, next_address
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.errors import InvalidInputError
from service.gate.decision_list import OUTCOMES, DecisionSearch, list_decisions
from service.gate.redaction import RESTRICTED
from service.gate.values import check_year
from service.schema_files import load_reason_codes
from service.web.dependencies import ContextDep

router = console_router()
_NAMES = ("security", "investor", "outcome", "code", "since", "until")
_LONGEST = 200
_DAY = timedelta(days=1)


class DayInvalidError(InvalidInputError):
    """A day is written YYYY-MM-DD."""

    code = "day_invalid"


@router.get("/console/decisions")
async def show_decisions(request: Request, viewer: Reader, context: ContextDep) -> Response:
    """List decisions, newest first."""
    typed = {name: request.query_params.get(name, "").strip()[:_LONGEST] for name in _NAMES}
    search = _read_search(typed, request.query_params.get("after", ""))
    sees = sees_all(viewer)
    async with context.database.reading() as session:
        page = await list_decisions(session, viewer.org_id, search, sees_all=sees, limit=LENGTH, now=context.clock())
    return show_page(
        request,
        viewer,
        "decisions.html",
        typed=typed,
        outcomes=OUTCOMES,
        codes=list_searchable_codes(sees=sees),
        decisions=page.decisions,
        following=next_address(request, page.following),
    )


def _read_search(typed: Mapping[str, str], after: str) -> DecisionSearch:
    until = _read_day(typed["until"])
    return DecisionSearch(
        security_id=typed["security"] or None,
        outcome=typed["outcome"] or None,
        code=typed["code"] or None,
        investor_ref=typed["investor"] or None,
        since=_read_day(typed["since"]),
        until=until and until + _DAY,
        after=after or None,
    )


def _read_day(text: str) -> datetime | None:
    """Return when a day begins in UTC, by which decisions are dated.

    Raises:
        DayInvalidError: See there.
    """
    if not text:
        return None
    try:
        return datetime.combine(check_year(date.fromisoformat(text)), time(), UTC)
    except ValueError:
        raise DayInvalidError("A day is written YYYY-MM-DD.") from None


def list_searchable_codes(*, sees: bool) -> list[str]:
    """Return the codes of reasons that a reader may come across.

    Args:
        sees: Whether they see AML and sanctions reasons; others know those under one name.
    """
    reasons = [entry for entry in load_reason_codes().values() if entry["kind"] == "reason"]
    if sees:
        return sorted(entry["code"] for entry in reasons if entry["code"] != RESTRICTED)
    return sorted({entry["outward"] for entry in reasons})
