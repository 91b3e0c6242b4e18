"""Events that time brings about, written ahead with what they are about."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from service.storage.core import Change, plan_upserts
from service.storage.event_types import CREDENTIAL_EXPIRED, CREDENTIAL_EXPIRING, STANDING_CHANGED
from service.storage.outbox import write_data
from service.storage.subject_keys import name_investor
from service.storage.tables import DueEvent

LONGEST_NOTICE = timedelta(days=30)


def compute_notice(issued_at: datetime, expires_at: datetime) -> datetime:
    """Return when to say that a credential expires soon: after three quarters of its life, at most 30 days ahead."""
    return expires_at - min(LONGEST_NOTICE, (expires_at - issued_at) / 4)


def plan_credential_expiry(
    *, org_id: str, credential_id: str, configuration_id: str, issued_at: datetime, expires_at: datetime
) -> list[dict[str, Any]]:
    """Build what an issuer is to hear of a credential's expiry, as rows of ``DueEvent``."""
    data = {
        "credential_id": credential_id,
        "credential_configuration_id": configuration_id,
        "expires_at": expires_at.isoformat().replace("+00:00", "Z"),
    }
    due = {CREDENTIAL_EXPIRING: compute_notice(issued_at, expires_at), CREDENTIAL_EXPIRED: expires_at}
    return [
        {
            "org_id": org_id,
            "object_id": credential_id,
            "kind": kind,
            "subject": f"credential/{credential_id}",
            "data": write_data(data),
            "due_at": due_at,
        }
        for kind, due_at in due.items()
    ]


def plan_standing_expiry(
    *, org_id: str, standing_id: str, investor_ref: str, credential_type: str, expires_at: datetime
) -> list[dict[str, Any]]:
    """Build what a platform is to hear when a credential in a standing expires, as rows of ``DueEvent``."""
    data = {"investor_ref": investor_ref, "cause": "expired", "credential_type": credential_type}
    row = {
        "org_id": org_id,
        "object_id": standing_id,
        "kind": STANDING_CHANGED,
        "subject": name_investor(investor_ref),
        "data": write_data(data),
        "due_at": expires_at,
    }
    return [row]


def plan_due_events(rows: Sequence[dict[str, Any]], dialect: str) -> Change:
    """Write ahead, in place of what was written for the same before; see ``plan_upserts``."""
    return plan_upserts(DueEvent, rows, dialect)
