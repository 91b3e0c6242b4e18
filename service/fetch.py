"""The only outbound HTTP of the service.

Every request resolves its host once, checks each address against deny lists by prefix, and connects to the checked
address, so a name that changes its mind between check and connect gains nothing. No redirects, small answers,
short waits.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx2

from service.errors import UnavailableError

MAX_BYTES = 64 * 1024
TIMEOUT_S = 3.0

# ``ipaddress.is_global`` calls NAT64, 6to4, IPv4-compatible and multicast addresses global, so we list what is not.
_DENIED_V4 = [
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
]
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # all that was ever handed out; the rest maps, translates or is local
_DENIED_V6 = [ipaddress.IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


class FetchError(UnavailableError):
    """The other side could not be reached, was too slow, or answered too much or with an error."""

    code = "fetch_failed"


class FetchBlockedError(FetchError):
    """The address is one that we never call: private, loopback, link-local, or not https."""

    code = "fetch_blocked"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: HTTP status, lower-case header names, body of at most the allowed size."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_public_address(address: str) -> bool:
    """Tell whether an IP address may be called at all."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in block for block in _DENIED_V4)
    return ip in _GLOBAL_V6 and not any(ip in block for block in _DENIED_V6)


def _is_loopback_address(address: str) -> bool:
    return ipaddress.ip_address(address.split("%")[0]).is_loopback


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _may_be_public(host: str) -> bool:
    """Tell whether a host is a name, or an address that may be called."""
    try:
        return is_public_address(socket.inet_ntoa(socket.inet_aton(host)))  # as resolvers read it: 127.1, 0x7f000001
    except OSError:
        pass
    try:
        return is_public_address(host)
    except ValueError:
        return True


def _split(url: str) -> tuple[SplitResult, str, int]:
    """Return the parts of a URL that we would fetch, its host and its port."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError):
        raise FetchBlockedError("Only plain https addresses are fetched.") from None
    host = parts.hostname or ""
    # Names in other scripts come as punycode; resolvers read look-alikes of digits and dots as addresses.
    if not host or not url.isascii() or parts.username is not None:
        raise FetchBlockedError("Only plain https addresses are fetched.")
    return parts, host, port


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise FetchError("The host name could not be resolved.") from None
    addresses = [str(entry[4][0]) for entry in found]
    return sorted(addresses, key=lambda address: ":" in address)  # a local server often listens on IPv4 only


class Fetcher:
    """Outbound requests with the guard.

    Args:
        allow: ``host:port`` pairs that are exempt from the address and https rules.
        allow_loopback: Exempt ``localhost`` and ``*.localhost`` too, where they are loopback addresses; for a wallet
            on its owner's machine.
        timeout: Seconds that connecting and each read may take; a whole request may take twice as long.
    """

    def __init__(
        self, allow: Collection[str] = (), *, allow_loopback: bool = False, timeout: float = TIMEOUT_S
    ) -> None:
        self._allow = frozenset(allow)
        self._allow_loopback = allow_loopback
        self._timeout = timeout

    @cached_property
    def _client(self) -> httpx2.AsyncClient:
        """Made at the first request: most commands make none, and loading the trusted roots takes a while."""
        # A kept connection is found again by its address, so with TLS it could serve a host whose certificate was
        # never checked. Cookies would go by the address too.
        tls = httpx2.create_ssl_context(trust_env=False)
        fresh = httpx2.AsyncHTTPTransport(verify=tls, limits=httpx2.Limits(max_keepalive_connections=0))
        return httpx2.AsyncClient(
            follow_redirects=False,
            timeout=self._timeout,
            trust_env=False,
            verify=tls,
            mounts={"https://": fresh},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def close(self) -> None:
        """Close idle connections."""
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def _check(self, host: str, port: int, scheme: str) -> str:
        """Return the one address to connect to."""
        exempt = f"{host}:{port}" in self._allow
        loopback = self._allow_loopback and _is_loopback_name(host)
        if scheme != "https" and not (exempt or loopback):
            raise FetchBlockedError("Only https addresses are fetched.")
        addresses = await _resolve(host, port)
        if not exempt:
            may_call = _is_loopback_address if loopback else is_public_address
            if not all(may_call(address) for address in addresses):
                raise FetchBlockedError("The address is not a public one.")
        return addresses[0]

    async def _pin(self, url: str) -> tuple[str, str, str]:
        """Return the URL with the checked address in place of the host, the ``Host`` header, and the host for SNI."""
        parts, host, port = _split(url)
        address = await self._check(host, port, parts.scheme)
        literal = f"[{address}]" if ":" in address else address
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{literal}:{port}{parts.path or '/'}{query}", parts.netloc, host

    async def _request(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        headers: dict[str, str],
        within_s: float | None = None,
        is_cut: bool = False,
        **kwargs: Any,
    ) -> Fetched:
        try:
            async with asyncio.timeout(within_s or self._timeout * 2):
                pinned, netloc, host = await self._pin(url)
                request = self._client.build_request(
                    method,
                    pinned,
                    headers={"Host": netloc, "Accept-Encoding": "identity"} | headers,
                    extensions={"sni_hostname": host},
                    timeout=within_s or self._timeout,
                    **kwargs,
                )
                response = await self._client.send(request, stream=True)
                try:
                    body = await (self._read_start if is_cut else self._read)(response, max_bytes)
                finally:
                    await response.aclose()
        except httpx2.InvalidURL:
            raise FetchBlockedError("Only plain https addresses are fetched.") from None
        except (httpx2.HTTPError, TimeoutError):
            raise FetchError("The other side did not answer in time or broke the connection.") from None
        return Fetched(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)

    @staticmethod
    async def _read(response: httpx2.Response, max_bytes: int) -> bytes:
        body = bytearray()
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FetchError("The answer is compressed, which was not asked for.")
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                raise FetchError("The answer is too large.")
        return bytes(body)

    @staticmethod
    async def _read_start(response: httpx2.Response, max_bytes: int) -> bytes:
        body = bytearray()
        if max_bytes:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) >= max_bytes:
                    break
        return bytes(body[:max_bytes])

    async def get(self, url: str, *, accept: str = "application/json", max_bytes: int = MAX_BYTES) -> Fetched:
        """Fetch ``url``; redirects are returned, not followed.

        Raises:
            FetchBlockedError: The guard refuses the address.
            FetchError: No usable answer.
        """
        return await self._request("GET", url, max_bytes=max_bytes, headers={"Accept": accept})

    async def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Fetched:
        """Send a form, a JSON body or bytes; errors as ``get``."""
        return await self.send("POST", url, form=form, json=json, content=content, headers=headers, max_bytes=max_bytes)

    async def send(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> Fetched:
        """Send a request of any method, with a form, a JSON body, bytes or nothing; errors as ``get``."""
        body: dict[str, Any] = {}
        if form is not None:
            body["data"] = dict(form)
        elif json is not None:
            body["json"] = json
        elif content is not None:
            body["content"] = content
        base = {"Accept": "application/json"} | dict(headers or {})
        return await self._request(method, url, max_bytes=max_bytes, headers=base, **body)

    async def notify(
        self, url: str, *, content: bytes, headers: Mapping[str, str], within_s: float, max_bytes: int = 0
    ) -> Fetched:
        """Post a message whose answer is its status; errors as ``get``.

        Args:
            within_s: Seconds that the whole request may take.
            max_bytes: How much of the answer's body is read at most; the rest is left, and no error.
        """
        return await self._request(
            "POST",
            url,
            max_bytes=max_bytes,
            headers=dict(headers),
            within_s=within_s,
            is_cut=True,
            content=content,
        )

    def check_address(self, url: str) -> None:
        """Check what can be told of an address without asking for it: its form, and https unless it is exempt.

        A name is looked up only when it is called; an address that is written out can be judged at once.

        Raises:
            FetchBlockedError: It would never be called.
        """
        parts, host, port = _split(url)
        exempt = f"{host}:{port}" in self._allow or (self._allow_loopback and _is_loopback_name(host))
        if parts.scheme != "https" and not exempt:
            raise FetchBlockedError("Only https addresses are fetched.")
        if not exempt and (_is_loopback_name(host) or not _may_be_public(host)):
            raise FetchBlockedError("The address is not a public one.")
