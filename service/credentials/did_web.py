"""did:web identifiers and the addresses of their documents. No address is resolved or fetched here."""

import re

from service.errors import MalformedError

_MAX_CHARACTERS = 1024
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label holds a letter and doesn't start with a digit, so that no resolver reads the name as an IP address.
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]){_LABEL}")
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#@%]+)(?P<path>[^?#%]*)")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]+")


class MalformedDidError(MalformedError):
    """An identifier that isn't a DID of the expected method, or has no safe address."""

    code = "malformed"


def did_web_from_url(url: str) -> str:
    """Return the did:web identifier whose document is served under ``url``.

    Args:
        url: ``https://host[:port][/path]``, or http on localhost; the host is a name.

    Raises:
        MalformedDidError: Another scheme, an IP address, user info, a query, a fragment, or an empty, relative or
            percent-encoded path segment.

    Source: did:web method specification, sections 2.1 and 2.5.1.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise MalformedDidError("The URL isn't a plain http or https URL.")
    path = match["path"].removesuffix("/")
    did = "did:web:" + match["authority"].replace(":", "%3A") + path.replace("/", ":")
    # Reading it back checks every part, the scheme included.
    if did_web_url(did) != f"{match['scheme']}://{match['authority']}{path or '/.well-known'}/did.json":
        raise MalformedDidError("The URL has no did:web identifier.")
    return did


def did_web_url(did: str) -> str:
    """Return the URL of a did:web document: https, or http where the host is ``localhost`` or ends in ``.localhost``.

    Raises:
        MalformedDidError: Not a did:web identifier, a host that isn't a lower-case name, a bad port, or an empty,
            relative or percent-encoded path segment.

    Source: did:web method specification, section 2.5.2.
    """
    if not did.startswith("did:web:") or len(did) > _MAX_CHARACTERS:
        raise MalformedDidError("The identifier isn't a did:web.")
    authority, *segments = did.removeprefix("did:web:").split(":")
    host, colon, port = authority.partition("%3A")
    if not _HOST.fullmatch(host):
        raise MalformedDidError("The did:web's host isn't a lower-case host name.")
    if colon and not (_PORT.fullmatch(port) and int(port) <= 65_535):
        raise MalformedDidError("The did:web's port is out of range.")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise MalformedDidError("The did:web's path has an unsafe segment.")
    path = "/".join(segments) or ".well-known"
    return f"{_scheme(host)}://{host}{':' if colon else ''}{port}/{path}/did.json"


def _scheme(host: str) -> str:
    return "http" if host == "localhost" or host.endswith(".localhost") else "https"
