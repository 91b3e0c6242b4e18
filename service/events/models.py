"""Bodies and answers of ``/v1/events`` and the webhook endpoints."""

from typing import Annotated, Any, Literal

from pydantic import Field

from service.web.models import AnswerModel, StrictModel, TextIfAny

Url = Annotated[str, Field(min_length=1, max_length=2000)]
Types = Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=64)]
Description = Annotated[str, Field(max_length=500)]
DeliveryState = Literal["pending", "delivered", "dead"]


class NewEndpointBody(StrictModel):
    """An address that is to get events; without `types`, all those that the token's scopes cover."""

    url: Url
    types: Types | None = None
    description: Description | None = None


class EndpointChangeBody(StrictModel):
    """What is to change; what is left out stays. An endpoint that is enabled again is challenged again."""

    types: Types | None = None
    description: Description | None = None
    disabled: bool | None = None


class TestBody(StrictModel):
    """The type of the example to send; without it, the first of the endpoint's types."""

    type: Annotated[str | None, Field(max_length=64)] = None


class EventAnswer(AnswerModel):
    """An event, as endpoints get it too."""

    id: str
    type: str
    timestamp: str
    version: str
    sequence: int | None
    data: dict[str, Any]


class EndpointAnswer(AnswerModel):
    """A webhook endpoint. `failing` says that nothing has arrived for an hour or longer."""

    id: str
    url: str
    description: str | None
    types: list[str]
    version: str
    state: Literal["pending", "active", "disabled"]
    disabled_because: Literal["owner", "gone", "failing"] | None
    failing: bool
    failing_since: str | None
    old_secret_until: str | None
    created_at: str
    updated_at: str


class EndpointWithSecretAnswer(EndpointAnswer):
    """A webhook endpoint with its secret, which is shown this once."""

    secret: TextIfAny


class DeliveryAnswer(AnswerModel):
    """One event on its way to one endpoint."""

    id: str
    endpoint_id: str
    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    next_attempt_at: str | None
    last_attempt_at: str | None
    last_status: int | None
    last_error: str | None
    delivered_at: str | None
    created_at: str
