"""Events and endpoints as they are read, and the form in which an event is told."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.web.instants import format_instant

PAYLOAD_VERSION = "1"


@dataclass(frozen=True, slots=True)
class EventRow:
    """See ``tables.Event``."""

    org_id: str
    id: str
    sequence: int | None
    kind: str
    subject: str
    data: str
    occurred_at: datetime
    is_test: bool


def describe_event(event: EventRow, version: str = PAYLOAD_VERSION) -> dict[str, Any]:
    """Return an event as it is told, in lists and to endpoints alike.

    Args:
        event: Whose event.
        version: Of the form, as an endpoint was made for.

    Source: Standard Webhooks 1.0.0, "Payload structure".
    """
    told = {
        "id": event.id,
        "type": event.kind,
        "timestamp": format_instant(event.occurred_at),
        "version": version,
        "sequence": event.sequence,
        "data": json.loads(event.data),
    }
    return told | ({"test": True} if event.is_test else {})


def write_payload(event: EventRow, version: str) -> bytes:
    """Return the body that is signed and sent: the same bytes each time."""
    return write_json(describe_event(event, version))


def write_json(document: dict[str, Any]) -> bytes:
    """Return compact JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
