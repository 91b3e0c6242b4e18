"""What the pages' navigation leads to; each entry shows for those who may open it."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.accounts.accounts import ADMIN, APPROVER, AUDITOR, OFFICER, ROLES
from service.console.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation and on the home page.

    Attributes:
        key: Its texts are ``navigation.<key>`` and ``navigation.<key>.about``.
        org_role: Role that the organisation needs; None for every organisation.
        roles: Of which the account needs one.
    """

    address: str
    key: str
    org_role: str | None
    roles: frozenset[str]


_ALL, _STAFF = frozenset(ROLES), frozenset({OFFICER, APPROVER, AUDITOR})
_PLATFORM = "platform"
ENTRIES: Sequence[Entry] = (
    Entry("/console/decisions", "decisions", _PLATFORM, _ALL),
    Entry("/console/what-if", "what_if", _PLATFORM, _ALL),
    Entry("/console/investors", "investors", _PLATFORM, _ALL),
    Entry("/console/securities", "securities", _PLATFORM, _ALL),
    Entry("/console/trusted-issuers", "trusted_issuers", _PLATFORM, _ALL),
    Entry("/console/log", "log", _PLATFORM, _ALL),
    Entry("/console/webhooks", "webhooks", _PLATFORM, _ALL),
    Entry("/console/clients", "clients", _PLATFORM, frozenset({ADMIN})),
    Entry("/console/cases", "cases", "issuer", _STAFF),
    Entry("/console/grants", "grants", "issuer", frozenset({OFFICER})),
    Entry("/console/credentials", "credentials", "issuer", _STAFF),
    Entry("/console/calendar", "calendar", "issuer", _STAFF),
    Entry("/console/accesses", "accesses", "issuer", frozenset({AUDITOR, ADMIN})),
    Entry("/console/accounts", "accounts", None, frozenset({ADMIN})),
)


def list_entries(viewer: Viewer) -> list[Entry]:
    """Return what this person can open, in order."""
    return [
        entry
        for entry in ENTRIES
        if (entry.org_role is None or entry.org_role in viewer.org_roles) and not entry.roles.isdisjoint(viewer.roles)
    ]
