"""What wallets report about the credentials they were given.

Source: OpenID4VCI 1.0, section 11.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.jose import MalformedJoseError, parse_json
from service.errors import ProtocolError
from service.issuer.credential_rows import find_grant
from service.issuer.identity import Issuer
from service.issuer.tokens import PresentedToken, find_token
from service.storage.audit import write_audit_entry
from service.storage.core import update_rows
from service.storage.rows import find_row
from service.storage.tables import IssuanceNotification

EVENTS = ("credential_accepted", "credential_failure", "credential_deleted")
_DESCRIPTION = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{0,500}")


@dataclass(frozen=True, slots=True)
class Notification:
    """One report of a wallet."""

    notification_id: str
    event: str
    description: str | None


def read_notification(body: bytes) -> Notification:
    """Parse the body; members that we do not know are ignored.

    Raises:
        ProtocolError: ``invalid_notification_request``.
    """
    try:
        raw = parse_json(body)
    except MalformedJoseError:
        raw = None
    if not isinstance(raw, dict):
        raise _invalid("The body is not a JSON object.")
    notification_id, event, description = (raw.get(name) for name in ("notification_id", "event", "event_description"))
    if not isinstance(notification_id, str):
        raise _invalid("The parameter notification_id is missing or not a string.")
    if event not in EVENTS:
        raise _invalid("The parameter event is missing or unknown.")
    if description is not None and not (isinstance(description, str) and _DESCRIPTION.fullmatch(description)):
        raise _invalid("The parameter event_description is too long or holds other characters than allowed.")
    return Notification(notification_id, event, description)


@dataclass(frozen=True, slots=True)
class _Row:
    """See ``tables.IssuanceNotification``."""

    credential_id: str
    event: str | None
    event_description: str | None


async def record_notification(
    connection: AsyncConnection, issuer: Issuer, notification: Notification, *, token: PresentedToken, now: datetime
) -> None:
    """Keep the newest report; an identical one changes nothing.

    Raises:
        ProtocolError: ``invalid_token`` (401), or ``invalid_notification_id``: not given out for this access token.
    """
    access = await find_token(connection, issuer.org_id, token, now=now)
    key = {"org_id": issuer.org_id, "notification_id": notification.notification_id}
    row = await find_row(connection, _Row, IssuanceNotification, key, lock=True)
    # Of the same offer is enough: a credential may have been waited for with one access token after the other.
    grant = None if row is None else await find_grant(connection, org_id=issuer.org_id, id=row.credential_id)
    if row is None or grant is None or grant.offer_id != access.offer_id:
        raise ProtocolError("invalid_notification_id", "No such notification_id came with this access token.")
    if (row.event, row.event_description) == (notification.event, notification.description):
        return
    report = {"event": notification.event, "event_description": notification.description, "received_at": now}
    await update_rows(connection, IssuanceNotification, [key | report])
    await write_audit_entry(
        connection,
        org_id=issuer.org_id,
        kind="issuance.notified",
        subject_id=row.credential_id,
        record={"event": notification.event},
        recorded_at=now,
    )


def _invalid(detail: str) -> ProtocolError:
    return ProtocolError("invalid_notification_request", detail)
