"""Who may open an issuer's pages, and the trace that reading a person's data leaves."""

from typing import Annotated

from fastapi import Depends

from service.accounts.accounts import APPROVER, AUDITOR, OFFICER
from service.console.viewer import Viewer, require_role
from service.web.accesses import record_access
from service.web.auth import Caller
from service.web.context import Context

Reader = Annotated[Viewer, Depends(require_role(OFFICER, APPROVER, AUDITOR, org_role="issuer"))]
Officer = Annotated[Viewer, Depends(require_role(OFFICER, org_role="issuer"))]
Approver = Annotated[Viewer, Depends(require_role(APPROVER, org_role="issuer"))]


async def record_reading(context: Context, viewer: Viewer, *, kind: str, object_id: str, subject_ref: str) -> None:
    """Record, before it is shown, that the viewer reads data of a person; see ``record_access``."""
    caller = Caller(viewer.org_id, viewer.account_id, viewer.roles)
    await record_access(context, caller, object_kind=kind, object_id=object_id, investor_refs=[subject_ref])
