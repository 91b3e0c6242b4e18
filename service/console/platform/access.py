"""Who may open and do what on a platform's pages, and the traces that they leave."""

from typing import Annotated

from fastapi import Depends
from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.accounts import ADMIN, COMPLIANCE, OFFICER
from service.console.viewer import Viewer, require_role
from service.storage.audit import append_audit_entry
from service.web.auth import Caller
from service.web.context import Context

PLATFORM = "platform"
ACTED = "console.acted"
WRITERS = (OFFICER, ADMIN)

Reader = Annotated[Viewer, Depends(require_role(org_role=PLATFORM))]
Writer = Annotated[Viewer, Depends(require_role(*WRITERS, org_role=PLATFORM))]
Manager = Annotated[Viewer, Depends(require_role(ADMIN, org_role=PLATFORM))]
Compliance = Annotated[Viewer, Depends(require_role(COMPLIANCE, org_role=PLATFORM))]
Keeper = Annotated[Viewer, Depends(require_role(*WRITERS, COMPLIANCE, org_role=PLATFORM))]


def sees_all(viewer: Viewer) -> bool:
    """Tell whether the viewer may see AML and sanctions reasons, as API clients with the scope ``compliance`` may."""
    return COMPLIANCE in viewer.roles


def may_write(viewer: Viewer) -> bool:
    """Tell whether forms that change things are shown to the viewer."""
    return not viewer.roles.isdisjoint(WRITERS)


def as_caller(viewer: Viewer) -> Caller:
    """Name the account where accesses to personal data name the API client that read."""
    return Caller(viewer.org_id, viewer.account_id, frozenset(viewer.roles))


def record_act(session: AsyncSession, context: Context, viewer: Viewer, action: str, subject_id: str) -> None:
    """Say in the log which account did what, beside the entry about what happened; in the same transaction."""
    append_audit_entry(
        session,
        org_id=viewer.org_id,
        kind=ACTED,
        subject_id=subject_id,
        record={"actor": viewer.account_id, "action": action},
        recorded_at=context.clock(),
    )
