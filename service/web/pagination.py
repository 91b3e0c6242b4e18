"""Lists: ``limit``, ``after``, a ``Link`` header and one envelope."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request, Response

Limit = Annotated[int, Query(ge=1, le=200)]
After = Annotated[str | None, Query(max_length=200)]
DEFAULT_LIMIT = 50


def page_of(
    request: Request, response: Response, items: Sequence[dict[str, Any]], *, limit: int, key: str = "id"
) -> dict[str, Any]:
    """Cut one page out of at most ``limit + 1`` items and name the next one.

    Args:
        items: Sorted by ``key``, fetched with ``LIMIT limit + 1`` and ``key > after``.
        limit: Page size that was asked for.
        key: Member of an item that ``after`` continues from.
    """
    page = list(items[:limit])
    following = str(page[-1][key]) if len(items) > limit else None
    link_next(request, response, following, limit=limit)
    return {"data": page, "next": following}


def link_next(request: Request, response: Response, following: str | None, *, limit: int) -> None:
    """Name the next page in the ``Link`` header, if there is one."""
    if following is not None:
        query = urlencode({**request.query_params, "limit": limit, "after": following})
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
