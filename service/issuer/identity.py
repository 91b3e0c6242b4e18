"""Which organisation issues, and the addresses that follow from its slug."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.did import did_web_from_url
from service.errors import NotFoundError
from service.storage.rows import find_row
from service.storage.tables import Organization

ISSUER_ROLE = "issuer"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An organisation in its role as issuer.

    Attributes:
        org_id: Owner of everything that it issues.
        slug: Last segment of its identifier.
        name: For people.
        base_url: Origin of this deployment, without a slash at the end.
        attester_class: What it may attest as, or None.
        attester_register_id: Its entry in a public register, or None.
    """

    org_id: str
    slug: str
    name: str
    base_url: str
    attester_class: str | None
    attester_register_id: str | None

    @property
    def identifier(self) -> str:
        """Credential Issuer Identifier, and ``iss`` of its credentials."""
        return f"{self.base_url}/issuers/{self.slug}"

    @property
    def did(self) -> str:
        """The did:web of the same address: issuer of its credentials of the W3C data model."""
        return did_web_from_url(self.identifier)

    def status_list_uri(self, list_id: str) -> str:
        """Address of a status list token; what credentials name as ``status.status_list.uri``."""
        return f"{self.identifier}/status-lists/{list_id}"


@dataclass(frozen=True, slots=True)
class _Organization:
    """See ``tables.Organization``."""

    id: str
    slug: str
    name: str
    roles: list[str]
    attester_class: str | None
    attester_register_id: str | None


async def find_issuer(connection: AsyncConnection, *, base_url: str, slug: str) -> Issuer:
    """Return the issuer with this slug.

    Raises:
        NotFoundError: No such organisation, or it does not issue.
    """
    return _as_issuer(await find_row(connection, _Organization, Organization, {"slug": slug}), base_url)


async def get_issuer(connection: AsyncConnection, *, base_url: str, org_id: str) -> Issuer:
    """Return the organisation as an issuer; errors as ``find_issuer``."""
    return _as_issuer(await find_row(connection, _Organization, Organization, {"id": org_id}), base_url)


def _as_issuer(row: _Organization | None, base_url: str) -> Issuer:
    if row is None or ISSUER_ROLE not in row.roles:
        raise NotFoundError
    return Issuer(row.id, row.slug, row.name, base_url, row.attester_class, row.attester_register_id)
