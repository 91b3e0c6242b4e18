"""Links that a person pastes or scans: deep links, web links with the same parameters, and pages that hold one."""

import html
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from service.fetch import Fetched, Fetcher
from service.wallet.errors import UsageError
from service.wallet.http import MAX_DOCUMENT_BYTES

MAX_LINK_CHARACTERS = 65_536


def read_link(text: str, *, schemes: tuple[str, ...]) -> Mapping[str, str]:
    """Return the query parameters of a link; empty if it has none.

    Args:
        text: A deep link of one of ``schemes``, or a web link.
        schemes: Deep-link schemes that are accepted beside https (and http, which only localhost may use).

    Raises:
        UsageError: Another kind of text, too long, or a parameter that comes twice.
    """
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise UsageError("The link can't be read.") from None
    if parts.scheme not in (*schemes, "https", "http") or len(text) > MAX_LINK_CHARACTERS:
        raise UsageError(f"The link must begin with {schemes[0]}: or https:.")
    if len(dict(pairs)) != len(pairs):
        raise UsageError("The link repeats a parameter.")
    return dict(pairs)


async def fetch_page(url: str, *, accept: str, fetcher: Fetcher) -> Fetched:
    """Fetch what a web link points to, a page included; raises FetchError."""
    return await fetcher.get(url, accept=f"{accept}, text/html;q=0.5", max_bytes=MAX_DOCUMENT_BYTES)


def find_deep_link(page: Fetched, *, schemes: tuple[str, ...]) -> str | None:
    """Return the one deep link in a web page; ``None`` if the answer is no page, or holds none or several."""
    if page.status != 200 or not page.headers.get("content-type", "").startswith("text/html"):
        return None
    text = html.unescape(page.body.decode("utf-8", "replace"))
    pattern = rf"(?:{'|'.join(map(re.escape, schemes))})://[^\s\"'<>]+"
    found = set(re.findall(pattern, text))
    return found.pop() if len(found) == 1 else None
