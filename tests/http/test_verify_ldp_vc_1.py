"""``/v1/verify`` for linked data of version 1.1: strict as for other formats, and beside a worker that fails."""

import asyncio
import importlib.util
import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.credentials.data_integrity import add_proof
from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.ldp_vc import CLAIMS_CONTEXT_1
from service.credentials.ldp_vp import verify_ldp_vp
from service.linked_data import LinkedDataWorker, client
from service.linked_data.bundled_contexts import load_contexts
from service.verifier import linked_data
from service.web.context import Context
from tests.deployment import Deployment
from tests.unit.didkit_support import issue_by_didkit
from tests.unit.sd_jwt_support import KeyPair, new_key_pair
from tests.unit.test_legacy_proofs import JWS, RECOVERY, V1, new_secp256k1_key
from tests.verifying_support import CLAIMS, Scene, build_scene, failed

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("didkit") is None, reason="didkit has no build for Python 3.13 and later"
)
EXPECTED = {"nonce": "n-0S6_WzA2Mj", "audience": "https://venue.example"}
ISSUER = new_key_pair()
DID = did_key_from_jwk(ISSUER.jwk)


@pytest.fixture
async def scene(sqlite_deployment: Deployment) -> Scene:
    made = await build_scene(sqlite_deployment)
    await made.platform.trust(DID, "kyc", "aml-screening", entry_id="elsewhere")
    return made


def stamp(scene: Scene, **ahead: float) -> str:
    return (scene.deployment.clock() + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def prove(document: dict[str, Any], keys: KeyPair, did: str, purpose: str, **options: Any) -> dict[str, Any]:
    fragment = "0" if did.startswith("did:jwk:") else did.removeprefix("did:key:")
    proof = {"type": "JsonWebSignature2020", "verificationMethod": f"{did}#{fragment}", "proofPurpose": purpose}
    return add_proof(document, proof | options, keys.key, keys.sign, load_contexts())


def issue(scene: Scene, name: str = "kyc", *, purpose: str = "assertionMethod", **changes: Any) -> dict[str, Any]:
    kind = {"kyc": "KycCredential", "aml-screening": "AmlScreeningCredential"}[name]
    members = {
        "@context": [V1, CLAIMS_CONTEXT_1, JWS],
        "type": ["VerifiableCredential", kind],
        "issuer": DID,
        "issuanceDate": stamp(scene),
        "expirationDate": stamp(scene, days=30),
        "credentialSubject": {"id": did_jwk_from_jwk(scene.wallet.keys.jwk), **CLAIMS[name]},
        **changes,
    }
    return prove({k: v for k, v in members.items() if v is not None}, ISSUER, DID, purpose, created=stamp(scene))


def present(scene: Scene, *credentials: dict[str, Any], keys: KeyPair | None = None, **changes: Any) -> dict[str, Any]:
    holder = did_jwk_from_jwk(scene.wallet.keys.jwk)
    members = {
        "@context": [V1, JWS],
        "type": ["VerifiablePresentation"],
        "holder": holder,
        "verifiableCredential": list(credentials),
    }
    options = {"created": stamp(scene), "challenge": EXPECTED["nonce"], "domain": EXPECTED["audience"], **changes}
    return prove(members, keys or scene.wallet.keys, holder, options.pop("purpose", "authentication"), **options)


async def test_a_sound_credential_passes_every_check(scene: Scene) -> None:
    verdict = await scene.platform.verify(credential=issue(scene))
    assert (verdict["outcome"], verdict["format"], failed(verdict["checks"])) == ("verified", "ldp_vc", set())
    assert (verdict["issuer"], verdict["claims"], verdict["status"]) == (DID, CLAIMS["kyc"], "none")
    assert scene.deployment.context.linked_data.pid is not None  # the second implementation was asked


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expirationDate": "2026-11-23T14:00:00Z", "issuanceDate": "2026-11-01T00:00:00Z"}, "credential_expired"),
        ({"issuanceDate": "2026-11-24T00:00:00Z"}, "credential_not_yet_valid"),
        ({"expirationDate": None}, "credential_expiry_missing"),
        ({"purpose": "authentication"}, "proof_purpose_mismatch"),
        ({"issuer": did_key_from_jwk(new_key_pair().jwk)}, "issuer_key_unknown"),
        (
            {"credentialStatus": {"type": "StatusList2021Entry", "id": "https://x.example/1#2"}}
            | {"@context": [V1, CLAIMS_CONTEXT_1, JWS, "https://w3id.org/vc/status-list/2021/v1"]},
            "context_unknown",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_didkit_does_not_look_at_is_looked_at(scene: Scene, changes: dict[str, Any], expected: str) -> None:
    verdict = await scene.platform.verify(credential=issue(scene, **changes))
    assert (verdict["outcome"], {code for _, code in failed(verdict["checks"])}) == ("rejected", {expected})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": ["VerifiableCredential", "KycCredential", "Undefined"]}, "linked_data_loss"),
        ({"unsigned": "claim"}, "linked_data_loss"),
        ({"evidence": None}, "linked_data_invalid"),
        ({"@context": [V1, CLAIMS_CONTEXT_1, JWS, {"unsigned": None}], "unsigned": "claim"}, "context_unknown"),
        ({"@context": [V1, CLAIMS_CONTEXT_1, JWS, "https://attacker.example/context"]}, "context_unknown"),
        ({"@context": [V1, JWS, CLAIMS_CONTEXT_1]}, "context_unknown"),
        ({"expirationDate": "2099-01-01T00:00:00Z"}, "proof_invalid"),
    ],
    ids=str,
)
async def test_nothing_unsigned_is_believed(scene: Scene, changes: dict[str, Any], expected: str) -> None:
    verdict = await scene.platform.verify(credential=issue(scene) | changes)
    assert (verdict["outcome"], {code for _, code in failed(verdict["checks"])}) == ("rejected", {expected})


async def test_evidence_has_one_type_or_several(scene: Scene) -> None:
    for types in ("VerifiableCredential", ["VerifiableCredential"]):
        held = issue(scene, evidence=[{"id": "urn:x:paper", "type": types}])
        assert (await scene.platform.verify(credential=held))["outcome"] == "verified"


async def test_every_credential_of_a_presentation_counts(scene: Scene) -> None:
    held = [issue(scene), issue(scene, "aml-screening")]
    verdict = await scene.platform.verify(presentation=present(scene, *held), expected=EXPECTED)
    assert (verdict["valid"], len(verdict["credentials"])) == (True, 2)
    held[1]["expirationDate"] = stamp(scene, days=300)
    verdict = await scene.platform.verify(presentation=present(scene, *held), expected=EXPECTED)
    assert [each["valid"] for each in verdict["credentials"]] == [True, False]


async def test_a_presentation_is_verified_once_however_many_credentials_it_holds(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def count(*args: Any, **options: Any) -> None:
        calls.append(args)
        verify_ldp_vp(*args, **options)

    monkeypatch.setattr(linked_data, "verify_ldp_vp", count)
    presented = present(scene, *[issue(scene, expirationDate=stamp(scene, days=days)) for days in range(10, 16)])
    verdict = await scene.platform.verify(presentation=presented, expected=EXPECTED)
    assert (verdict["valid"], len(verdict["credentials"]), len(calls)) == (True, 6, 1)
    wrong = present(scene, issue(scene), issue(scene, "aml-screening"), challenge="other")
    verdict = await scene.platform.verify(presentation=wrong, expected=EXPECTED)
    assert [failed(each["checks"]) for each in verdict["credentials"]] == [{("nonce", "nonce_mismatch")}] * 2
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"challenge": "other"}, ("nonce", "nonce_mismatch")),
        ({"domain": "https://other.example"}, ("audience", "audience_mismatch")),
        ({"purpose": "assertionMethod"}, ("holder_binding", "holder_binding_invalid")),
        ({"created": "2026-11-23T14:00:00Z"}, ("holder_binding", "holder_binding_stale")),
        ({"keys": new_key_pair()}, ("holder_binding", "holder_binding_invalid")),
    ],
    ids=lambda value: str(value[1]) if isinstance(value, tuple) else "",
)
async def test_a_presentation_is_its_subjects_for_us_and_now(
    scene: Scene, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    presented = present(scene, issue(scene), **changes)
    verdict = await scene.platform.verify(presentation=presented, expected=EXPECTED)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {expected})


@pytest.mark.parametrize("method", ["ethr", "pkh:eip155"])
async def test_an_account_may_be_the_issuer(scene: Scene, method: str) -> None:
    document = {
        "@context": [V1, CLAIMS_CONTEXT_1, RECOVERY],
        "type": ["VerifiableCredential", "KycCredential"],
        "issuer": "",
        "issuanceDate": stamp(scene, hours=-1),
        "expirationDate": stamp(scene, days=30),
        "credentialSubject": {"id": did_jwk_from_jwk(scene.wallet.keys.jwk), **CLAIMS["kyc"]},
    }
    suite = {"type": "EcdsaSecp256k1RecoverySignature2020", "proofPurpose": "assertionMethod"}
    # didkit cannot know our context by name, so that it is given the meaning in its place, which is the same RDF.
    known = client.inline_own_contexts(document)
    made = issue_by_didkit(known, method=method, key=new_secp256k1_key(), **suite)
    held = made | {"@context": document["@context"]}
    verdict = await scene.platform.verify(credential=held)
    assert failed(verdict["checks"]) == {("issuer_trusted", "issuer_untrusted")}
    await scene.platform.trust(held["issuer"], "kyc", entry_id="account")
    assert (await scene.platform.verify(credential=held))["outcome"] == "verified"
    for changes, expected in (
        ({"expirationDate": stamp(scene, days=300)}, {("signature", "proof_invalid")}),
        (
            {"issuer": held["issuer"][:-1] + ("1" if held["issuer"].endswith("0") else "0")},
            {("signature", "proof_invalid")},
        ),
        ({"type": [*held["type"], "Undefined"]}, {("format", "linked_data_loss")}),
    ):
        assert failed((await scene.platform.verify(credential=held | changes))["checks"]) == expected
    scene.deployment.clock.advance(days=31)
    expired = (await scene.platform.verify(credential=held))["checks"]
    assert failed(expired) == {("validity", "credential_expired")}


def use_worker(scene: Scene, monkeypatch: pytest.MonkeyPatch, worker: LinkedDataWorker) -> None:
    context = scene.deployment.context
    monkeypatch.setattr(scene.deployment.app.state, "context", replace(context, linked_data=worker))


WORSE = {
    "dies": "os.kill(os.getpid(), 9)",
    "hangs": "import time; time.sleep(60)",
    "eats": "held = bytearray(4 * 2**30)",
    "garbles": "sink.write(b'not json at all' * 9999); sink.flush()",
    "floods": "sink.write(b'\\xff' * 100000); sink.flush()",
    "lies": 'body = b\'{"result":{"checks":["proof"],"errors":null}}\'; answer(body)',
}
PROGRAM = """
import os, resource
resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))
source, sink = os.fdopen(0, "rb"), os.fdopen(1, "wb")
def answer(body):
    sink.write(len(body).to_bytes(4, "big") + body); sink.flush()
answer(b'{"ready":true}')
source.read(4)
"""


@pytest.mark.parametrize("fault", WORSE)
async def test_a_worker_that_fails_never_says_yes_and_the_next_one_answers(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    program = tmp_path / "worse.py"
    program.write_text(PROGRAM + WORSE[fault] + "\nsource.read()\n", encoding="utf-8")
    worker = LinkedDataWorker(program=program)
    use_worker(scene, monkeypatch, worker)
    verdict = await scene.platform.verify(credential=issue(scene))
    expected = {
        "hangs": ("undetermined", {("signature", "linked_data_timeout")}),
        "lies": ("rejected", {("signature", "proof_invalid")}),
    }.get(fault, ("undetermined", {("signature", "linked_data_failed")}))
    assert (verdict["outcome"], failed(verdict["checks"])) == expected
    monkeypatch.setattr(worker, "_program", Path(client.__file__).with_name("worker.py"))
    if fault == "lies":  # it is alive and well, for all that one can see
        await worker.close()
    assert (await scene.platform.verify(credential=issue(scene)))["outcome"] == "verified"
    await worker.close()


async def test_nobody_else_waits_for_a_worker_that_hangs(scene: Scene) -> None:
    worker, platform = scene.deployment.context.linked_data, scene.platform
    assert (await platform.verify(credential=issue(scene)))["valid"]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    held = await scene.kyc.issue("kyc", scene.wallet.keys)
    slow = asyncio.create_task(platform.verify(credential=issue(scene)))
    await asyncio.sleep(0.05)
    assert (await platform.verify(credential=held))["outcome"] == "verified"
    assert not slow.done()
    assert failed((await slow)["checks"]) == {("signature", "linked_data_timeout")}
    assert (await platform.verify(credential=issue(scene)))["valid"]


async def test_without_didkit_the_format_says_so(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.importlib.util, "find_spec", lambda name: None)
    verdict = await scene.platform.verify(credential=issue(scene))
    assert (verdict["outcome"], failed(verdict["checks"])) == (
        "undetermined",
        {("signature", "linked_data_unavailable")},
    )
    held = await scene.kyc.issue("kyc", scene.wallet.keys)
    assert (await scene.platform.verify(credential=held))["outcome"] == "verified"


def test_the_worker_belongs_to_the_process() -> None:
    assert Context.__dataclass_fields__["linked_data"].default_factory is LinkedDataWorker
