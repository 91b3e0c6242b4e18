"""How endpoints reach the context; apart from it, so that commands and use cases do without FastAPI."""

from typing import Annotated

from fastapi import Depends, Request

from service.web.context import Context


def get_context(request: Request) -> Context:
    """Return the context of the running application."""
    context: Context = request.app.state.context
    return context


async def provide_context(request: Request) -> Context:
    """Return it without a thread, in which FastAPI would call a plain function."""
    return get_context(request)


ContextDep = Annotated[Context, Depends(provide_context)]
