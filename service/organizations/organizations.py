"""Create and find organisations."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.did import did_web_from_url
from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.keys import Signer
from service.schema_files import load_claims_schema
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import Organization
from service.web import signing

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
SYSTEM_SLUG = "system"  # how commands call the deployment itself; no organisation may take it
SCOPES_BY_ROLE = {
    "issuer": frozenset({"issuer", "audit"}),
    "platform": frozenset({"verifier", "gate", "compliance", "audit"}),
    "operator": frozenset({"admin"}),
}
KEYS_BY_ROLE = {
    "issuer": (signing.ISSUER, signing.ENCRYPTION),
    "platform": (signing.VERIFIER, signing.GATE),
    "operator": (),
}


class OrganizationInvalidError(InvalidInputError):
    """Name, slug or roles cannot be used."""

    code = "organization_invalid"


class SlugTakenError(ConflictError):
    """Another organisation has this slug."""

    code = "slug_taken"


@dataclass(frozen=True, slots=True)
class NewOrganization:
    """What is needed to create an organisation; ``attester_class`` is an id of the rule matrix' attesters."""

    name: str
    slug: str
    roles: Sequence[str]
    attester_class: str | None = None
    attester_register_id: str | None = None
    is_transfer_agent: bool = False


def attester_classes() -> list[str]:
    """Return what an organisation may attest as: the ids that its credentials may state."""
    schema = load_claims_schema("qualified-investor")
    return list(schema["properties"]["attester_class"]["enum"])


def organization_did(base_url: str, slug: str, roles: Collection[str]) -> str:
    """Return the did:web of an organisation; an issuer's is that of its Credential Issuer Identifier."""
    folder = "issuers" if "issuer" in roles else "organizations"
    return did_web_from_url(f"{base_url}/{folder}/{slug}")


def allowed_scopes(roles: Collection[str]) -> frozenset[str]:
    """Return every scope that clients of an organisation with these roles may have."""
    return frozenset().union(*(SCOPES_BY_ROLE[role] for role in roles))


def _check(new: NewOrganization) -> None:
    if not SLUG.fullmatch(new.slug) or new.slug == SYSTEM_SLUG:
        raise OrganizationInvalidError("slug: lower-case letters, digits and inner hyphens, at most 63, not system.")
    if not new.name.strip() or len(new.name) > 200:
        raise OrganizationInvalidError("name: 1 to 200 characters.")
    if not new.roles or not set(new.roles) <= SCOPES_BY_ROLE.keys():
        raise OrganizationInvalidError("roles: one or more of issuer, platform, operator.")
    if new.attester_class is not None and new.attester_class not in attester_classes():
        raise OrganizationInvalidError(f"attester_class: one of {', '.join(attester_classes())}.")


async def create_organization(
    session: AsyncSession, signer: Signer, base_url: str, new: NewOrganization, now: datetime
) -> Organization:
    """Record an organisation and make the keys of its roles.

    Raises:
        OrganizationInvalidError: See there.
        SlugTakenError: See there.
    """
    _check(new)
    taken = await session.exec(select(Organization.id).where(Organization.slug == new.slug))
    if taken.first() is not None:
        raise SlugTakenError("Another organisation has this slug.")
    row = Organization(
        id=new_id("org"),
        slug=new.slug,
        name=new.name,
        roles=sorted(set(new.roles)),
        did=organization_did(base_url, new.slug, new.roles),
        attester_class=new.attester_class,
        attester_register_id=new.attester_register_id,
        is_transfer_agent=new.is_transfer_agent,
        created_at=now,
    )
    session.add(row)
    await session.flush()
    for purpose in sorted({purpose for role in row.roles for purpose in KEYS_BY_ROLE[role]}):
        await signing.create_signing_key(session, signer, org_id=row.id, purpose=purpose, now=now)
    record = {"slug": row.slug, "roles": row.roles, "attester_class": row.attester_class}
    append_audit_entry(
        session, org_id=row.id, kind="organization.created", subject_id=row.id, record=record, recorded_at=now
    )
    return row


async def get_organization(session: AsyncSession, org_id: str) -> Organization:
    """Return one organisation by id.

    Raises:
        NotFoundError: None has it.
    """
    row = await session.get(Organization, org_id)
    if row is None:
        raise NotFoundError
    return row


async def find_organization(session: AsyncSession, slug: str) -> Organization | None:
    """Return one organisation by slug."""
    return (await session.exec(select(Organization).where(Organization.slug == slug))).first()


async def list_organizations(session: AsyncSession, *, after: str | None, limit: int) -> Sequence[Organization]:
    """Return organisations by id, ``limit + 1`` at most."""
    query = select(Organization).order_by(col(Organization.id)).limit(limit + 1)
    if after is not None:
        query = query.where(col(Organization.id) > after)
    return (await session.exec(query)).all()


def describe_organization(row: Organization, base_url: str) -> dict[str, object]:
    """Return the public description of an organisation."""
    described: dict[str, object] = {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "roles": row.roles,
        "did": row.did,
        "attester_class": row.attester_class,
        "attester_register_id": row.attester_register_id,
        "is_transfer_agent": row.is_transfer_agent,
    }
    if "issuer" in row.roles:
        described["credential_issuer"] = f"{base_url}/issuers/{row.slug}"
    return described
