"""The people of the demo organisations, one for each role that has work there, and links to sign in as each."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.accounts import APPROVER, COMPLIANCE, ROLES, ensure_account
from service.accounts.sign_in_links import make_sign_in_link
from service.storage.tables import Account, Organization
from service.web.context import Context

ACTOR = "command line"
LINKS_LIVE = timedelta(days=1)
_IDLE = {"issuer": COMPLIANCE, "platform": APPROVER}
"""Role that has nothing to do at an organisation of a kind: cases are an issuer's, screenings a platform's."""


def list_working_roles(organization: Organization) -> Sequence[str]:
    """Return the roles that open something or may do something at an organisation."""
    idle = set.intersection(*({_IDLE.get(kind, "")} for kind in organization.roles))
    return [role for role in ROLES if role not in idle]


async def ensure_people(session: AsyncSession, context: Context, organization: Organization) -> dict[str, Account]:
    """Return the organisation's account for each role that has work there, made if need be."""
    now = context.clock()
    return {
        role: await ensure_account(
            session, org_id=organization.id, name=f"Demo {role}", roles=[role], actor=ACTOR, now=now
        )
        for role in list_working_roles(organization)
    }


async def make_links(
    session: AsyncSession, context: Context, organizations: Mapping[str, Organization]
) -> dict[str, dict[str, str]]:
    """Make a new sign-in link for each person: by name of the organisation, then by role."""
    made: dict[str, dict[str, str]] = {}
    for organization in organizations.values():
        people = await ensure_people(session, context, organization)
        await session.flush()
        made[organization.name] = {
            role: make_sign_in_link(
                session, account, base_url=context.base_url, actor=ACTOR, now=context.clock(), lifetime=LINKS_LIVE
            )
            for role, account in people.items()
        }
    return made
