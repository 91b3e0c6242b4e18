"""Lists in pages: how long one is, and the link to the next."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request

LENGTH = 50
After = Annotated[str, Query(max_length=200)]
_Item = TypeVar("_Item")


def next_address(request: Request, after: str | int | None, *, name: str = "after") -> str | None:
    """Return the address of this list from behind ``after`` on; None if it ended."""
    if after is None:
        return None
    query = {key: value for key, value in request.query_params.items() if value and key != name}
    return f"{request.url.path}?{urlencode(query | {name: after})}"


def cut_page(items: Sequence[_Item], name: Callable[[_Item], str | int]) -> tuple[Sequence[_Item], str | int | None]:
    """Return one page of at most ``LENGTH + 1`` items, and the name of its last one if there are more."""
    page = items[:LENGTH]
    return page, name(page[-1]) if len(items) > LENGTH else None
