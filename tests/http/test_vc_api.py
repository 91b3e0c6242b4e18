"""The façade for public test suites: off unless asked for, and as strict as the rest."""

import json
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.credentials.data_integrity import add_proof
from service.credentials.did import did_key_from_jwk, find_holder_key
from service.credentials.jose import sign_jws
from service.credentials.status_list_credential import read_status_list_credential, verify_status_list_credential
from service.keys import FileKeystore
from service.linked_data.bundled_contexts import load_example_contexts
from service.vc_api.issuers import open_issuers
from tests.deployment import BASE_URL, PASSPHRASE, START, Deployment, running_deployment
from tests.unit.bitstring_support import messages_of
from tests.unit.linked_data_support import V2, make_credential, make_signer
from tests.unit.sd_jwt_support import new_key_pair

V1, DATA_INTEGRITY = "https://www.w3.org/2018/credentials/v1", "https://w3id.org/security/data-integrity/v2"


@pytest.fixture
async def facade(sqlite_url: str, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with running_deployment(sqlite_url, tmp_path, vc_api=True) as deployment:
        yield deployment.http


async def _issue(facade: httpx2.AsyncClient, number: int = 0, suite: str | None = None, **members: Any) -> Any:
    issuer = (await facade.get("/vc-api/identifiers")).json()[number]
    credential = make_credential(**({"issuer": issuer} | members))
    options = {} if suite is None else {"cryptosuite": suite}
    return await facade.post("/vc-api/credentials/issue", json={"credential": credential, "options": options})


async def _verify(facade: httpx2.AsyncClient, credential: Any, **options: Any) -> Any:
    body = {"verifiableCredential": credential, "options": options}
    return await facade.post("/vc-api/credentials/verify", json=body)


async def test_the_facade_is_off_by_default(sqlite_deployment: Deployment) -> None:
    for path in ("credentials/issue", "credentials/verify", "presentations/verify"):
        assert (await sqlite_deployment.http.post(f"/vc-api/{path}", json={})).status_code == 404
    assert (await sqlite_deployment.http.get("/vc-api/identifiers")).status_code == 404


@pytest.mark.parametrize(
    ("number", "suite"),
    [(0, None), (0, "eddsa-jcs-2022"), (1, None), (1, "ecdsa-jcs-2019"), (2, None), (2, "ecdsa-jcs-2019")],
)
async def test_every_key_signs_with_its_suites(facade: httpx2.AsyncClient, number: int, suite: str | None) -> None:
    answer = await _issue(facade, number, suite)
    assert answer.status_code == 201, answer.text
    credential = answer.json()["verifiableCredential"]
    assert credential["proof"]["cryptosuite"] == suite or suite is None
    answer = await _verify(facade, credential)
    assert (answer.status_code, answer.json()["verified"]) == (200, True)
    answer = await _verify(facade, {**credential, "validUntil": "2030-01-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["code"]) == (400, "proof_invalid")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"issuer": "did:example:other"}, "issuer_not_here"),
        ({"credentialSubject": {}}, "w3c_document_invalid"),
        ({"@context": [V2]}, "linked_data_loss"),
        ({"@context": [V2, "https://example.org/unknown"]}, "context_unknown"),
        ({"@context": [V2, {"name": "https://example.org/other"}]}, "linked_data_invalid"),
        ({"evidence": [{"type": "A"}] * 101}, "document_too_complex"),
        ({"relatedResource": {"id": V2, "digestSRI": "sha256-AAAA"}}, "related_resource_mismatch"),
    ],
)
async def test_what_cannot_be_signed_is_refused(facade: httpx2.AsyncClient, members: dict[str, Any], code: str) -> None:
    answer = await _issue(facade, **members)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


async def test_an_unknown_suite_is_refused(facade: httpx2.AsyncClient) -> None:
    answer = await _issue(facade, suite="bbs-2023")
    assert (answer.status_code, answer.json()["code"]) == (400, "cryptosuite_unsupported")


async def test_version_1_gets_the_context_of_its_proof(facade: httpx2.AsyncClient) -> None:
    subject = {"id": "did:example:a"}
    old = {"@context": [V1], "type": ["VerifiableCredential"], "issuanceDate": "2026-01-01T00:00:00Z"}
    issuer = (await facade.get("/vc-api/identifiers")).json()[0]
    body = {"credential": {**old, "issuer": issuer, "credentialSubject": subject}}
    credential = (await facade.post("/vc-api/credentials/issue", json=body)).json()["verifiableCredential"]
    assert credential["@context"] == [V1, DATA_INTEGRITY]
    assert (await _verify(facade, credential)).status_code == 200


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"proof": None}, "proof_malformed"),
        ({"issuer": "did:example:other"}, "proof_invalid"),
        ({"validUntil": "2026-01-02T00:00:00Z"}, "proof_invalid"),
    ],
)
async def test_other_credentials_are_refused(facade: httpx2.AsyncClient, changed: dict[str, Any], code: str) -> None:
    credential = (await _issue(facade)).json()["verifiableCredential"] | changed
    answer = await _verify(facade, {name: value for name, value in credential.items() if value is not None})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


async def test_an_expired_credential_is_refused(facade: httpx2.AsyncClient) -> None:
    credential = (await _issue(facade, validUntil="2026-01-02T00:00:00Z")).json()["verifiableCredential"]
    assert (await _verify(facade, credential)).json()["code"] == "credential_expired"


async def test_proof_options_are_checked(facade: httpx2.AsyncClient) -> None:
    credential = (await _issue(facade)).json()["verifiableCredential"]
    assert (await _verify(facade, credential, challenge="n")).json()["code"] == "nonce_mismatch"
    assert (await _verify(facade, credential, domain="d")).json()["code"] == "audience_mismatch"
    proof = credential["proof"]
    for changed, code in (
        ({"proofPurpose": "authentication"}, "proof_purpose_mismatch"),
        ({"expires": "2026-01-01T00:00:00Z"}, "proof_not_current"),
        ({"previousProof": "urn:uuid:1"}, "proof_chain_broken"),
        ({"verificationMethod": "did:example:a#b"}, "proof_malformed"),
    ):
        answer = await _verify(facade, {**credential, "proof": {**proof, **changed}})
        assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


def _present(credential: dict[str, Any], contexts: Any, **members: Any) -> dict[str, Any]:
    method, key, sign = make_signer()
    presentation = {
        "@context": [V2],
        "type": ["VerifiablePresentation"],
        "verifiableCredential": [credential],
    } | members
    options = {"cryptosuite": "eddsa-rdfc-2022", "verificationMethod": method, "proofPurpose": "authentication"}
    return add_proof(presentation, options | {"challenge": "n-1", "domain": "us"}, key, sign, contexts)


async def test_a_presentation_and_all_in_it_are_verified(facade: httpx2.AsyncClient) -> None:
    contexts, holder = load_example_contexts(), make_signer()[0].partition("#")[0]
    credential = (await _issue(facade)).json()["verifiableCredential"]
    forged = {**credential, "validFrom": "2026-02-01T00:00:00Z"}
    envelope = {"@context": V2, "type": "EnvelopedVerifiableCredential", "id": "data:application/vc+jwt,a.b.c"}
    expected = {"challenge": "n-1", "domain": "us"}
    for presentation, options, status in (
        (_present(credential, contexts, holder=holder), expected, 200),
        (_present(credential, contexts), {**expected, "challenge": "n-2"}, 400),
        (_present(credential, contexts), {**expected, "domain": "them"}, 400),
        (_present(credential, contexts, holder="did:example:other"), expected, 400),
        (_present(forged, contexts), expected, 400),
        (_present(envelope, contexts), expected, 400),
        ({**_present(credential, contexts), "verifiableCredential": [credential, credential]}, expected, 400),
    ):
        body = {"verifiablePresentation": presentation, "options": options}
        answer = await facade.post("/vc-api/presentations/verify", json=body)
        assert answer.status_code == status, answer.text


async def test_bodies_of_another_shape_are_400(facade: httpx2.AsyncClient) -> None:
    for body in ({}, {"verifiableCredential": "a.b.c"}, {"verifiableCredential": {}, "options": 7}):
        answer = await facade.post("/vc-api/credentials/verify", json=body)
        assert (answer.status_code, answer.json()["code"] in ("invalid_input", "w3c_document_invalid")) == (400, True)


async def test_identifiers_are_resolved(facade: httpx2.AsyncClient) -> None:
    for did in (await facade.get("/vc-api/identifiers")).json():
        assert (await facade.get(f"/vc-api/identifiers/{did}")).json()["didDocument"]["id"] == did
    assert (await facade.get("/vc-api/identifiers/did:key:zz")).status_code == 400


def test_issuers_stay_the_same(tmp_path: Path) -> None:
    signer = FileKeystore(tmp_path / "keys", PASSPHRASE)
    first = open_issuers(signer, tmp_path)
    assert list(open_issuers(signer, tmp_path)) == list(first)
    assert [issuer.key.alg for issuer in first.values()] == ["EdDSA", "ES256", "ES384"]


@pytest.mark.skipif(find_spec("didkit") is None, reason="didkit has no build for Python 3.13 and later")
async def test_accounts_are_resolved_by_didkit(facade: httpx2.AsyncClient) -> None:
    address = "0xb9c5714089478a327f09197987f16f9e5d936e8a"
    for did in (f"did:ethr:{address}", f"did:pkh:eip155:1:{address}"):
        document = (await facade.get(f"/vc-api/identifiers/{did}")).json()["didDocument"]
        assert document["id"] == did
        assert document["verificationMethod"][0]["blockchainAccountId"] == f"eip155:1:{address}"
    answer = await facade.get("/vc-api/identifiers/did:pkh:nothing")
    assert (answer.status_code, answer.json()["code"]) == (400, "did_unresolvable")


async def test_a_status_is_given_out_once_set_and_cleared(facade: httpx2.AsyncClient) -> None:
    issuer = (await facade.get("/vc-api/identifiers")).json()[1]
    places, held = set(), []
    for _ in range(3):
        options = {"statusPurpose": ["revocation", "suspension"]}
        body = {"credential": make_credential(issuer=issuer), "options": options}
        answer = await facade.post("/vc-api/credentials/issue", json=body)
        assert answer.status_code == 201, answer.text
        held.append(answer.json()["verifiableCredential"])
        places.add(held[-1]["credentialStatus"][0]["statusListIndex"])
    assert len(places) == 3
    entry = held[0]["credentialStatus"][1]
    for is_set, expected in ((True, 400), (False, 200), (True, 400)):
        body = {"credentialStatus": entry, "status": is_set}
        assert (await facade.post("/vc-api/credentials/status", json=body)).status_code == 200
        assert (await _verify(facade, held[0])).status_code == expected
        assert (await _verify(facade, held[1])).status_code == 200
    published = (await facade.get(entry["statusListCredential"].removeprefix(BASE_URL))).json()
    assert (await _verify(facade, published)).status_code == 200
    read = read_status_list_credential(json.dumps(published).encode())
    key = find_holder_key(issuer)
    assert key is not None
    terms: dict[str, Any] = {"expected_reference": f"{entry['statusListCredential']}#suspension", "now": START}
    bits = verify_status_list_credential(read, key, load_example_contexts(), **terms)
    set_ones = [place for place in places if bits.status_at(int(place)) != 0]
    assert set_ones == [entry["statusListIndex"]]


async def test_a_status_may_carry_messages(facade: httpx2.AsyncClient) -> None:
    issuer = (await facade.get("/vc-api/identifiers")).json()[0]
    words = messages_of("pending", "accepted", "rejected", "undefined")
    options = {
        "statusPurpose": ["revocation", "message"],
        "statusMessage": words,
        "statusReference": "https://a.example/",
    }
    body = {"credential": make_credential(issuer=issuer), "options": options}
    issued = (await facade.post("/vc-api/credentials/issue", json=body)).json()["verifiableCredential"]
    entry = issued["credentialStatus"][1]
    assert (entry["statusSize"], entry["statusMessage"], entry["statusReference"]) == (2, words, "https://a.example/")
    for value, expected in ((0, 200), (3, 400), (1, 400), (0, 200)):
        body = {"credentialStatus": entry, "status": value}
        assert (await facade.post("/vc-api/credentials/status", json=body)).status_code == 200
        assert (await _verify(facade, issued)).status_code == expected
        published = (await facade.get(entry["statusListCredential"].removeprefix(BASE_URL))).json()
        assert (await _verify(facade, published)).status_code == 200
        assert (published["credentialSubject"]["statusSize"], published["credentialSubject"]["statusMessages"]) == (
            2,
            words,
        )
        read = read_status_list_credential(json.dumps(published).encode())
        key = find_holder_key(issuer)
        assert key is not None
        terms: dict[str, Any] = {"expected_reference": f"{entry['statusListCredential']}#message:2", "now": START}
        listed = verify_status_list_credential(read, key, load_example_contexts(), **terms)
        assert listed.status_at(int(entry["statusListIndex"])) == (value and value + 2)
    for odd in ({"status": 4}, {"status": -1}, {"credentialStatus": entry | {"statusListIndex": "1"}, "status": 1}):
        answer = await facade.post("/vc-api/credentials/status", json=body | odd)
        assert (answer.status_code, answer.json()["code"]) == (400, "facade_status_refused")
    for name in ("message-", "..", "message-00", "refresh"):
        path = entry["statusListCredential"].removeprefix(BASE_URL).rpartition("/")[0]
        assert (await facade.get(f"{path}/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("credential", "options", "code"),
    [
        ({}, {"statusPurpose": "refresh"}, "facade_status_refused"),
        ({}, {"statusPurpose": "message", "statusMessage": 5}, "status_reference"),
        ({}, {"statusPurpose": "message", "statusMessage": [{"status": "0x0", "message": "a"}]}, "status_reference"),
        ({}, {"statusPurpose": {}}, "facade_status_refused"),
        ({"credentialStatus": {"type": "BitstringStatusListEntry", "statusListIndex": True}}, {}, "status_reference"),
        ({"credentialStatus": {"type": "Other", "id": "urn:x:y"}}, {"statusPurpose": "revocation"}, "facade_status"),
    ],
    ids=str,
)
async def test_a_malformed_status_is_refused(
    facade: httpx2.AsyncClient, credential: dict[str, Any], options: dict[str, Any], code: str
) -> None:
    issuer = (await facade.get("/vc-api/identifiers")).json()[1]
    body = {"credential": make_credential(issuer=issuer, **credential), "options": options}
    answer = await facade.post("/vc-api/credentials/issue", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"].startswith(code)
    unknown = {"credentialStatus": {**entry_of(f"{BASE_URL}/vc-api/status-lists/../revocation")}}
    answer = await facade.post("/vc-api/credentials/status", json=unknown)
    assert (answer.status_code, answer.json()["code"]) == (400, "facade_status_refused")


def entry_of(address: str) -> dict[str, str]:
    return {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "1",
        "statusListCredential": address,
    }


async def test_enveloped_credentials_count_in_presentations(facade: httpx2.AsyncClient) -> None:
    keys = new_key_pair()
    did = did_key_from_jwk(keys.jwk)
    method = f"{did}#{did.removeprefix('did:key:')}"
    times = {"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2030-01-01T00:00:00Z"}
    plain = {"@context": [V2], "type": ["VerifiableCredential"], "issuer": did, "credentialSubject": {"id": did}}
    for signer, expected in ((keys, 200), (new_key_pair(), 400)):
        jwt = sign_jws({"alg": "ES256", "typ": "vc+jwt", "kid": method}, plain | times, signer.sign)
        envelope = {"@context": V2, "id": f"data:application/vc+jwt,{jwt}", "type": "EnvelopedVerifiableCredential"}
        document = {"@context": [V2], "type": "VerifiablePresentation", "verifiableCredential": [envelope]}
        options = {"cryptosuite": "ecdsa-rdfc-2019", "verificationMethod": method, "proofPurpose": "authentication"}
        presented = add_proof(document, options, keys.key, keys.sign, load_example_contexts())
        body = {"verifiablePresentation": presented, "options": {}}
        answer = await facade.post("/vc-api/presentations/verify", json=body)
        assert answer.status_code == expected, answer.text
