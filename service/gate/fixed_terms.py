"""Terms that stay as they are once something was sold, held or offered under them: counts and clocks go by them."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError
from service.storage.tables import Lot, Offeree, Purchase, Security


class TermsFixedError(ConflictError):
    """Something was sold, held or offered under the terms that would change."""

    code = "terms_fixed"


async def check_security_terms(
    session: AsyncSession, head: Security, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Refuse a change of the name that sales are added up under, or of what quantities and prices mean.

    Raises:
        TermsFixedError: See there.
    """
    changed = [name for name in ("issuer", "currency", "unit_decimals") if before[name] != after[name]]
    if changed and await _is_used(session, head):
        raise _name_all(changed)


async def check_offering_terms(
    session: AsyncSession, head: Security, offering_id: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Refuse another regime or issuer for lots that were sold under this one; a conversion gives them another offering.

    Args:
        before, after: Terms in which ``issuer`` is the security's where the offering names none.

    Raises:
        TermsFixedError: See there.
    """
    changed = [name for name in ("regime", "issuer") if before[name] != after[name]]
    if changed and await _is_used(session, head, offering_id):
        raise _name_all(changed)


def _name_all(changed: list[str]) -> TermsFixedError:
    findings = [{"path": f"/body/{name}", "detail": "cannot change any more"} for name in changed]
    return TermsFixedError("Something was sold, held or offered under these terms.", errors=findings)


async def _is_used(session: AsyncSession, head: Security, offering_id: str | None = None) -> bool:
    if head.outstanding_reserved:
        return True
    for table in (Lot, Purchase, Offeree):
        query = select(table).where(table.org_id == head.org_id, table.security_id == head.id)
        if offering_id is not None:
            query = query.where(col(table.offering_id) == offering_id)
        if (await session.exec(query.limit(1))).first() is not None:
            return True
    return False
