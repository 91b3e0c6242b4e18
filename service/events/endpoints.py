"""Where organisations want their events sent: made, changed, given new secrets, deleted."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import delete, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.webhook import format_secret
from service.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from service.events.records import PAYLOAD_VERSION
from service.fetch import FetchBlockedError, Fetcher
from service.keys import Signer
from service.storage.event_types import EVENT_SCOPES
from service.storage.ids import new_id
from service.storage.tables import Event, WebhookDelivery, WebhookEndpoint

PENDING, ACTIVE, DISABLED = "pending", "active", "disabled"
MAX_ENDPOINTS = 20
SECRET_OVERLAP = timedelta(hours=24)
FAILING_AFTER = timedelta(hours=1)
DISABLED_AFTER = timedelta(days=5)
_SECRET_BYTES = 32
_MOST_OLD_SECRETS = 3  # each signs every message, and headers have to stay short
_SEAL = "webhook.secret"


class WebhookUrlError(InvalidInputError):
    """Nothing is ever sent to this address: it is not https, or malformed."""

    code = "webhook_url_invalid"


class EventTypeError(InvalidInputError):
    """There is no event of this type."""

    code = "event_type_unknown"


class EventTypeForbiddenError(ForbiddenError):
    """The caller's scopes do not let it hear of this type."""

    code = "event_type_forbidden"


class TooManyEndpointsError(ConflictError):
    """The organisation has as many webhook endpoints as it may have."""

    code = "webhook_endpoints_full"


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as its owner sees it.

    Attributes:
        is_failing: Nothing could be delivered for an hour or longer, although it was tried.
        disabled_because: ``owner``, ``gone`` after a 410, or ``failing`` after five days of nothing but failures; None
            unless disabled.
        old_secret_until: Until when the secret before signs too; None if there is none.
    """

    id: str
    url: str
    description: str | None
    types: Sequence[str]
    version: str
    state: str
    disabled_because: str | None
    is_failing: bool
    failing_since: datetime | None
    old_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """What is needed to make an endpoint; without ``types`` it gets all that its maker hears of."""

    url: str
    types: Sequence[str] | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What to change; None leaves a thing as it is."""

    types: Sequence[str] | None = None
    description: str | None = None
    disabled: bool | None = None


async def create_endpoint(
    session: AsyncSession,
    signer: Signer,
    fetcher: Fetcher,
    org_id: str,
    new: NewEndpoint,
    *,
    visible: Collection[str],
    now: datetime,
) -> tuple[EndpointView, str]:
    """Make an endpoint, which is challenged soon after and active once it answers.

    Args:
        visible: Types that the maker hears of.

    Returns:
        The endpoint, and its secret, which is not shown again.

    Raises:
        WebhookUrlError, EventTypeError, EventTypeForbiddenError, TooManyEndpointsError: See ``code``.
    """
    _check_url(fetcher, new.url)
    types = _check_types(sorted(visible) if new.types is None else new.types, visible)
    await _check_room(session, org_id)
    key = secrets.token_bytes(_SECRET_BYTES)
    row = WebhookEndpoint(
        org_id=org_id,
        id=new_id("whe"),
        url=new.url,
        description=new.description,
        types=types,
        version=PAYLOAD_VERSION,
        sealed_secret=signer.seal(key, purpose=_SEAL),
        challenge_due_at=now,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    return view_endpoint(row, now), format_secret(key)


def _check_url(fetcher: Fetcher, url: str) -> None:
    try:
        fetcher.check_address(url)
        has_fragment = "#" in url or not urlsplit(url).hostname
    except FetchBlockedError:
        has_fragment = True
    if has_fragment:
        raise WebhookUrlError("url must be an https address without user name or fragment.")


def _check_types(types: Sequence[str], visible: Collection[str]) -> list[str]:
    unknown = [{"path": "/body/types", "detail": "no event type"} for each in types if each not in EVENT_SCOPES]
    if unknown or not types:
        raise EventTypeError("types must name event types.", errors=unknown)
    if not set(types) <= set(visible):
        raise EventTypeForbiddenError("The scopes of this token do not cover all of these types.")
    return sorted(set(types))


async def _check_room(session: AsyncSession, org_id: str) -> None:
    query = select(func.count()).select_from(WebhookEndpoint).where(col(WebhookEndpoint.org_id) == org_id)
    if (await session.exec(query)).one() >= MAX_ENDPOINTS:
        raise TooManyEndpointsError(f"An organisation may have {MAX_ENDPOINTS} webhook endpoints.")


async def list_endpoints(
    session: AsyncSession, org_id: str, *, visible: Collection[str], now: datetime
) -> list[EndpointView]:
    """List the endpoints all of whose types the caller hears of, in the order in which they were made."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.org_id == org_id).order_by(col(WebhookEndpoint.id))
    rows = (await session.exec(query)).all()
    return [view_endpoint(row, now) for row in rows if set(row.types) <= set(visible)]


async def load_endpoint(
    session: AsyncSession, org_id: str, endpoint_id: str, *, visible: Collection[str], lock: bool = False
) -> WebhookEndpoint:
    """Return an endpoint's row.

    Raises:
        NotFoundError: None of this id, another organisation's, or one with types that the caller does not hear of.
    """
    query = select(WebhookEndpoint).where(WebhookEndpoint.org_id == org_id, WebhookEndpoint.id == endpoint_id)
    row = (await session.exec(query.with_for_update() if lock else query)).first()
    if row is None or not set(row.types) <= set(visible):
        raise NotFoundError
    return row


async def change_endpoint(
    session: AsyncSession,
    org_id: str,
    endpoint_id: str,
    change: EndpointChange,
    *,
    visible: Collection[str],
    now: datetime,
) -> EndpointView:
    """Change an endpoint. One that is enabled again has to answer a challenge again.

    Raises:
        NotFoundError: See ``load_endpoint``.
        EventTypeError, EventTypeForbiddenError: See ``code``.
    """
    row = await load_endpoint(session, org_id, endpoint_id, visible=visible, lock=True)
    if change.types is not None:
        row.types = _check_types(change.types, visible)
    if change.description is not None:
        row.description = change.description or None
    if change.disabled is True and row.state != DISABLED:
        row.state, row.disabled_because, row.challenge_due_at = DISABLED, "owner", None
    elif change.disabled is False and row.state == DISABLED:
        row.state, row.disabled_because = PENDING, None
        row.failing_since = row.not_before = None
        row.challenge_due_at, row.challenges = now, 0
    row.updated_at = now
    session.add(row)
    return view_endpoint(row, now)


async def rotate_secret(
    session: AsyncSession, signer: Signer, org_id: str, endpoint_id: str, *, visible: Collection[str], now: datetime
) -> tuple[EndpointView, str]:
    """Make a new secret; those before sign too for a day. Returns the endpoint and the secret.

    Several, because a rotation whose answer was lost is asked for again, while the receiver still has the first.

    Raises:
        NotFoundError: See ``load_endpoint``.
    """
    row = await load_endpoint(session, org_id, endpoint_id, visible=visible, lock=True)
    key = secrets.token_bytes(_SECRET_BYTES)
    old = b"".join(open_secrets(signer, row, now)[:_MOST_OLD_SECRETS])
    row.sealed_old_secret, row.old_secret_until = signer.seal(old, purpose=_SEAL), now + SECRET_OVERLAP
    row.sealed_secret, row.updated_at = signer.seal(key, purpose=_SEAL), now
    session.add(row)
    return view_endpoint(row, now), format_secret(key)


async def delete_endpoint(session: AsyncSession, org_id: str, endpoint_id: str, *, visible: Collection[str]) -> None:
    """Delete an endpoint with what was on its way there.

    Raises:
        NotFoundError: See ``load_endpoint``.
    """
    row = await load_endpoint(session, org_id, endpoint_id, visible=visible)
    theirs = (col(WebhookDelivery.org_id) == org_id, col(WebhookDelivery.endpoint_id) == endpoint_id)
    tests = select(WebhookDelivery.event_id).where(*theirs)
    await session.exec(delete(Event).where(col(Event.org_id) == org_id, col(Event.is_test), col(Event.id).in_(tests)))
    await session.exec(delete(WebhookDelivery).where(*theirs))
    await session.delete(row)


def open_secrets(signer: Signer, row: WebhookEndpoint, now: datetime) -> list[bytes]:
    """Return the keys that sign for an endpoint now, the newest first."""
    keys = [signer.unseal(row.sealed_secret, purpose=_SEAL)]
    if row.sealed_old_secret is not None and row.old_secret_until is not None and now < row.old_secret_until:
        old = signer.unseal(row.sealed_old_secret, purpose=_SEAL)
        keys += [old[start : start + _SECRET_BYTES] for start in range(0, len(old), _SECRET_BYTES)]
    return keys


def view_endpoint(row: WebhookEndpoint, now: datetime) -> EndpointView:
    """Copy what the owner sees."""
    failing = row.failing_since
    has_old = row.old_secret_until is not None and now < row.old_secret_until
    return EndpointView(
        id=row.id,
        url=row.url,
        description=row.description,
        types=row.types,
        version=row.version,
        state=row.state,
        disabled_because=row.disabled_because,
        is_failing=failing is not None and now - failing >= FAILING_AFTER,
        failing_since=failing,
        old_secret_until=row.old_secret_until if has_old else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
