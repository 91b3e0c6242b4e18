"""What wallets report about the credentials they were given.

Source: OpenID4VCI 1.0, section 11.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.jose import MalformedJoseError, parse_json
from service.errors import ProtocolError
from service.issuer.identity import Issuer
from service.issuer.tokens import PresentedToken, find_token
from service.storage.audit import append_audit_entry
from service.storage.tables import Credential, IssuanceNotification

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


async def record_notification(
    session: AsyncSession, issuer: Issuer, notification: Notification, *, token: PresentedToken, now: datetime
) -> None:
    """Keep the newest report; an identical one changes nothing.

    Raises:
        ProtocolError: ``invalid_token`` (401), or ``invalid_notification_id``: not given out for this access token.
    """
    access = await find_token(session, issuer.org_id, token, now=now)
    key = (issuer.org_id, notification.notification_id)
    row = await session.get(IssuanceNotification, key, with_for_update=True)
    # Of the same offer is enough: a credential may have been waited for with one access token after the other.
    if row is None or (await session.get_one(Credential, (row.org_id, row.credential_id))).offer_id != access.offer_id:
        raise ProtocolError("invalid_notification_id", "No such notification_id came with this access token.")
    if (row.event, row.event_description) == (notification.event, notification.description):
        return
    row.event, row.event_description, row.received_at = notification.event, notification.description, now
    session.add(row)
    append_audit_entry(
        session,
        org_id=issuer.org_id,
        kind="issuance.notified",
        subject_id=row.credential_id,
        record={"event": notification.event},
        recorded_at=now,
    )


def _invalid(detail: str) -> ProtocolError:
    return ProtocolError("invalid_notification_request", detail)
