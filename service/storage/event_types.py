"""Types of events, and which scope lets a caller hear of each."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

STANDING_CHANGED = "standing.changed"
CREDENTIAL_EXPIRING, CREDENTIAL_EXPIRED = "credential.expiring", "credential.expired"
_PARTIES = ("issuer", "verifier", "gate")
EVENT_SCOPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "credential.issued": ("issuer",),
        "credential.suspended": ("issuer",),
        "credential.reinstated": ("issuer",),
        "credential.revoked": ("issuer",),
        CREDENTIAL_EXPIRING: ("issuer",),
        CREDENTIAL_EXPIRED: ("issuer",),
        "case.opened": ("issuer",),
        "case.information_requested": ("issuer",),
        "case.evidence_added": ("issuer",),
        "case.reviewed": ("issuer",),
        "case.approved": ("issuer",),
        "case.declined": ("issuer",),
        STANDING_CHANGED: ("verifier",),
        "presentation.verified": ("verifier",),
        "presentation.rejected": ("verifier",),
        "transfer.decided": ("gate",),
        "transfer.settled": ("gate",),
        "transfer.voided": ("gate",),
        "transfer.expired": ("gate",),
        "key.rotated": _PARTIES,
    }
)


def list_visible_types(scopes: Collection[str]) -> frozenset[str]:
    """Return the types that a caller with these scopes hears of."""
    return frozenset(kind for kind, allowed in EVENT_SCOPES.items() if not set(allowed).isdisjoint(scopes))
