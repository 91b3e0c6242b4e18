"""Links that a person pastes or scans: their parameters, each at most once."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from service.wallet.errors import UsageError

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
