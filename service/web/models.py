"""Base of every /v1 body."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Unknown members and wrong JSON types are errors; nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
