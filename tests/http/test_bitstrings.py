"""Our status lists as the W3C's credentials, as those see them who read no other kind."""

import asyncio
import base64
import gzip
import json
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.bitstring_status_list import read_status_entries
from service.credentials.jose import load_key, parse_json, parse_jws
from service.credentials.key_proof import build_key_proof
from service.credentials.status_list_credential import read_status_list_credential, verify_status_list_credential
from service.linked_data.bundled_contexts import load_contexts
from tests.deployment import BASE_URL, Deployment, Member
from tests.gate_support import codes, open_market
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.prepared import prepared
from tests.unit.bitstring_support import entry
from tests.verifying_support import CLAIMS, build_scene, failed
from tests.verifying_support import Wallet as Holder

QUALIFIED = {
    "jurisdiction": "US",
    "category": "us.ai.income",
    "method": "third_party",
    "attester_class": "us_cpa",
    "steps_completed_on": "2026-11-01",
}
PURPOSES = ("revocation", "suspension")
DID = "did:web:localhost%3A8000:issuers:kyc"


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


async def issue(deployment: Deployment, member: Member, copies: int = 1) -> tuple[str, list[dict[str, Any]]]:
    """Issue ``kyc-jwt``; returns its id and the JWT's claims of each copy."""
    made = await make_offer(deployment, member, credential_configuration_id="kyc-jwt")
    answer = await Wallet(deployment, member).redeem(made, copies=copies)
    claims = [parse_json(parse_jws(entry["credential"]).payload) for entry in answer.json()["credentials"]]
    return await find_credential(deployment, member, made), claims


async def find_credential(deployment: Deployment, member: Member, made: dict[str, Any]) -> str:
    headers = await deployment.headers(member, "issuer")
    offer = (await deployment.http.get(f"/v1/credential-offers/{made['id']}", headers=headers)).json()
    found: str = offer["credentials"][0]["id"]
    return found


async def set_status(deployment: Deployment, member: Member, credential_id: str, status: str) -> None:
    headers = await deployment.headers(member, "issuer")
    body = {"status": status, "reason": "reviewed"}
    answer = await deployment.http.post(f"/v1/credentials/{credential_id}/status", json=body, headers=headers)
    assert answer.status_code == 200


async def read_bits(deployment: Deployment, claims: dict[str, Any], accept: str = "application/vc+jwt") -> list[bool]:
    """Fetch and verify the list of each entry; returns whether the credential's bit is set."""
    found = []
    for reference in read_status_entries(claims["vc"]):
        address = reference.uri.partition("#")[0]
        answer = await deployment.http.get(address, headers={"Accept": accept})
        assert answer.headers["content-type"] == accept
        read = read_status_list_credential(answer.content)
        [jwk] = (await deployment.http.get("/issuers/kyc/jwks")).json()["keys"]
        assert read.read_issuer()[:2] == (DID, f"{DID}#{jwk['kid']}")
        terms: dict[str, Any] = {"expected_reference": reference.uri, "now": deployment.clock()}
        published = verify_status_list_credential(read, load_key(jwk), load_contexts(), **terms)
        found.append(published.status_at(reference.index) != 0)
    return found


async def test_a_jwt_vc_names_one_place_for_readers_of_either_kind(
    sqlite_deployment: Deployment, member: Member
) -> None:
    _, [claims] = await issue(sqlite_deployment, member)
    place = claims["status"]["status_list"]
    assert claims["vc"]["credentialStatus"] == [
        {
            "id": f"{place['uri']}/{purpose}#{place['idx']}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": purpose,
            "statusListIndex": str(place["idx"]),
            "statusListCredential": f"{place['uri']}/{purpose}",
        }
        for purpose in PURPOSES
    ]


async def test_each_list_says_what_the_back_office_said(sqlite_deployment: Deployment, member: Member) -> None:
    credential_id, copies = await issue(sqlite_deployment, member, copies=2)
    _, [another] = await issue(sqlite_deployment, member)
    for status, bits in (
        ("valid", [False, False]),
        ("suspended", [False, True]),
        ("valid", [False, False]),
        ("suspended", [False, True]),
        ("revoked", [True, True]),  # so that no mix of an older and a newer list says that it stands
    ):
        await set_status(sqlite_deployment, member, credential_id, status)
        sqlite_deployment.clock.advance(seconds=60)
        assert [await read_bits(sqlite_deployment, claims) for claims in copies] == [bits, bits]
        for accept in ("application/vc", "application/ld+json", "application/json"):
            assert await read_bits(sqlite_deployment, copies[0], accept) == bits
        assert await read_bits(sqlite_deployment, another) == [False, False]


async def test_a_list_under_a_proof_says_the_same_as_the_token(sqlite_deployment: Deployment, member: Member) -> None:
    _, [claims] = await issue(sqlite_deployment, member)
    address = claims["vc"]["credentialStatus"][0]["statusListCredential"]
    # What clients ask for that would take either, the second of them as it was before there were two.
    for accept, expected in (("application/ld+json, application/json", "ld+json"), ("*/*", "vc+jwt")):
        answer = await sqlite_deployment.http.get(address, headers={"Accept": accept})
        assert answer.headers["content-type"] == f"application/{expected}"
    linked = await sqlite_deployment.http.get(address, headers={"Accept": "application/vc"})
    token = parse_json(parse_jws((await sqlite_deployment.http.get(address)).text).payload)
    document = linked.json()
    proof = document.pop("proof")
    assert document == {name: value for name, value in token.items() if name != "iat"}
    assert (proof["cryptosuite"], proof["proofPurpose"]) == ("ecdsa-rdfc-2019", "assertionMethod")
    again = await sqlite_deployment.http.get(address, headers={"Accept": "application/vc"})
    assert again.content == linked.content
    assert (await sqlite_deployment.http.get(address, headers={"Accept": "text/html"})).status_code == 406


async def test_the_list_as_another_reader_sees_it(sqlite_deployment: Deployment, member: Member) -> None:
    credential_id, [claims] = await issue(sqlite_deployment, member)
    await set_status(sqlite_deployment, member, credential_id, "suspended")
    entry = claims["vc"]["credentialStatus"][1]
    answer = await sqlite_deployment.http.get(entry["statusListCredential"])
    assert answer.headers["content-type"] == "application/vc+jwt"
    assert answer.headers["access-control-allow-origin"] == "*"
    header, shown = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in answer.text.split(".")[:2])
    assert (header["typ"], header["cty"]) == ("vc+jwt", "vc")
    assert header["kid"].startswith(f"{DID}#")
    subject = shown.pop("credentialSubject")
    assert shown == {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": entry["statusListCredential"],
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": DID,
        "iat": int(sqlite_deployment.clock().timestamp()),
        "validFrom": "2026-11-23T15:00:00Z",
        "validUntil": "2026-11-24T16:00:00Z",
    }
    encoded = subject.pop("encodedList")
    assert subject == {
        "id": f"{entry['statusListCredential']}#list",
        "type": "BitstringStatusList",
        "statusPurpose": "suspension",
        "ttl": 60_000,
    }
    bitstring = gzip.decompress(base64.urlsafe_b64decode(encoded.removeprefix("u") + "=="))
    index = int(entry["statusListIndex"])
    expected = bytearray(131_072 // 8)
    expected[index // 8] = 0x80 >> index % 8
    assert (encoded[0], bitstring) == ("u", bytes(expected))


async def test_lists_change_on_fixed_ticks_only_and_never_go_back(
    sqlite_deployment: Deployment, member: Member
) -> None:
    http, clock = sqlite_deployment.http, sqlite_deployment.clock
    credential_id, [claims] = await issue(sqlite_deployment, member)
    addresses = [entry["statusListCredential"] for entry in claims["vc"]["credentialStatus"]]
    first = [(await http.get(address)).text for address in addresses]
    await set_status(sqlite_deployment, member, credential_id, "revoked")
    clock.advance(seconds=59)
    assert [(await http.get(address)).text for address in addresses] == first
    clock.advance(seconds=1)
    answers = [await http.get(address) for address in addresses]
    assert all(answer.text not in first for answer in answers)
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=60"}
    assert await read_bits(sqlite_deployment, claims) == [True, True]
    clock.advance(seconds=-90)
    assert [(await http.get(address)).text for address in addresses] == [answer.text for answer in answers]


async def test_who_asks_together_gets_one_signature(sqlite_deployment: Deployment, member: Member) -> None:
    _, [claims] = await issue(sqlite_deployment, member)
    address = claims["vc"]["credentialStatus"][0]["statusListCredential"]
    answers = await asyncio.gather(*(sqlite_deployment.http.get(address) for _ in range(4)))
    assert len({answer.text for answer in answers}) == 1


async def test_what_is_asked_for_otherwise_is_not_there(sqlite_deployment: Deployment, member: Member) -> None:
    await add_issuer(sqlite_deployment, "other")
    _, [claims] = await issue(sqlite_deployment, member)
    uri = claims["status"]["status_list"]["uri"]
    moved = uri.replace("/issuers/kyc/", "/issuers/other/")
    for address in (
        f"{moved}/revocation",
        f"{uri}/message",
        f"{uri}/",
        f"{BASE_URL}/issuers/kyc/status-lists/no/revocation",
    ):
        assert (await sqlite_deployment.http.get(address)).status_code == 404, address
    assert (await sqlite_deployment.http.get(f"{uri}/revocation?timestamp=2026-11-23T00:00:00Z")).status_code == 501
    for accept, status in (
        ("application/vc+jwt, application/vc", 200),
        ("application/*", 200),
        ("application/vc", 200),
        ("application/statuslist+jwt", 406),
        ("application/vc+jwt;q=0", 406),
    ):
        answer = await sqlite_deployment.http.get(f"{uri}/revocation", headers={"Accept": accept})
        assert answer.status_code == status, accept


async def grant(holder: Holder, member: Member) -> str:
    """Issue ``qualified-investor-jwt`` to the holder's key; returns the credential's id."""
    deployment, wallet = holder.deployment, Wallet(holder.deployment, member)
    name = "qualified-investor-jwt"
    made = await make_offer(deployment, member, credential_configuration_id=name, claims=QUALIFIED)
    token = (await wallet.request_token(made)).json()["access_token"]
    terms = {"audience": wallet.identifier, "nonce": await wallet.fetch_nonce(), "issued_at": deployment.clock()}
    proof = build_key_proof(holder.keys.jwk, sign=holder.keys.sign, **terms)
    body = {"credential_configuration_id": name, "proofs": {"jwt": [proof]}}
    answer = await wallet.request_credential(token, body)
    holder.held[-1] = answer.json()["credentials"][0]["credential"]
    return await find_credential(deployment, member, made)


async def test_a_standing_follows_all_its_entries_as_one_status(sqlite_deployment: Deployment) -> None:
    market = await open_market(sqlite_deployment)
    scene, issuer = market.scene, market.scene.accreditor.member
    holder = await scene.new_wallet()
    credential_id = await grant(holder, issuer)
    made = await scene.platform.ask(purpose="us.506c", formats=["dc+sd-jwt", "jwt_vc_json"], investor_ref="ada")
    await holder.answer(made)
    found = await scene.platform.read(made["id"])
    assert (found["state"], failed(found["checks"])) == ("verified", set())
    assert "qualified_investor_jwt" in {each["id"] for each in found["credentials"]}
    start = sqlite_deployment.clock()
    for status, outcome, code in (
        ("valid", "permit", None),
        ("suspended", "deny", "CRED_SUSPENDED"),
        ("valid", "permit", None),
        ("revoked", "deny", "CRED_REVOKED"),
    ):
        await set_status(sqlite_deployment, issuer, credential_id, status)
        decision = await market.decide(market.buy("ada"))
        assert (decision["outcome"], code is None or code in codes(decision)) == (outcome, True)
        sqlite_deployment.clock.advance(seconds=30)
    for later, status in ((15, "valid"), (45, "suspended"), (75, "valid"), (105, "revoked")):
        at = (start + timedelta(seconds=later)).isoformat()
        standing = (
            await scene.platform.call("GET", f"/v1/investors/ada/standing?as_of={at.replace('+', '%2B')}")
        ).json()
        statuses = {each["credential_type"]: each["status"] for each in standing["credentials"]}
        assert statuses["qualified-investor"] == status


@pytest.mark.parametrize(
    ("named", "status"),
    [
        ([("revocation", "revocation")], "suspended"),
        ([("suspension", "suspension")], "suspended"),
        ([("suspension", "suspension"), ("revocation", "revocation")], "suspended"),
        ([("suspension", "revocation")], "unknown"),
        ([("message", "message")], "unknown"),
    ],
    ids=str,
)
async def test_each_entry_of_ours_says_all_that_there_is_to_say(
    sqlite_deployment: Deployment, named: list[tuple[str, str]], status: str
) -> None:
    scene = await build_scene(sqlite_deployment)
    index = scene.kyc.next_index
    vc = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential", "KycCredential"],
        "credentialSubject": CLAIMS["kyc"],
        "credentialStatus": [
            entry(
                statusPurpose=purpose,
                statusListIndex=str(index),
                statusListCredential=f"{scene.kyc.list_uri}/{ending}",
            )
            for ending, purpose in named
        ],
    }
    compact = await scene.kyc.issue_jwt_vc("kyc", scene.wallet.keys, status=None, vc=vc)
    await scene.kyc.set_status(index, 2)
    assert (await scene.platform.verify(credential=compact))["status"] == status
