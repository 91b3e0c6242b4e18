"""What the wallet does with answers from the network: strict JSON, no redirects, errors that are safe to show."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from service.credentials.jose import MalformedJoseError, parse_json
from service.fetch import Fetched, Fetcher
from service.wallet.errors import RefusedError, RejectedError
from service.wallet.text import clean_text

MAX_DOCUMENT_BYTES = 256 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
"""A batch of credentials is larger than any metadata."""


def split_address(url: str, subject: str) -> SplitResult:
    """Split an absolute web address that another side named.

    Raises:
        RejectedError: Not http or https, no host, user information before the host (which would hide it), or
            characters that no address has.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("https", "http") and parts.hostname and parts.username is None
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise RejectedError(f"{subject} isn't a web address.")
    return parts


def insert_well_known(identifier: str, name: str) -> str:
    """Return the address of metadata ``name``: the well-known segment goes between host and path.

    Raises:
        RejectedError: ``identifier`` is no web address.

    Source: OpenID4VCI 1.0, section 12.2.2; RFC 8414, section 3.1; SD-JWT VC, section "JWT VC Issuer Metadata".
    """
    parts = split_address(identifier, "The identifier")
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path.removesuffix('/')}"


async def get_json(fetcher: Fetcher, url: str, *, subject: str) -> dict[str, Any]:
    """Fetch a JSON object.

    Raises:
        FetchError: No answer, or too large.
        RefusedError: Another status than 200, a redirect included.
        RejectedError: No strict JSON object.
    """
    fetched = await fetcher.get(url, max_bytes=MAX_DOCUMENT_BYTES)
    if fetched.status != 200:
        raise refused(fetched, subject)
    return read_object(fetched.body, subject)


async def post_json(
    fetcher: Fetcher, url: str, body: Mapping[str, Any], *, token: str, max_bytes: int = MAX_ANSWER_BYTES
) -> Fetched:
    """Send JSON with a bearer token; the answer may have any status."""
    headers = {"Authorization": f"Bearer {token}"}
    return await fetcher.post(url, json=dict(body), headers=headers, max_bytes=max_bytes)


def read_object(body: bytes, subject: str) -> dict[str, Any]:
    """Read a strict JSON object; raises RejectedError."""
    try:
        value = parse_json(body, max_bytes=MAX_ANSWER_BYTES)
    except MalformedJoseError as error:
        raise RejectedError(f"{subject} isn't JSON: {error.detail}") from error
    if not isinstance(value, dict):
        raise RejectedError(f"{subject} isn't a JSON object.")
    return value


def refused(fetched: Fetched, subject: str) -> RefusedError:
    """Describe an answer that isn't the hoped-for one, with the protocol's error code if it has one."""
    error, description = read_error(fetched)
    return RefusedError(f"{subject}: refused with {error}{f' ({description})' if description else ''}.", error=error)


def read_error(fetched: Fetched) -> tuple[str, str]:
    """Return ``error`` (else ``http_<status>``) and ``error_description`` of an answer, cleaned for display."""
    try:
        body = parse_json(fetched.body)
    except MalformedJoseError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return f"http_{fetched.status}", ""
    return clean_text(body["error"], limit=80), clean_text(body.get("error_description"), limit=200)


def text_member(source: Mapping[str, Any], name: str, subject: str) -> str:
    """Return a member that must be a non-empty text; raises RejectedError."""
    value = source.get(name)
    if not isinstance(value, str) or not value:
        raise RejectedError(f"{subject} has no {name}.")
    return value


def optional_text(source: Mapping[str, Any], name: str, subject: str) -> str | None:
    """Return a member that may be absent, else must be a non-empty text; raises RejectedError."""
    return text_member(source, name, subject) if name in source else None
