"""``/v1/verify`` for credentials with Data Integrity proofs: the same checks as for every other format."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.data_integrity import add_proof
from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.jose import SignFunction, load_key, sign_jws
from service.credentials.ldp_vc import CLAIMS_CONTEXT
from service.linked_data.bundled_contexts import load_contexts
from service.web.signing import ISSUER, get_active_key
from tests.deployment import Deployment
from tests.unit.linked_data_support import V2
from tests.unit.sd_jwt_support import KeyPair, new_key_pair
from tests.verifying_support import CLAIMS, Scene, build_scene, failed, seconds

EXPECTED = {"nonce": "n-0S6_WzA2Mj", "audience": "https://venue.example"}


@pytest.fixture
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


def _stamp(scene: Scene, **ahead: float) -> str:
    return (scene.deployment.clock() + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _credential(scene: Scene, issuer: str, name: str = "kyc", **changes: Any) -> dict[str, Any]:
    members = {
        "@context": [V2, CLAIMS_CONTEXT],
        "type": ["VerifiableCredential", CREDENTIAL_TYPES[name].w3c_type],
        "issuer": issuer,
        "validFrom": _stamp(scene),
        "validUntil": _stamp(scene, days=30),
        "credentialSubject": {"id": did_jwk_from_jwk(scene.wallet.keys.jwk), **_claims(name)},
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def _claims(name: str) -> dict[str, Any]:
    """Leave out ``sub``, which version 2.0 wants to be an IRI."""
    return {claim: value for claim, value in CLAIMS[name].items() if claim != "sub"}


STATUS_ENTRY = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "5",
    "statusListCredential": "https://elsewhere.example/lists/1",
}


async def _issue(scene: Scene, name: str = "kyc", suite: str = "ecdsa-rdfc-2019", **changes: Any) -> dict[str, Any]:
    """Sign with the key of an issuer here."""
    context, did = scene.deployment.context, scene.kyc.member.organization.did
    async with context.database.reading() as session:
        key = await get_active_key(session, scene.kyc.member.org_id, ISSUER)
    options = {"cryptosuite": suite, "verificationMethod": f"{did}#{key.kid}", "proofPurpose": "assertionMethod"}
    sign = context.signer.signing_function(key.kid)
    return add_proof(_credential(scene, did, name, **changes), options, load_key(key.public_jwk), sign, load_contexts())


def _present(
    scene: Scene, *credentials: Mapping[str, Any], keys: KeyPair | None = None, **changes: Any
) -> dict[str, Any]:
    keys = keys or scene.wallet.keys
    options = {
        "cryptosuite": "ecdsa-rdfc-2019",
        "verificationMethod": did_jwk_from_jwk(keys.jwk) + "#0",
        "proofPurpose": "authentication",
        "created": _stamp(scene),
        "challenge": EXPECTED["nonce"],
        "domain": EXPECTED["audience"],
        **changes,
    }
    options = {name: value for name, value in options.items() if value is not None}
    document = {"@context": [V2], "type": "VerifiablePresentation", "verifiableCredential": list(credentials)}
    return add_proof(document, options, keys.key, keys.sign, load_contexts())


@pytest.mark.parametrize("suite", ["ecdsa-rdfc-2019", "ecdsa-jcs-2019"])
async def test_a_sound_credential_of_an_issuer_here_passes_every_check(scene: Scene, suite: str) -> None:
    verdict = await scene.platform.verify(credential=await _issue(scene, suite=suite))
    assert (verdict["outcome"], verdict["format"], failed(verdict["checks"])) == ("verified", "ldp_vc", set())
    assert (verdict["issuer"], verdict["status"]) == (scene.kyc.member.organization.did, "none")
    assert verdict["claims"] == _claims("kyc")
    assert verdict["holder"] == did_jwk_from_jwk(scene.wallet.keys.jwk)


async def test_its_status_entry_is_what_was_signed(scene: Scene) -> None:
    signed = await _issue(scene, credentialStatus=STATUS_ENTRY)
    verdict = await scene.platform.verify(credential=signed)
    assert failed(verdict["checks"]) == {("status", "status_unavailable")}
    for change in ({"statusListIndex": "6"}, {"statusPurpose": "suspension"}, {"type": "StatusList2021Entry"}):
        moved = signed | {"credentialStatus": STATUS_ENTRY | change}
        assert (await scene.platform.verify(credential=moved))["outcome"] == "rejected"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"issuer": "did:web:localhost%3A8000:issuers:accreditor"}, ("issuer", "issuer_key_unknown")),
        ({"issuer": "did:web:elsewhere.example"}, ("issuer_trusted", "issuer_untrusted")),
        ({"validUntil": "2026-11-23T16:00:00Z"}, ("signature", "proof_invalid")),
        ({"credentialStatus": {"type": "StatusList2021Entry"}}, ("format", "linked_data_loss")),
        ({"@context": [V2]}, ("format", "context_unknown")),
        ({"type": ["VerifiableCredential", "Unknown"]}, ("format", "linked_data_loss")),
        ({"proof": {"type": "Ed25519Signature2020"}}, ("format", "proof_malformed")),
        ({"evidence": []}, ("format", "linked_data_invalid")),
        ({"credentialSubject": []}, ("format", "linked_data_invalid")),
        ({"issuer": None}, ("format", "w3c_document_invalid")),
    ],
    ids=str,
)
async def test_each_change_has_its_check(scene: Scene, changes: dict[str, Any], expected: tuple[str, str]) -> None:
    changed = {**await _issue(scene), **changes}
    verdict = await scene.platform.verify(credential={k: v for k, v in changed.items() if v is not None})
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {expected})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"validUntil": "2026-11-23T14:00:00Z", "validFrom": None}, ("validity", "credential_expired")),
        ({"validUntil": None}, ("validity", "credential_expiry_missing")),
        ({"validFrom": "2026-11-24T00:00:00Z"}, ("validity", "credential_not_yet_valid")),
        ({"credentialStatus": {"type": "BitstringStatusList"}}, ("status", "status_reference_invalid")),
    ],
    ids=str,
)
async def test_each_authentic_fault_has_its_check(
    scene: Scene, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    verdict = await scene.platform.verify(credential=await _issue(scene, suite="ecdsa-jcs-2019", **changes))
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {expected})


@pytest.mark.parametrize("country", [["US"], {"@value": "US"}, {"@value": "US", "@language": "en"}])
async def test_a_claim_has_one_way_of_writing(scene: Scene, country: Any) -> None:
    held = await _issue(scene)
    held["credentialSubject"] = {**held["credentialSubject"], "country": country}
    verdict = await scene.platform.verify(credential=held)
    assert failed(verdict["checks"]) == {("signature", "proof_invalid")}


async def test_nobody_can_hide_whom_a_credential_is_about(scene: Scene) -> None:
    """Source: JSON-LD 1.1, section 4.3.2: in RDF a set of one identifier is that identifier."""
    signed = await scene.kyc.issue_ldp_vc("kyc", scene.wallet.keys)
    verdict = await scene.platform.verify(credential=signed)
    assert (verdict["outcome"], verdict["claims"]["sub"]) == ("verified", CLAIMS["kyc"]["sub"])
    subject = signed["credentialSubject"]
    for odd in ([subject["sub"]], [subject["sub"]] * 2):
        verdict = await scene.platform.verify(credential=signed | {"credentialSubject": subject | {"sub": odd}})
        assert (verdict["valid"], failed(verdict["checks"])) == (False, {("format", "w3c_document_invalid")})


async def test_claims_cannot_move_to_another_description_of_the_subject(scene: Scene) -> None:
    keys = new_key_pair()
    did = did_key_from_jwk(keys.jwk)
    await scene.platform.trust(did, "kyc", entry_id="itself")
    options = {"cryptosuite": "ecdsa-rdfc-2019", "proofPurpose": "assertionMethod"}
    options["verificationMethod"] = f"{did}#{did.removeprefix('did:key:')}"
    subject = {"id": did, "country": "US", "given_name": "Canary"}
    held = add_proof(_credential(scene, did, credentialSubject=subject), options, keys.key, keys.sign, load_contexts())
    assert (await scene.platform.verify(credential=held))["valid"]
    moved = {"issuer": {"id": did, "country": "US"}, "credentialSubject": {"id": did, "given_name": "Canary"}}
    verdict = await scene.platform.verify(credential={**held, **moved})
    assert failed(verdict["checks"]) == {("format", "w3c_document_invalid")}


async def test_trust_is_for_the_type_that_the_credential_names(scene: Scene) -> None:
    verdict = await scene.platform.verify(credential=await _issue(scene, "qualified-investor"))
    assert {check for check, _ in failed(verdict["checks"])} == {"issuer_trusted"}


async def test_a_presentation_of_several_credentials_is_valid_only_if_all_are(scene: Scene) -> None:
    held = [await _issue(scene, name) for name in ("kyc", "aml-screening")]
    verdict = await scene.platform.verify(presentation=_present(scene, *held), expected=EXPECTED)
    assert (verdict["valid"], verdict["format"], len(verdict["credentials"])) == (True, "ldp_vc", 2)
    held[1]["validFrom"] = _stamp(scene, seconds=-1)
    verdict = await scene.platform.verify(presentation=_present(scene, *held), expected=EXPECTED)
    assert (verdict["valid"], failed(verdict["checks"])) == (False, {("signature", "proof_invalid")})
    assert [each["valid"] for each in verdict["credentials"]] == [True, False]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"challenge": "other"}, ("nonce", "nonce_mismatch")),
        ({"challenge": None}, ("nonce", "nonce_mismatch")),
        ({"domain": "https://other.example"}, ("audience", "audience_mismatch")),
        ({"proofPurpose": "assertionMethod"}, ("holder_binding", "holder_binding_invalid")),
        ({"created": "2026-11-23T14:00:00Z"}, ("holder_binding", "holder_binding_stale")),
        ({"created": None}, ("holder_binding", "holder_binding_stale")),
        ({"expires": "2026-11-23T14:00:00Z"}, ("holder_binding", "holder_binding_invalid")),
    ],
    ids=str,
)
async def test_a_presentation_is_for_us_and_now(
    scene: Scene, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    presentation = _present(scene, await _issue(scene), **changes)
    verdict = await scene.platform.verify(presentation=presentation, expected=EXPECTED)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {expected})


async def test_a_presentation_is_its_subjects(scene: Scene) -> None:
    held = await _issue(scene)
    for presentation, code in (
        (_present(scene, held, keys=new_key_pair()), "presentation_holder_invalid"),
        ({**_present(scene, held), "holder": "did:example:other"}, "presentation_holder_invalid"),
        (held, "holder_binding_missing"),
    ):
        verdict = await scene.platform.verify(presentation=presentation, expected=EXPECTED)
        assert failed(verdict["checks"]) == {("holder_binding", code)}
    verdict = await scene.platform.verify(credential=_present(scene, held))
    assert failed(verdict["checks"]) == {("format", "w3c_document_invalid")}


async def test_a_presentation_may_hold_enveloped_credentials_beside_others(scene: Scene) -> None:
    keys = new_key_pair()
    did, now = did_key_from_jwk(keys.jwk), seconds(scene.deployment.clock())
    await scene.platform.trust(did, "kyc", entry_id="itself")
    header = {"alg": "ES256", "typ": "vc+jwt", "kid": f"{did}#{did.removeprefix('did:key:')}"}
    holder = did_jwk_from_jwk(scene.wallet.keys.jwk)

    def envelop(subject_id: str, sign: SignFunction = keys.sign, **changes: Any) -> dict[str, Any]:
        claims = _credential(scene, did, credentialSubject={"id": subject_id, "country": "US"}, **changes)
        jwt = sign_jws(header, {**claims, "exp": now + 30 * 86_400}, sign)
        return {"@context": V2, "id": f"data:application/vc+jwt,{jwt}", "type": "EnvelopedVerifiableCredential"}

    for inner, expected in (
        (envelop(holder), set()),
        (envelop(did), {("holder_binding", "presentation_holder_invalid")}),
        (envelop(holder, new_key_pair().sign), {("signature", "invalid_signature")}),
        (envelop(holder, cnf={"jwk": new_key_pair().jwk}), {("holder_binding", "holder_key_invalid")}),
    ):
        presented = _present(scene, inner, await _issue(scene, "aml-screening"))
        verdict = await scene.platform.verify(presentation=presented, expected=EXPECTED)
        assert (verdict["valid"], failed(verdict["checks"])) == (not expected, expected)
        assert [each["format"] for each in verdict["credentials"]] == ["vc+jwt", "ldp_vc"]


async def test_nobody_notices_a_poisoned_document(scene: Scene) -> None:
    held = await _issue(scene)
    assert (await scene.platform.verify(credential=held))["valid"]
    branches = [{"sub": {"type": "KycCredential"}} for _ in range(7)]
    poison = {**held, "evidence": [{"type": "KycCredential", "evidence": branches}] * 12}
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    watcher, started = asyncio.create_task(watch()), time.process_time()
    verdict = await scene.platform.verify(credential=poison)
    watcher.cancel()
    assert failed(verdict["checks"]) <= {("format", "document_too_complex"), ("format", "linked_data_loss")}
    assert time.process_time() - started < 1.0  # with the watcher's own turns
    assert longest < 0.25
