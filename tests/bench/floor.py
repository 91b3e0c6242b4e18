"""The floors: the least that any service of this kind must do per request, in the same framework."""

import gc
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
import asyncpg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI, Request

_KEY = ec.generate_private_key(ec.SECP256R1())
_PUBLIC = _KEY.public_key()
_ALGORITHM = ec.ECDSA(hashes.SHA256())
_MESSAGE = secrets.token_bytes(600)
_SIGNATURE = _KEY.sign(_MESSAGE, _ALGORITHM)
_TABLE = "CREATE TABLE IF NOT EXISTS floor (id TEXT PRIMARY KEY, body TEXT NOT NULL)"


class SqliteStore:
    """One connection; every insert commits, as durable as the service's own."""

    async def open(self, url: str) -> None:
        self._connection = await aiosqlite.connect(url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _TABLE):
            await self._connection.execute(statement)

    async def insert(self, key: str, body: str) -> None:
        await self._connection.execute("INSERT INTO floor VALUES (?, ?)", (key, body))

    async def close(self) -> None:
        await self._connection.close()


class PostgresStore:
    """A pool of ten; every insert commits."""

    async def open(self, url: str) -> None:
        self._pool = await asyncpg.create_pool(url.replace("postgresql+asyncpg", "postgresql"), min_size=10)
        await self._pool.execute(_TABLE)

    async def insert(self, key: str, body: str) -> None:
        await self._pool.execute("INSERT INTO floor VALUES ($1, $2)", key, body)

    async def close(self) -> None:
        await self._pool.close()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["FLOOR_DATABASE_URL"]
    app.state.store = SqliteStore() if url.startswith("sqlite") else PostgresStore()
    await app.state.store.open(url)
    gc.freeze()  # as the service does, which is then no advantage of either
    yield
    await app.state.store.close()


app = FastAPI(lifespan=_lifespan)


@app.post("/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    """Echo."""
    return body


@app.post("/sign")
async def sign(body: dict[str, Any]) -> dict[str, Any]:
    """Echo and one ES256 signature."""
    _KEY.sign(_MESSAGE, _ALGORITHM)
    return body


@app.post("/decide")
async def decide(body: dict[str, Any], request: Request) -> dict[str, Any]:
    """Echo, one ES256 signature, one committed INSERT."""
    _KEY.sign(_MESSAGE, _ALGORITHM)
    await request.app.state.store.insert(secrets.token_hex(16), str(body))
    return body


@app.post("/verify")
async def verify(body: dict[str, Any]) -> dict[str, Any]:
    """Echo and two raw P-256 verifications: issuer and holder."""
    _PUBLIC.verify(_SIGNATURE, _MESSAGE, _ALGORITHM)
    _PUBLIC.verify(_SIGNATURE, _MESSAGE, _ALGORITHM)
    return body


@app.get("/ready")
async def ready() -> dict[str, bool]:
    """Tell that the floor is up."""
    return {"ready": True}
