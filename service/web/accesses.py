"""Leave a trace of whoever reads personal data; what was read is not in it."""

from collections.abc import Iterable

from service.storage.audit import PERSONAL_DATA_ACCESSED, append_audit_entry
from service.web.auth import Caller
from service.web.context import Context


async def record_access(
    context: Context,
    caller: Caller,
    *,
    object_kind: str,
    object_id: str,
    investor_refs: Iterable[str | None],
    purpose: str | None = None,
) -> None:
    """Commit one audit entry for each person whose data is about to be answered; call it before answering.

    Args:
        caller: Who reads.
        object_kind: What is read: ``standing``, ``presentation_request``, ``bundle``, ``case``.
        object_id: Its id.
        investor_refs: The caller's own names for the persons it is about, None where it has no name.
        purpose: For what the data were asked of the person, where that is known.
    """
    record = {
        "client_id": caller.client_id,
        "scopes": sorted(caller.scopes),
        "object": {"kind": object_kind, "id": object_id},
        "purpose": purpose,
    }
    persons: list[str | None] = [*sorted({ref for ref in investor_refs if ref is not None})] or [None]
    now = context.clock()
    async with context.database.transaction() as session:
        for ref in persons:
            append_audit_entry(
                session,
                org_id=caller.org_id,
                kind=PERSONAL_DATA_ACCESSED,
                subject_id=ref or object_id,
                record=record | {"investor_ref": ref},
                recorded_at=now,
            )
