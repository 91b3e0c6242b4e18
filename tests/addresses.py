"""Hosts that nothing of ours may call, in every spelling, and a witness of what was called all the same."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

LOOPBACK_SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7F.0x0.0x0.0x1",
    "0177.0.0.01",
    "0177.1",
    "0x7f.1",
    "00000177.0.0.1",
    "0",
    "0.0.0.0",
    "0x0",
    "localhost",
    "LOCALHOST",
    "LocalHost.",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[::ffff:0:127.0.0.1]",
    "[::1%25lo]",
    "[::1%lo]",
    "127.0.0.1@127.0.0.1",
    "example.com@127.0.0.1",
    "example.com:443@127.0.0.1",
    "@127.0.0.1",
    "127.0.0.1%2f@localhost",
    "example.com#@127.0.0.1",
    "\N{FULLWIDTH DIGIT ONE}27.0.0.1",
    "127\N{IDEOGRAPHIC FULL STOP}0.0.1",
    "\N{CIRCLED DIGIT ONE}27.0.0.1",
    "loc\N{SOFT HYPHEN}alhost",
    "127.0.0.1\t",
    "12\n7.0.0.1",
    "\\127.0.0.1",
    "127.0.0.1\\@127.0.0.1",
]

NAMES = {
    "metadata.google.internal": ["169.254.169.254"],
    "intranet.example": ["10.1.2.3"],
    "INTRANET.Example.": ["10.1.2.3"],
    "half.example": ["192.31.196.1", "192.168.0.1"],
    "mapped.example": ["::ffff:192.168.0.1"],
    "translated.example": ["64:ff9b::a00:1"],
    "scoped.example": ["fe80::1%eth0"],
    "127.0.0.1.example": ["127.0.0.1"],
}
"""Names that somebody else's DNS may answer with our own addresses."""

PUBLIC_NAME, PUBLIC_ADDRESS = "public.example", "192.31.196.1"

PRIVATE_SPELLINGS = [
    *LOOPBACK_SPELLINGS,
    *NAMES,
    "localhost.",
    "a.localhost",
    "169.254.169.254",
    "169.254.43518",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[ff02::1]",
    "[::]",
    "10.0.0.1",
    "10.1",
    "012.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "0xc0a80101",
    "3232235777",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "user:pass@10.0.0.1",
    "public.example@10.0.0.1",
    "10.0.0.1#@public.example",
    "10.0.0.1\\@public.example",
    "\N{FULLWIDTH DIGIT ONE}0.0.0.1",
]


@contextmanager
def recording_calls(*allowed: tuple[str, int]) -> Iterator[list[Any]]:
    """Record, and stop, every connection that this process opens, below any library; ``allowed`` ones go through."""
    recorded: list[Any] = []
    connect = socket.socket.connect

    def witness(self: socket.socket, address: Any) -> None:
        if tuple(address[:2]) not in allowed:
            recorded.append(address)
            raise ConnectionRefusedError(f"a test would have called {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, witness)
        yield recorded


def resolve_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system read addresses in whatever spelling it knows, and answer names from ``NAMES``."""
    system = asyncio.get_running_loop().getaddrinfo

    async def getaddrinfo(host: str, port: int, **options: Any) -> Any:
        known = {name.lower(): addresses for name, addresses in NAMES.items()} | {PUBLIC_NAME: [PUBLIC_ADDRESS]}
        if (found := known.get(host.lower())) is not None:
            return [
                (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
                for each in found
            ]
        if host.lower().rstrip(".").endswith("localhost"):
            return await system("127.0.0.1", port, **options)
        return await system(host, port, **options, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
