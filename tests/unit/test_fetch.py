"""The outbound guard, against real listeners on loopback: what must not be called isn't called once."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.fetch import FetchBlockedError, Fetcher, FetchError, is_public_address
from tests.addresses import LOOPBACK_SPELLINGS

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Site:
    """A listener that records every connection and request head; it doesn't read bodies."""

    port: int = 0
    connections: int = 0
    heads: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@asynccontextmanager
async def running_site(
    *parts: bytes, pause: float = 0, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    """Answer every request with ``parts``, ``pause`` seconds before each but the first; keep connections open."""
    site = Site()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        site.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                site.heads.append(head.decode())
                for index, part in enumerate(parts or (OK,)):
                    await asyncio.sleep(pause if index else 0)
                    writer.write(part)
                    await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the other side left, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(answer, host, port, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


@asynccontextmanager
async def fetcher_for(*sites: Site, **options: Any) -> AsyncIterator[Fetcher]:
    """A fetcher that may call the sites."""
    fetcher = Fetcher([f"127.0.0.1:{site.port}" for site in sites], **options)
    yield fetcher
    await fetcher.close()


@pytest.fixture
async def guarded() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    await fetcher.close()


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Make the resolver give these answers in turn, the last one for ever; return the names it is asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("spelling", LOOPBACK_SPELLINGS)
async def test_no_spelling_of_loopback_is_called(
    guarded: Fetcher, monkeypatch: pytest.MonkeyPatch, spelling: str, scheme: str
) -> None:
    system = asyncio.get_running_loop().getaddrinfo

    async def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        if host == "example.com":
            raise socket.gaierror  # the only name here that a test would have to ask the network for
        return await system(host, port, **options)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    host = None if socket.has_ipv6 else "0.0.0.0"
    async with running_site(host=host) as site:  # type: ignore[arg-type]  # None listens on every address
        with pytest.raises(FetchError):
            await guarded.get(f"{scheme}://{spelling}:{site.port}/")
    assert site.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "//127.0.0.1/",
        "/x",
        "127.0.0.1",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "https://[::1",
        "https://[v1.x]/",
        "https://[127.0.0.1]/",
        "https://127.0.0.1:99999/",
        "https://127.0.0.1:-1/",
        "https://127.0.0.1:x/",
        "https://127.0.0.1\x00.example/",
        "https://" + "a" * 64 + ".localhost/",
        "https://127.0.0.1:0/",
        "data:,x",
        "javascript:x",
        "https://127.0.0.1 /",
        "http://example.com/",
    ],
)
async def test_unusable_urls_are_refused(guarded: Fetcher, url: str) -> None:
    with pytest.raises(FetchError):
        await guarded.get(url)


@pytest.mark.parametrize("path", ["/\x00", "/\x7f", "/a b\x01"])
async def test_control_characters_in_a_path_are_refused(path: str) -> None:
    async with running_site() as site, fetcher_for(site) as fetcher:
        with pytest.raises(FetchBlockedError):
            await fetcher.get(f"http://127.0.0.1:{site.port}{path}")
    assert site.connections == 0


@pytest.mark.parametrize("path", ["/a\r\nX-Injected: 1", "/?a\r\nX-Injected: 1", "/a b HTTP/1.1"])
async def test_a_path_cannot_add_a_header(path: str) -> None:
    async with running_site() as site, fetcher_for(site) as fetcher:
        await fetcher.get(f"http://127.0.0.1:{site.port}{path}")
    (head,) = site.heads
    assert head.count("HTTP/1.1\r\n") == 1
    assert "\nX-Injected" not in head


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.255.255.255", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:10.0.0.1", "64:ff9b::a00:1",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:0:1::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:a00:1::1",
        "2002:7f00:1::", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1",
        "ff02::1",
    ],
)  # fmt: skip
def test_address_is_not_public(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
     "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2606:4700::1",
     "2a00:1450::1"],
)  # fmt: skip
def test_address_is_public(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize(
    "answer",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["1.1.1.1", "127.0.0.1"],
        ["127.0.0.1", "1.1.1.1"],
        ["::1"],
        ["1.1.1.1", "fe80::1%eth0"],
    ],
)
async def test_name_with_one_private_address_is_refused(
    guarded: Fetcher, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    asked = resolve_to(monkeypatch, answer)
    with pytest.raises(FetchBlockedError):
        await guarded.get("https://rebinding.example/")
    assert asked == ["rebinding.example"]


async def test_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look-up would answer another address; nobody makes one."""
    async with running_site() as first, running_site(host="127.0.0.2", port=first.port) as second:
        asked = resolve_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        fetcher = Fetcher([f"rebinding.example:{first.port}"])
        answer = await fetcher.get(f"http://rebinding.example:{first.port}/x?y=1#z")
        await fetcher.close()
    assert (answer.status, answer.body) == (200, b"ok")
    assert asked == ["rebinding.example"]
    assert (first.connections, second.connections) == (1, 0)
    assert first.heads[0].startswith("GET /x?y=1 HTTP/1.1\r\n")
    assert f"\r\nhost: rebinding.example:{first.port}\r\n" in first.heads[0].lower()


async def test_public_address_is_connected_to_as_checked(guarded: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver says public first and loopback afterwards; the connection is tried to the public address."""
    asked = resolve_to(monkeypatch, ["192.31.196.1"], ["127.0.0.1"])
    tried: list[Any] = []

    async def sock_connect(_sock: socket.socket, address: Any) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", sock_connect)
    with pytest.raises(FetchError):
        await guarded.get("https://rebinding.example/")
    assert asked == ["rebinding.example"]
    assert tried == [("192.31.196.1", 443)]


async def test_exemption_is_for_one_port() -> None:
    async with running_site() as site, running_site() as other, fetcher_for(site) as fetcher:
        assert (await fetcher.get(site.url)).body == b"ok"
        with pytest.raises(FetchBlockedError):
            await fetcher.get(other.url)
    assert other.connections == 0


async def test_loopback_names_of_a_wallet_must_be_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_site() as site:
        fetcher = Fetcher(allow_loopback=True)
        assert (await fetcher.get(f"http://localhost:{site.port}/")).body == b"ok"
        for url in (site.url, f"http://localhost.example:{site.port}/"):
            with pytest.raises(FetchBlockedError):
                await fetcher.get(url)
        resolve_to(monkeypatch, ["10.0.0.1"])
        with pytest.raises(FetchBlockedError):
            await fetcher.get(f"http://intranet.localhost:{site.port}/")
        await fetcher.close()
    assert site.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_returned_not_followed(status: int) -> None:
    async with running_site() as target:
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {target.url}\r\nContent-Length: 0\r\n\r\n"
        async with running_site(head.encode()) as site, fetcher_for(site, target) as fetcher:
            answer = await fetcher.get(site.url)
    assert (answer.status, answer.headers["location"]) == (status, target.url)
    assert target.connections == 0


@pytest.mark.parametrize("length", ["Content-Length: 10", "Transfer-Encoding: chunked", "Connection: close"])
@pytest.mark.parametrize("max_bytes", [9, 10])
async def test_body_is_capped(length: str, max_bytes: int) -> None:
    chunked = "chunked" in length
    body = b"a\r\n0123456789\r\n0\r\n\r\n" if chunked else b"0123456789"
    async with raw_site(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode() + body) as site, fetcher_for(site) as fetcher:
        if max_bytes == 10:
            assert (await fetcher.get(site.url, max_bytes=max_bytes)).body == b"0123456789"
        else:
            with pytest.raises(FetchError, match="too large"):
                await fetcher.get(site.url, max_bytes=max_bytes)


@asynccontextmanager
async def raw_site(answer: bytes) -> AsyncIterator[Site]:
    """Answer the first request and close the connection."""
    site = Site()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        site.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


async def test_endless_body_is_cut_off() -> None:
    async with running_site(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 1000) as site, fetcher_for(site) as fetcher:
        with pytest.raises(FetchError, match="too large"):
            await fetcher.get(site.url)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=["nothing", "garbage", "cut short", "endless header", "two lengths"],
)
async def test_broken_answer_is_an_error(answer: bytes) -> None:
    async with raw_site(answer) as site, fetcher_for(site) as fetcher:
        with pytest.raises(FetchError):
            await fetcher.get(site.url)


@pytest.mark.parametrize(
    "parts",
    [
        [OK[:1], *[bytes([byte]) for byte in OK[1:]]],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 1000],
        [b"", b""],
    ],
    ids=["slow head", "slow body", "silence"],
)
async def test_slow_answer_is_given_up(parts: list[bytes]) -> None:
    """Each part comes well within the time for one read; only the whole takes too long."""
    async with running_site(*parts, pause=0.1) as site, fetcher_for(site, timeout=0.3) as fetcher:
        started = time.monotonic()
        with pytest.raises(FetchError):
            await fetcher.get(site.url)
    assert time.monotonic() - started < 2


async def test_slow_resolver_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    fetcher = Fetcher(timeout=0.1)
    started = time.monotonic()
    with pytest.raises(FetchError):
        await fetcher.get("https://slow.example/")
    await fetcher.close()
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip"])
async def test_compressed_answer_is_refused(coding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 0\r\n\r\n"
    async with running_site(head.encode()) as site, fetcher_for(site) as fetcher:
        with pytest.raises(FetchError, match="compressed"):
            await fetcher.get(site.url)
    assert "\r\naccept-encoding: identity\r\n" in site.heads[0].lower()


async def test_cookies_are_not_kept() -> None:
    """The jar would go by address, so one host's cookie would reach another."""
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with running_site(answer) as site, fetcher_for(site) as fetcher:
        await fetcher.get(site.url)
        await fetcher.get(site.url)
    assert len(site.heads) == 2
    assert "cookie" not in site.heads[1].lower()


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_site() as proxy, running_site() as site, fetcher_for(site) as known:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        fetcher = Fetcher([f"127.0.0.1:{site.port}"])
        assert (await fetcher.get(site.url)).body == b"ok"
        assert (await known.get(site.url)).body == b"ok"
        await fetcher.close()
    assert proxy.connections == 0


async def test_method_and_headers_are_sent() -> None:
    async with running_site() as site, fetcher_for(site) as fetcher:
        await fetcher.send("DELETE", site.url, headers={"Authorization": "Bearer x"})
        await fetcher.post(site.url, form={"a": "b c"})
    assert site.heads[0].startswith("DELETE / HTTP/1.1\r\n")
    assert "\r\nauthorization: bearer x\r\n" in site.heads[0].lower()
    assert "\r\ncontent-type: application/x-www-form-urlencoded\r\n" in site.heads[1].lower()


def new_certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context with a self-signed certificate for ``names``, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name) for name in names] + [x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=pem)


async def test_certificate_must_be_of_the_host_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hosts at one address: the first one's connection must not serve the second."""
    server, client = new_certificate(tmp_path, "first.example")
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: client)
    async with running_site(tls=server) as site:
        resolve_to(monkeypatch, ["127.0.0.1"])
        fetcher = Fetcher([f"first.example:{site.port}", f"second.example:{site.port}"])
        assert (await fetcher.get(f"https://first.example:{site.port}/")).body == b"ok"
        with pytest.raises(FetchError):
            await fetcher.get(f"https://second.example:{site.port}/")
        await fetcher.close()
    assert len(site.heads) == 1


async def test_unknown_certificate_is_refused(tmp_path: Path) -> None:
    server, _ = new_certificate(tmp_path, "localhost")
    async with running_site(tls=server) as site:
        fetcher = Fetcher(allow_loopback=True)
        with pytest.raises(FetchError):
            await fetcher.get(f"https://localhost:{site.port}/")
        await fetcher.close()
    assert site.heads == []
