"""A poisoned document costs less than 0.5 s and 64 MB, in the service and in didkit's process, and nobody notices."""

import asyncio
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from service.credentials.ldp_vc import CLAIMS_CONTEXT_1
from tests.deployment import Deployment
from tests.http.test_verify_ldp_vc_1 import DID, ISSUER, JWS, V1, issue, prove, scene, stamp
from tests.verifying_support import Scene, failed

__all__ = ["scene"]

pytestmark = [
    pytest.mark.skipif(find_spec("didkit") is None, reason="didkit has no build for Python 3.13 and later"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's view of the process"),
]
MAX_SECONDS = 0.5
MAX_BYTES = 64 * 2**20


def clique(size: int) -> list[dict[str, Any]]:
    """Nodes without an identifier, of which none can be told from another but by trying every order."""
    inner = [{"type": "VerifiableCredential"}] * size
    return [{"type": ["VerifiableCredential"], "evidence": inner} for _ in range(size)]


def nest(depth: int) -> Any:
    value: Any = {"type": "VerifiableCredential"}
    for _ in range(depth):
        value = {"type": "VerifiableCredential", "evidence": [value]}
    return value


POISONS: dict[str, dict[str, Any]] = {
    "seven alike": {"evidence": clique(7)},
    "six alike, twelve times": {"evidence": clique(6) * 2},
    "nested 15": {"evidence": [nest(7)]},
    "nested 28": {"evidence": [nest(13)]},
    "many terms": {"credentialSubject": {f"t{number}": "v" for number in range(15_000)}},
    "terms of one context": {"@context": [V1, {f"t{number}": f"urn:x:{number}" for number in range(10_000)}]},
    "huge array": {"credentialSubject": {"lists": ["v"] * 50_000}},
    "huge text": {"credentialSubject": {"given_name": "v" * 240_000}},
    "many contexts": {"@context": [V1] * 5_000},
    "a context in a circle": {"@context": [V1, {"@import": "urn:goodstanding:context:vcdm-1.1:1"}]},
    "many proofs": {"proof": [{"type": "JsonWebSignature2020", "jws": "e30..AA"}] * 4_000},
}


class Peak:
    """The most memory that a process has resident, from now on."""

    def __init__(self, pid: int | None) -> None:
        self._process = Path(f"/proc/{pid}")
        (self._process / "clear_refs").write_text("5", encoding="ascii")
        self._began = self.bytes

    @property
    def bytes(self) -> int:
        lines = (self._process / "status").read_text(encoding="ascii").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024

    @property
    def grown(self) -> int:
        return self.bytes - self._began


@pytest.mark.parametrize("name", POISONS)
async def test_poison_takes_little(scene: Scene, name: str, record_property: Any) -> None:
    assert (await scene.platform.verify(credential=issue(scene)))["valid"]  # all is loaded
    document = issue(scene) | POISONS[name]
    worker = scene.deployment.context.linked_data
    ours, theirs, started = Peak(os.getpid()), Peak(worker.pid), time.process_time()
    verdict = await scene.platform.verify(credential=document)
    took = time.process_time() - started
    record_property("seconds", round(took, 3))
    record_property("megabytes", round(ours.grown / 2**20, 1))
    assert verdict["outcome"] == "rejected"
    assert took < MAX_SECONDS
    assert ours.grown < MAX_BYTES
    assert theirs.grown < MAX_BYTES


@pytest.mark.parametrize("alike", [2, 3, 4])
async def test_what_passes_our_budget_passes_didkits_time(scene: Scene, alike: int) -> None:
    """The worst that is let through: alike nodes within the budget, in a document that is signed."""
    members = {
        "@context": [V1, CLAIMS_CONTEXT_1, JWS],
        "type": ["VerifiableCredential", "KycCredential"],
        "issuer": DID,
        "issuanceDate": stamp(scene),
        "expirationDate": stamp(scene, days=30),
        "credentialSubject": {"country": "US"},
        "evidence": clique(alike),
    }
    held = prove(members, ISSUER, DID, "assertionMethod", created=stamp(scene))
    await scene.platform.verify(credential=issue(scene))
    theirs, started = Peak(scene.deployment.context.linked_data.pid), time.process_time()
    verdict = await scene.platform.verify(credential=held)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("verified", set())
    assert time.process_time() - started < MAX_SECONDS
    assert theirs.grown < MAX_BYTES


async def test_nobody_else_waits(sqlite_deployment: Deployment, scene: Scene) -> None:
    held = await scene.kyc.issue("kyc", scene.wallet.keys)
    poison = json.loads(json.dumps(issue(scene) | POISONS["seven alike"]))
    assert (await scene.platform.verify(credential=held))["valid"]
    flood = [asyncio.create_task(scene.platform.verify(credential=poison)) for _ in range(6)]
    started = time.monotonic()
    assert (await scene.platform.verify(credential=held))["valid"]
    waited = time.monotonic() - started
    assert {verdict["outcome"] for verdict in await asyncio.gather(*flood)} == {"rejected"}
    assert waited < 2
