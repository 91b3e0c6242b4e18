"""Events about transfers: for the venue that asked, and for the registrar where that is another organisation. Pure."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from service.storage.outbox import build_event

DECIDED, SETTLED, VOIDED, EXPIRED = "transfer.decided", "transfer.settled", "transfer.voided", "transfer.expired"
_BY_ENDING: Mapping[str, str] = MappingProxyType({"settled": SETTLED, "void": VOIDED, "expired": EXPIRED})


def build_decision_events(
    *, venue_org_id: str, registrar_org_id: str, security_id: str, transfer_id: str, outcome: str, now: datetime
) -> list[dict[str, Any]]:
    """Tell of a decision: its outcome, and no reason, which not everybody may see."""
    data = {"transfer_id": transfer_id, "security_id": security_id, "outcome": outcome}
    return _build(venue_org_id, registrar_org_id, DECIDED, data, now)


def build_ending_events(
    *, venue_org_id: str, registrar_org_id: str, security_id: str, transfer_id: str, state: str, now: datetime
) -> list[dict[str, Any]]:
    """Tell how a reservation ended."""
    data = {"transfer_id": transfer_id, "security_id": security_id, "state": state}
    return _build(venue_org_id, registrar_org_id, _BY_ENDING[state], data, now)


def _build(venue: str, registrar: str, kind: str, data: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    subject = f"transfer/{data['transfer_id']}"
    told = (venue,) if venue == registrar else (venue, registrar)
    return [build_event(org_id=each, kind=kind, data=data, subject=subject, now=now) for each in told]
