"""How endpoints reach the context; apart from it, so that commands and use cases do without FastAPI."""

from typing import Annotated

from fastapi import Depends, Request

from service.web.context import Context


def get_context(request: Request) -> Context:
    """Return the context of the running application."""
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(get_context)]
