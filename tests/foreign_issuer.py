"""An issuer outside the deployment: a real HTTP server on loopback, with keys, metadata and a status list."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.jose import sign_jws
from service.credentials.sd_jwt import issue_sd_jwt
from service.credentials.status_list import build_status_list_claims, set_status
from tests.deployment import running_deployment
from tests.unit.jose_support import Signer
from tests.unit.sd_jwt_support import KeyPair, new_key_pair, new_salt
from tests.verifying_support import CLAIMS, Platform

METADATA_PATH = "/.well-known/jwt-vc-issuer/issuers/abroad"
LIST_PATH = "/lists/1"


@dataclass
class ForeignIssuer:
    """What it serves is in ``pages`` (path to status and body); what was asked for is in ``asked``.

    With ``x5c`` set, credentials and lists carry it. What ``raw`` has for a path is sent as it stands. What
    ``meanwhile`` has for a path is done once, while the caller waits for the answer.
    """

    port: int = 0
    keys: KeyPair | Signer = field(default_factory=new_key_pair)
    alg: str = "ES256"
    x5c: list[str] | None = None
    pages: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    raw: dict[str, bytes] = field(default_factory=dict)
    meanwhile: dict[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def identifier(self) -> str:
        return f"{self.origin}/issuers/abroad"

    @property
    def list_uri(self) -> str:
        return self.origin + LIST_PATH

    def serve(self, path: str, body: Any, status: int = 200) -> None:
        self.pages[path] = (status, body if isinstance(body, str) else json.dumps(body))

    def serve_metadata(self, kid: str = "k1", **changes: Any) -> None:
        metadata = {"issuer": self.identifier, "jwks": {"keys": [{**self.keys.jwk, "kid": kid}]}} | changes
        self.serve(METADATA_PATH, {name: value for name, value in metadata.items() if value is not None})

    def serve_list(self, now: datetime, *, statuses: dict[int, int] | None = None, **changes: Any) -> None:
        """Publish a list; ``keys`` and ``kid`` replace the signer, ``path`` the place, other changes claims."""
        packed, bits, path = bytearray(64), changes.pop("bits", 2), changes.pop("path", LIST_PATH)
        for index, value in (statuses or {}).items():
            set_status(packed, bits, index, value)
        keys, kid = changes.pop("keys", self.keys), changes.pop("kid", "k1")
        claims = build_status_list_claims(
            uri=self.origin + path,
            bits=bits,
            packed=packed,
            issued_at=now,
            expires_at=changes.pop("expires_at", now + timedelta(days=3)),
            ttl=changes.pop("ttl", timedelta(minutes=10)),
        )
        if (aggregation_uri := changes.pop("aggregation_uri", None)) is not None:
            claims["status_list"]["aggregation_uri"] = aggregation_uri
        header = {"typ": "statuslist+jwt", **self._build_header(kid)}
        self.serve(path, sign_jws(header, claims | changes, keys.sign))

    def issue(self, holder: KeyPair, now: datetime, *, kid: str | None = "k1", **changes: Any) -> str:
        """Sign a credential; ``changes`` replace claims of the payload, and ``status=None`` leaves that one out."""
        payload = {
            "iss": self.identifier,
            "vct": CREDENTIAL_TYPES["kyc"].vct,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(days=30)).timestamp()),
            "cnf": {"jwk": holder.jwk},
            "status": {"status_list": {"uri": self.list_uri, "idx": 5}},
            **CLAIMS["kyc"],
            **changes,
        }
        if payload["status"] is None:
            del payload["status"]
        return issue_sd_jwt(
            payload,
            disclosable=CREDENTIAL_TYPES["kyc"].disclosable,
            header=self._build_header(kid),
            sign=self.keys.sign,
            new_salt=new_salt,
        )

    def _build_header(self, kid: str | None) -> dict[str, Any]:
        members = {"alg": self.alg, "kid": kid, "x5c": self.x5c}
        return {name: value for name, value in members.items() if value is not None}

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        self.asked.append(path)
        if (act := self.meanwhile.pop(path, None)) is not None:
            await act()
        status, body = self.pages.get(path, (404, "{}"))
        data = body.encode()
        answer = f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data
        writer.write(self.raw.get(path, answer))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def running_foreign_issuer() -> AsyncIterator[ForeignIssuer]:
    """Run one until the block ends."""
    issuer = ForeignIssuer()
    server = await asyncio.start_server(issuer._answer, "127.0.0.1", 0)
    issuer.port = server.sockets[0].getsockname()[1]
    issuer.serve_metadata()
    async with server:
        yield issuer


@asynccontextmanager
async def running_platform(database_url: str, folder: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    """Run a deployment with one platform until the block ends; it may fetch from this issuer."""
    async with running_deployment(database_url, folder, fetch_allow=(f"localhost:{abroad.port}",)) as deployment:
        yield Platform(deployment, await deployment.add_organization("platform", "platform"))
