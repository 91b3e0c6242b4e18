"""Securities, offerings and grants: versioned terms, and who may reach them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.gate.counts import set_limits
from service.gate.fixed_terms import check_offering_terms, check_security_terms
from service.gate.security_models import GrantTerms, OfferingTerms, SecurityTerms, dump_terms
from service.rules import REGIMES
from service.storage.audit import append_audit_entry
from service.storage.tables import Grant, Offering, OfferingVersion, Organization, Security, SecurityVersion


class RegimeUnsupportedError(InvalidInputError):
    """No rule pack knows the regime."""

    code = "regime_unsupported"


class IssuedQuantityTooSmallError(InvalidInputError):
    """More is outstanding, or promised, than would be issued."""

    code = "issued_quantity_too_small"


class SecurityAmbiguousError(ConflictError):
    """Two registrars granted the venue securities of the same id."""

    code = "security_ambiguous"


@dataclass(frozen=True, slots=True)
class Access:
    """A security that a caller may address.

    Attributes:
        head: Locked if the caller asked for it.
        grant: None for the registrar itself.
    """

    head: Security
    terms: dict[str, Any]
    grant: Grant | None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a PUT left behind."""

    body: dict[str, Any]
    created: bool


async def find_security(session: AsyncSession, org_id: str, security_id: str, *, lock: bool = False) -> Security:
    """Return the head row of an organisation's own security.

    Raises:
        NotFoundError: It has none of this id.
    """
    head = await session.get(Security, (org_id, security_id), with_for_update=lock or None, populate_existing=lock)
    if head is None:
        raise NotFoundError
    return head


async def read_security_terms(session: AsyncSession, head: Security) -> dict[str, Any]:
    """Return the terms of the newest version."""
    row = await session.get_one(SecurityVersion, (head.org_id, head.id, head.version))
    return row.document


async def open_security(session: AsyncSession, org_id: str, security_id: str, *, lock: bool) -> Access:
    """Find the security that a caller means: its own, or one that a registrar granted it, even if withdrawn since.

    Raises:
        NotFoundError: Unknown, or never granted: the two are not told apart.
        SecurityAmbiguousError: Several registrars granted this id and the caller has none of its own.
    """
    grant = None
    head = await session.get(Security, (org_id, security_id), with_for_update=lock or None, populate_existing=lock)
    if head is None:
        grant = await _find_grant(session, org_id, security_id)
        head = await find_security(session, grant.org_id, security_id, lock=lock)
    return Access(head, await read_security_terms(session, head), grant)


async def _find_grant(session: AsyncSession, org_id: str, security_id: str) -> Grant:
    query = select(Grant).where(Grant.venue_org_id == org_id, Grant.security_id == security_id)
    grants = (await session.exec(query)).all()
    if not grants:
        raise NotFoundError
    if len(grants) > 1:
        raise SecurityAmbiguousError("Several registrars granted a security of this id.")
    return grants[0]


async def put_security(
    session: AsyncSession, org_id: str, security_id: str, terms: SecurityTerms, *, now: datetime
) -> Saved:
    """Create a security or give it a new version; the same terms again change nothing.

    Raises:
        IssuedQuantityTooSmallError: Lots and promises already exceed the new issued quantity.
        TermsFixedError: See ``fixed_terms``.
    """
    document = dump_terms(terms)
    head = await session.get(Security, (org_id, security_id), with_for_update=True)
    created = head is None
    if head is None:
        head = Security(org_id=org_id, id=security_id, version=0, issued=0)
    elif (known := await read_security_terms(session, head)) == document:
        return Saved(describe_security(head, document), created=False)
    else:
        await check_security_terms(session, head, known, document)
    head.version += 1
    head.issued = int(terms.issued_quantity)
    if head.outstanding + head.outstanding_reserved > head.issued:
        raise IssuedQuantityTooSmallError("More than this quantity is outstanding or promised.")
    set_limits(head, document["caps"])
    session.add(head)
    await session.flush()
    session.add(
        SecurityVersion(
            org_id=org_id, security_id=security_id, version=head.version, document=document, recorded_at=now
        )
    )
    _audit(session, head, kind="security.changed", record={"version": head.version, "terms": document}, now=now)
    return Saved(describe_security(head, document), created=created)


async def list_securities(
    session: AsyncSession, org_id: str, *, after: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return up to ``limit`` of an organisation's securities with their newest terms, by id."""
    query = (
        select(Security, SecurityVersion)
        .join(
            SecurityVersion,
            (col(SecurityVersion.org_id) == col(Security.org_id))
            & (col(SecurityVersion.security_id) == col(Security.id))
            & (col(SecurityVersion.version) == col(Security.version)),
        )
        .where(Security.org_id == org_id, col(Security.id) > (after or ""))
        .order_by(col(Security.id))
        .limit(limit)
    )
    return [describe_security(head, version.document) for head, version in (await session.exec(query)).all()]


async def list_granted_securities(
    session: AsyncSession, org_id: str, *, after: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return up to ``limit`` securities of others on which an organisation may gate, by id, with who keeps each."""
    query = (
        select(Grant, Organization.name, SecurityVersion)
        .join(Organization, col(Organization.id) == col(Grant.org_id))
        .join(Security, (col(Security.org_id) == col(Grant.org_id)) & (col(Security.id) == col(Grant.security_id)))
        .join(
            SecurityVersion,
            (col(SecurityVersion.org_id) == col(Security.org_id))
            & (col(SecurityVersion.security_id) == col(Security.id))
            & (col(SecurityVersion.version) == col(Security.version)),
        )
        .where(Grant.venue_org_id == org_id, col(Grant.withdrawn_at).is_(None), col(Grant.security_id) > (after or ""))
        .order_by(col(Grant.security_id), col(Grant.org_id))
        .limit(limit)
    )
    return [
        {"id": grant.security_id, "registrar": name, "grant": grant.document, **version.document}
        for grant, name, version in (await session.exec(query)).all()
    ]


def describe_security(head: Security, terms: dict[str, Any]) -> dict[str, Any]:
    """Return the published form of a security."""
    return {"id": head.id, "version": head.version, **terms}


async def put_offering(
    session: AsyncSession, org_id: str, security_id: str, offering_id: str, terms: OfferingTerms, *, now: datetime
) -> Saved:
    """Create an offering or give it a new version; the same terms again change nothing.

    Raises:
        NotFoundError: The caller has no such security.
        RegimeUnsupportedError, TermsFixedError: See ``code``.
    """
    if terms.regime not in REGIMES:
        raise RegimeUnsupportedError(
            "The regime is not supported.",
            errors=[{"path": "/body/regime", "detail": f"must be one of {', '.join(REGIMES)}"}],
        )
    security = await find_security(session, org_id, security_id, lock=True)
    document = dump_terms(terms)
    head = await session.get(Offering, (org_id, security_id, offering_id))
    created = head is None
    if head is None:
        position = len(await list_offering_heads(session, org_id, security_id))
        head = Offering(org_id=org_id, security_id=security_id, id=offering_id, version=0, position=position)
    elif (known := await _read_offering_terms(session, head)) == document:
        return Saved(describe_offering(head, document), created=False)
    else:
        issuer = {"issuer": (await read_security_terms(session, security))["issuer"]}
        before, after = (terms | ({} if terms["issuer"] else issuer) for terms in (known, document))
        await check_offering_terms(session, security, offering_id, before, after)
    head.version += 1
    session.add(head)
    session.add(
        OfferingVersion(
            org_id=org_id,
            security_id=security_id,
            offering_id=offering_id,
            version=head.version,
            document=document,
            recorded_at=now,
        )
    )
    record = {"offering": offering_id, "version": head.version, "terms": document}
    _audit(session, security, kind="offering.changed", record=record, now=now)
    return Saved(describe_offering(head, document), created=created)


async def _read_offering_terms(session: AsyncSession, head: Offering) -> dict[str, Any]:
    row = await session.get_one(OfferingVersion, (head.org_id, head.security_id, head.id, head.version))
    return row.document


async def list_offering_heads(session: AsyncSession, org_id: str, security_id: str) -> Sequence[Offering]:
    """Return a security's offerings in the order in which they were made."""
    query = (
        select(Offering)
        .where(Offering.org_id == org_id, Offering.security_id == security_id)
        .order_by(col(Offering.position), col(Offering.id))
    )
    return (await session.exec(query)).all()


async def list_offerings(session: AsyncSession, org_id: str, security_id: str) -> list[dict[str, Any]]:
    """Return a security's offerings with their newest terms, in the order in which they were made."""
    query = (
        select(Offering, OfferingVersion)
        .join(
            OfferingVersion,
            (col(OfferingVersion.org_id) == col(Offering.org_id))
            & (col(OfferingVersion.security_id) == col(Offering.security_id))
            & (col(OfferingVersion.offering_id) == col(Offering.id))
            & (col(OfferingVersion.version) == col(Offering.version)),
        )
        .where(Offering.org_id == org_id, Offering.security_id == security_id)
        .order_by(col(Offering.position), col(Offering.id))
    )
    return [describe_offering(head, version.document) for head, version in (await session.exec(query)).all()]


async def list_regimes(session: AsyncSession, org_id: str) -> set[str]:
    """Return the regimes of the offerings that an organisation keeps, or may trade."""
    regime: Any = OfferingVersion.document["regime"]
    newest = (
        (col(OfferingVersion.org_id) == col(Offering.org_id))
        & (col(OfferingVersion.security_id) == col(Offering.security_id))
        & (col(OfferingVersion.offering_id) == col(Offering.id))
        & (col(OfferingVersion.version) == col(Offering.version))
    )
    granted = (col(Grant.org_id) == col(Offering.org_id)) & (col(Grant.security_id) == col(Offering.security_id))
    query = select(regime.as_string()).select_from(Offering).join(OfferingVersion, newest)
    own = query.where(Offering.org_id == org_id)
    others = query.join(Grant, granted).where(Grant.venue_org_id == org_id, col(Grant.withdrawn_at).is_(None))
    return {*(await session.exec(own)).all(), *(await session.exec(others)).all()}


async def get_offering(session: AsyncSession, org_id: str, security_id: str, offering_id: str) -> dict[str, Any]:
    """Return one offering with its newest terms.

    Raises:
        NotFoundError: Unknown.
    """
    head = await session.get(Offering, (org_id, security_id, offering_id))
    if head is None:
        raise NotFoundError
    return describe_offering(head, await _read_offering_terms(session, head))


def describe_offering(head: Offering, terms: dict[str, Any]) -> dict[str, Any]:
    """Return the published form of an offering."""
    last = head.last_issued_on
    own = {"id": head.id, "security_id": head.security_id, "version": head.version}
    return own | {"last_issued_on": last and last.isoformat()} | terms


async def put_grant(
    session: AsyncSession, org_id: str, security_id: str, venue_org_id: str, terms: GrantTerms, *, now: datetime
) -> Saved:
    """Let a venue gate on the caller's security, or change what it may.

    Raises:
        NotFoundError: Unknown security or organisation.
    """
    security = await find_security(session, org_id, security_id, lock=True)
    if venue_org_id == org_id or await session.get(Organization, venue_org_id) is None:
        raise NotFoundError
    document = dump_terms(terms)
    grant = await session.get(Grant, (org_id, security_id, venue_org_id))
    created = grant is None
    if grant is None:
        grant = Grant(
            org_id=org_id, security_id=security_id, venue_org_id=venue_org_id, document=document, updated_at=now
        )
    grant.document, grant.withdrawn_at, grant.updated_at = document, None, now
    session.add(grant)
    _audit(session, security, kind="grant.changed", record={"venue": venue_org_id, "terms": document}, now=now)
    return Saved({"security_id": security_id, "org_id": venue_org_id, **document}, created=created)


async def withdraw_grant(
    session: AsyncSession, org_id: str, security_id: str, venue_org_id: str, *, now: datetime
) -> None:
    """Withdraw a grant; the venue's next transfer is denied. Withdrawing twice changes nothing.

    Raises:
        NotFoundError: There never was such a grant.
    """
    grant = await session.get(Grant, (org_id, security_id, venue_org_id), with_for_update=True)
    if grant is None:
        raise NotFoundError
    if grant.withdrawn_at is None:
        grant.withdrawn_at = grant.updated_at = now
        session.add(grant)
        security = await find_security(session, org_id, security_id)
        _audit(session, security, kind="grant.withdrawn", record={"venue": venue_org_id}, now=now)


async def list_grants(
    session: AsyncSession, org_id: str, security_id: str, *, after: str | None, limit: int
) -> Sequence[tuple[Grant, str]]:
    """Return up to ``limit`` grants on an organisation's security with the venues' names, withdrawn ones too."""
    query = (
        select(Grant, Organization.name)
        .join(Organization, col(Organization.id) == col(Grant.venue_org_id))
        .where(Grant.org_id == org_id, Grant.security_id == security_id, col(Grant.venue_org_id) > (after or ""))
        .order_by(col(Grant.venue_org_id))
        .limit(limit)
    )
    return (await session.exec(query)).all()


def _audit(session: AsyncSession, head: Security, *, kind: str, record: dict[str, Any], now: datetime) -> None:
    append_audit_entry(session, org_id=head.org_id, kind=kind, subject_id=head.id, record=record, recorded_at=now)
