"""Who read whose personal data."""

import json
from typing import Annotated

from fastapi import Depends, Request, Response
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.accounts import ADMIN, AUDITOR
from service.console.pages import render
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.routing import console_router
from service.console.translation import find_text
from service.console.viewer import Viewer, require_role
from service.storage.log import list_accesses
from service.storage.tables import Account
from service.web.dependencies import ContextDep

ADDRESS = "/console/accesses"
router = console_router()
Watcher = Annotated[Viewer, Depends(require_role(AUDITOR, ADMIN, org_role="issuer"))]


@router.get(ADDRESS)
async def show_accesses(
    request: Request, context: ContextDep, viewer: Watcher, ref: str = "", after: After = ""
) -> Response:
    """List readings of personal data by the organisation's people and programs, oldest first."""
    wanted = ref.strip()[:64]
    async with context.database.reading() as session:
        rows = await list_accesses(
            session, viewer.org_id, subject_id=wanted or None, after=after or None, limit=LENGTH + 1
        )
        page, last = cut_page(rows, lambda each: each.id)
        accesses = [{"at": row.recorded_at, **json.loads(row.record)} for row in page]
        names = await _find_names(session, viewer.org_id, {each["client_id"] for each in accesses})
    kinds = {each["object"]["kind"] for each in accesses}
    return render(
        request,
        viewer,
        "issuer/accesses.html",
        accesses=accesses,
        names=names,
        named_objects={kind for kind in kinds if find_text(viewer.language, f"credentials.object_{kind}")},
        ref=wanted,
        following=next_address(request, last),
    )


async def _find_names(session: AsyncSession, org_id: str, ids: set[str]) -> dict[str, str]:
    """Return the names of those who are people; programs go by their id."""
    query = select(Account.id, Account.name).where(Account.org_id == org_id, col(Account.id).in_(ids))
    return dict((await session.exec(query)).all())
