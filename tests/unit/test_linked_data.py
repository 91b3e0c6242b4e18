"""The didkit worker: agrees with our own DIDs, and neither hostile input nor its own failures reach the service."""

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from service.credentials.did import MalformedDidError, did_jwk_from_jwk, did_key_from_jwk, resolve_did_key
from service.credentials.encoding import MalformedJoseError, b64url_encode
from service.linked_data import (
    DidUnresolvableError,
    LinkedDataError,
    LinkedDataTimeoutError,
    LinkedDataWorker,
    worker,
)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("didkit") is None, reason="didkit has no build for Python 3.13 and later"
)
PKH = "did:pkh:eip155:1:0xb9c5714089478a327f09197987f16f9e5d936e8a"
KEYS_PER_CURVE = 50
VECTORS = Path(__file__).parents[1] / "vectors" / "did.json"


@pytest.fixture
async def didkit_worker() -> AsyncIterator[LinkedDataWorker]:
    made = LinkedDataWorker()
    yield made
    await made.close()


def is_running(pid: int | None) -> bool:
    return Path(f"/proc/{pid}").exists()


def new_jwk(curve: str) -> dict[str, str]:
    if curve == "Ed25519":
        raw = ed25519.Ed25519PrivateKey.generate().public_key()
        x = raw.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": curve, "x": b64url_encode(x)}
    kind = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[curve]
    numbers = ec.generate_private_key(kind).public_key().public_numbers()
    size = kind.key_size // 8
    x, y = (b64url_encode(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": curve, "x": x, "y": y}


def method_of(document: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return id and key material of the one verification method."""
    (method,) = document["verificationMethod"]
    return method["id"], {
        name: method["publicKeyJwk"][name] for name in ("kty", "crv", "x", "y") if name in method["publicKeyJwk"]
    }


@pytest.mark.parametrize("curve", ["Ed25519", "P-256", "secp256k1"])  # didkit doesn't know P-384 here
async def test_did_keys_of_the_method_specification_read_as_didkit_reads_them(
    didkit_worker: LinkedDataWorker, curve: str
) -> None:
    vectors = json.loads(VECTORS.read_text())["did:key"]
    dids = [vector["did"] for vector in vectors if vector["jwk"]["crv"] == curve]
    assert dids
    for did in dids:
        theirs, ours = await didkit_worker.resolve_did(did), resolve_did_key(did)
        assert method_of(theirs) == method_of(ours)
        for relationship in ("authentication", "assertionMethod"):
            assert theirs[relationship] == ours[relationship]


@pytest.mark.parametrize("curve", ["Ed25519", "P-256"])  # didkit doesn't know P-384 here
async def test_did_key_is_the_one_that_didkit_reads(didkit_worker: LinkedDataWorker, curve: str) -> None:
    for _ in range(KEYS_PER_CURVE):
        jwk = new_jwk(curve)
        did = did_key_from_jwk(jwk)
        theirs = await didkit_worker.resolve_did(did)
        ours = resolve_did_key(did)
        assert method_of(theirs) == method_of(ours)
        assert method_of(theirs)[1] == jwk
        assert theirs["assertionMethod"] == ours["assertionMethod"]


@pytest.mark.parametrize("curve", ["Ed25519", "P-256", "P-384"])
async def test_did_jwk_is_the_one_that_didkit_reads(didkit_worker: LinkedDataWorker, curve: str) -> None:
    for _ in range(KEYS_PER_CURVE):
        jwk = new_jwk(curve)
        did = did_jwk_from_jwk(jwk)
        assert method_of(await didkit_worker.resolve_did(did)) == (f"{did}#0", jwk)


async def test_accounts_are_resolved(didkit_worker: LinkedDataWorker) -> None:
    document = await didkit_worker.resolve_did(PKH)
    assert document["verificationMethod"][0]["blockchainAccountId"] == PKH.removeprefix("did:pkh:")
    assert (await didkit_worker.resolve_did("did:ethr:" + PKH[-42:]))["id"].startswith("did:ethr:0x")


@pytest.mark.parametrize(
    "did", ["did:web:localhost%3A8000", "did:ion:abc", "did:onion:abc", "did:key:", "did:", "", "key:abc", "DID:key:z"]
)
async def test_other_methods_never_reach_the_worker(didkit_worker: LinkedDataWorker, did: str) -> None:
    with pytest.raises(DidUnresolvableError):
        await didkit_worker.resolve_did(did)
    assert didkit_worker.pid is None


@pytest.mark.parametrize(
    ("did", "error"),
    [
        ("did:key:z" + "a" * 16_384, MalformedDidError),
        ("did:key:z\n", MalformedDidError),
        ("did:key:z\N{LATIN SMALL LETTER E WITH ACUTE}", MalformedDidError),
        ("did:jwk:" + b64url_encode(b'{"a":' * 11 + b"1" + b"}" * 11), MalformedJoseError),
        ("did:jwk:" + b64url_encode(b'{"kty":"OKP","kty":"EC"}'), MalformedJoseError),
        ("did:jwk:!", MalformedJoseError),
    ],
)
async def test_hostile_input_never_reaches_the_worker(
    didkit_worker: LinkedDataWorker, did: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await didkit_worker.resolve_did(did)
    assert didkit_worker.pid is None


async def test_unresolvable_input_leaves_the_worker_running(didkit_worker: LinkedDataWorker) -> None:
    await didkit_worker.resolve_did(PKH)
    before = didkit_worker.pid
    with pytest.raises(DidUnresolvableError):
        await didkit_worker.resolve_did("did:pkh:nothing")
    await didkit_worker.resolve_did(PKH)
    assert didkit_worker.pid == before


async def test_hanging_worker_is_replaced(didkit_worker: LinkedDataWorker) -> None:
    await didkit_worker.resolve_did(PKH)
    hanging = didkit_worker.pid
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(LinkedDataTimeoutError):
        await didkit_worker.resolve_did(PKH)
    assert time.monotonic() - started < 1.5
    assert not is_running(hanging)
    assert (await didkit_worker.resolve_did(PKH))["id"] == PKH
    assert didkit_worker.pid != hanging


async def test_killed_worker_is_replaced(didkit_worker: LinkedDataWorker) -> None:
    await didkit_worker.resolve_did(PKH)
    killed = didkit_worker.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    with contextlib.suppress(LinkedDataError):  # it depends on how soon the death is noticed
        await didkit_worker.resolve_did(PKH)
    assert (await didkit_worker.resolve_did(PKH))["id"] == PKH
    assert didkit_worker.pid != killed


async def test_cancelled_call_does_not_answer_the_next_one(didkit_worker: LinkedDataWorker) -> None:
    await didkit_worker.resolve_did(PKH)
    assert didkit_worker.pid is not None
    os.kill(didkit_worker.pid, signal.SIGSTOP)
    call = asyncio.create_task(didkit_worker.resolve_did(PKH))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    other = did_key_from_jwk(new_jwk("P-256"))
    assert (await didkit_worker.resolve_did(other))["id"] == other


async def test_calls_at_once_get_their_own_answers(didkit_worker: LinkedDataWorker) -> None:
    dids = [did_key_from_jwk(new_jwk("Ed25519")) for _ in range(20)]
    documents = await asyncio.gather(*map(didkit_worker.resolve_did, dids))
    assert [document["id"] for document in documents] == dids


async def test_close_ends_the_process() -> None:
    made = LinkedDataWorker()
    await made.resolve_did(PKH)
    pid = made.pid
    assert is_running(pid)
    await made.close()
    assert made.pid is None
    assert not is_running(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's view of the process")
async def test_worker_runs_confined(didkit_worker: LinkedDataWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOODSTANDING_KEY_PASSPHRASE", "secret")
    await didkit_worker.resolve_did(PKH)
    process = Path(f"/proc/{didkit_worker.pid}")
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (process / "limits").read_text().splitlines()}
    assert limits["Max address space"] == [str(worker.MEMORY_BYTES)] * 2
    assert limits["Max open files"] == ["0", "0"]
    assert limits["Max core file size"] == ["0", "0"]
    assert (process / "environ").read_bytes() == b""


def run_in_worker(code: str) -> subprocess.Popen[str]:
    lines = ["import asyncio, os, sys", "from service.linked_data import worker", code, "os._exit(0)"]
    return subprocess.Popen([sys.executable, "-c", "\n".join(lines)], stderr=subprocess.PIPE, text=True)


def test_memory_is_bounded() -> None:
    allocate = f"bytearray({worker.MEMORY_BYTES})"
    with run_in_worker(allocate) as unbounded, run_in_worker(f"worker.limit_memory()\n{allocate}") as bounded:
        assert unbounded.wait(30) == 0
        assert "MemoryError" in bounded.communicate(timeout=30)[1]


@pytest.mark.parametrize("confined", [False, True])
def test_native_code_cannot_reach_the_network(confined: bool) -> None:
    """didkit sends did:onion through a proxy at this fixed address: it connects unless it is confined."""
    try:
        listener = socket.create_server(("127.0.0.1", 9050))
    except OSError:
        pytest.skip("port 9050 is taken on this machine")
    resolve = "worker.resolve('did:onion:abcdefghijklmnop')"
    code = f"""
async def run():
    await worker.resolve({worker._WARM_UP!r})
    {"worker.forbid_descriptors()" if confined else ""}
    assert "error" in await {resolve}
asyncio.run(run())"""
    with listener, run_in_worker(code) as process:
        listener.settimeout(10 if not confined else 2)
        try:
            listener.accept()[0].close()
            reached = True
        except TimeoutError:
            reached = False
        assert process.wait(30) == 0
    assert reached is not confined
