"""What a request needs from the process, built once by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from service.fetch import Fetcher
from service.keys import Signer
from service.storage.database import Database


@dataclass(frozen=True, slots=True)
class Context:
    """Shared, immutable; ``clock`` returns the present instant, aware UTC."""

    base_url: str
    database: Database
    signer: Signer
    fetcher: Fetcher
    clock: Callable[[], datetime]


def get_context(request: Request) -> Context:
    """Return the context of the running application."""
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(get_context)]
