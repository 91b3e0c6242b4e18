"""A receiver of webhooks on a loopback port, and the courier that sends to it when a test says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook
from starlette.responses import JSONResponse, Response

from service.events.courier import Courier
from service.storage.tables import WebhookEndpoint
from tests.deployment import Deployment, Member
from tests.loopback import Party, Received, serving


@dataclass
class Receiver:
    """Answers challenges, and messages with ``answer``: a status, or a response."""

    party: Party = field(default_factory=Party)
    base_url: str = ""
    answer: Any = 204

    @property
    def url(self) -> str:
        return f"{self.base_url}/hook"

    @property
    def address(self) -> str:
        return self.base_url.removeprefix("http://")

    def take(self, request: Received) -> Response:
        if request.json["type"] == "webhook.challenge":
            return JSONResponse({"challenge": request.json["data"]["challenge"]})
        answer = self.answer
        answer = answer(request) if callable(answer) and not isinstance(answer, Response) else answer
        return Response(status_code=answer) if isinstance(answer, int) else answer

    @property
    def messages(self) -> list[Received]:
        """Every message but challenges, in the order in which they came."""
        return [each for each in self.party.requests_to("/hook") if each.json["type"] != "webhook.challenge"]

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.messages]

    def verify(self, secret: str, request: Received) -> Any:
        """Verify with the independent library, which checks the time by its own clock."""
        return Webhook(secret).verify(request.body, request.headers)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.party.routes["/hook"] = receiver.take
    with serving(lambda _base_url: receiver.party) as base_url:
        receiver.base_url = base_url
        yield receiver


def let_call(deployment: Deployment, *receivers: Receiver) -> None:
    """Exempt the receivers from the guard, as the setting does."""
    fetcher = deployment.context.fetcher
    allowed = fetcher._allow | {each.address for each in receivers}
    fetcher._allow = frozenset(allowed)


@dataclass
class Hooks:
    """One organisation's side of /v1, and a courier that moves when told."""

    deployment: Deployment
    member: Member
    scopes: tuple[str, ...]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        access = await self.deployment.headers(self.member, *self.scopes)
        return await self.deployment.http.request(method, path, json=body, headers=access | headers)

    async def read(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def make(self, receiver: Receiver, **more: Any) -> dict[str, Any]:
        """Make an endpoint that has answered its challenge."""
        answer = await self.call("POST", "/v1/webhook-endpoints", {"url": receiver.url, **more})
        assert answer.status_code == 201, answer.text
        await self.advance()
        made: dict[str, Any] = answer.json()
        assert (await self.read(f"/v1/webhook-endpoints/{made['id']}"))["state"] == "active"
        return made

    async def advance(self) -> None:
        """Let a courier do everything that there is to do now."""
        courier = Courier(self.deployment.context)
        idle = 0
        while idle < 2:  # a challenge that is answered makes more to do
            idle = 0 if await courier.advance() else idle + 1
            await courier.finish()

    async def events(self, after: int = 0, types: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            more = f"&types={types}" if types else ""
            page = await self.read(f"/v1/events?after={after}&limit=50{more}")
            found += page["data"]
            if page["next"] is None:
                return found
            after = int(page["next"])

    async def deliveries(self, **wanted: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        found: list[dict[str, Any]] = (await self.read(f"/v1/webhook-deliveries?limit=200&{query}"))["data"]
        return found


async def furnish_webhooks(hooks: Hooks) -> dict[str, str]:
    """Make an event, an endpoint at an address that is never called, and a delivery; returns their ids."""
    made = await hooks.call("POST", "/v1/webhook-endpoints", {"url": "https://looks-public.invalid/hook"})
    endpoint_id: str = made.json()["id"]
    async with hooks.deployment.context.database.transaction() as session:
        row = await session.get_one(WebhookEndpoint, (hooks.member.org_id, endpoint_id))
        row.state, row.active_since = "active", hooks.deployment.clock()
        session.add(row)
    sent = await hooks.call("POST", f"/v1/webhook-endpoints/{endpoint_id}/test", {})
    event, *_ = await hooks.events()
    return {"endpoint_id": endpoint_id, "delivery_id": sent.json()["id"], "event_id": event["id"]}
