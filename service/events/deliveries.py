"""What is on its way to endpoints, what arrived, and what is sent again because somebody asks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.events.endpoints import ACTIVE, load_endpoint
from service.events.examples import EXAMPLES
from service.events.numbering import build_delivery
from service.storage.outbox import build_event
from service.storage.tables import Event, WebhookDelivery, WebhookEndpoint

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"


class EndpointInactiveError(ConflictError):
    """The endpoint has not answered its challenge, or is disabled."""

    code = "webhook_endpoint_inactive"


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery as its owner sees it; see ``tables.WebhookDelivery``.

    Attributes:
        due_at: When it is sent next; says nothing unless pending.
    """

    id: str
    endpoint_id: str
    event_id: str
    kind: str
    state: str
    attempts: int
    due_at: datetime
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    created_at: datetime


async def list_deliveries(
    session: AsyncSession,
    org_id: str,
    *,
    visible: Collection[str],
    endpoint_id: str | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[DeliveryView]:
    """List deliveries, the newest first, of types that the caller hears of.

    Args:
        after: Id of a delivery; lists those made before it.
    """
    query = select(WebhookDelivery).where(col(WebhookDelivery.org_id) == org_id, col(WebhookDelivery.kind).in_(visible))
    if endpoint_id is not None:
        query = query.where(col(WebhookDelivery.endpoint_id) == endpoint_id)
    if state is not None:
        query = query.where(col(WebhookDelivery.state) == state)
    if after is not None:
        query = query.where(col(WebhookDelivery.id) < after)
    rows = (await session.exec(query.order_by(col(WebhookDelivery.id).desc()).limit(limit))).all()
    return [_view(row) for row in rows]


async def get_delivery(
    session: AsyncSession, org_id: str, delivery_id: str, *, visible: Collection[str]
) -> DeliveryView:
    """Return one delivery.

    Raises:
        NotFoundError: None of this id, another organisation's, or of a type that the caller does not hear of.
    """
    return _view(await _load(session, org_id, delivery_id, visible))


async def redeliver(
    session: AsyncSession, org_id: str, delivery_id: str, *, visible: Collection[str], now: datetime
) -> DeliveryView:
    """Send a message again from the start of the schedule, with the id that it had, whatever became of it before.

    Raises:
        NotFoundError: See ``get_delivery``.
        EndpointInactiveError: See ``code``.
    """
    row = await _load(session, org_id, delivery_id, visible, lock=True)
    endpoint = await session.get_one(WebhookEndpoint, (org_id, row.endpoint_id))
    _check_active(endpoint)
    row.state, row.attempts, row.due_at = PENDING, 0, now
    row.lease_until = row.delivered_at = None
    session.add(row)
    return _view(row)


async def send_test(
    session: AsyncSession, org_id: str, endpoint_id: str, kind: str | None, *, visible: Collection[str], now: datetime
) -> DeliveryView:
    """Send an example to one endpoint, marked as a test; it is no event that is listed anywhere.

    Args:
        kind: Its type; None for the first of the endpoint's.

    Raises:
        NotFoundError: No such endpoint, or the type is none that it gets.
        EndpointInactiveError: See ``code``.
    """
    endpoint = await load_endpoint(session, org_id, endpoint_id, visible=visible)
    _check_active(endpoint)
    kind = kind or endpoint.types[0]
    if kind not in endpoint.types:
        raise NotFoundError("The endpoint gets no events of this type.")
    event = build_event(org_id=org_id, kind=kind, data=EXAMPLES[kind], subject="", now=now)
    event |= {"is_test": True, "subject": f"test/{event['id']}"}
    session.add(Event(**event))
    row = WebhookDelivery(**build_delivery(org_id, endpoint_id, event["id"], kind, event["subject"], 0, now))
    session.add(row)
    return _view(row)


def _check_active(endpoint: WebhookEndpoint) -> None:
    if endpoint.state != ACTIVE:
        raise EndpointInactiveError("The endpoint has not answered its challenge, or is disabled.")


async def _load(
    session: AsyncSession, org_id: str, delivery_id: str, visible: Collection[str], *, lock: bool = False
) -> WebhookDelivery:
    query = select(WebhookDelivery).where(
        WebhookDelivery.org_id == org_id, WebhookDelivery.id == delivery_id, col(WebhookDelivery.kind).in_(visible)
    )
    row = (await session.exec(query.with_for_update() if lock else query)).first()
    if row is None:
        raise NotFoundError
    return row


_VIEWED: Sequence[str] = [each.name for each in fields(DeliveryView)]


def _view(row: WebhookDelivery) -> DeliveryView:
    return DeliveryView(**{name: getattr(row, name) for name in _VIEWED})
