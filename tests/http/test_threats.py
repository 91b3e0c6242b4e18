"""Attacks on the whole service that no single module's tests make. The numbers are the rows of docs/threats.md."""

import hmac
import json
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.credentials.encoding import b64url_decode, b64url_encode
from service.credentials.jose import load_key, parse_json, parse_jws, sign_jws
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web.signing import ACCESS, GATE, ISSUER, get_active_key
from tests.deployment import BASE_URL, Deployment, Member
from tests.gate_support import SECURITY, open_market
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.prepared import prepared
from tests.verifying_support import build_scene, failed

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # order of P-256


@prepared
async def platform(sqlite_deployment: Deployment) -> Member:
    return await sqlite_deployment.add_organization("platform", "platform")


async def _read_token(deployment: Deployment, member: Member) -> tuple[dict[str, Any], dict[str, Any]]:
    header = await deployment.headers(member, "gate")
    parsed = parse_jws(header["Authorization"].removeprefix("Bearer "))
    return parsed.header, parse_json(parsed.payload)


async def _list_securities(deployment: Deployment, token: str) -> int:
    answer = await deployment.http.get("/v1/securities", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
async def test_row_1_an_unsigned_access_token(sqlite_deployment: Deployment, platform: Member, alg: str) -> None:
    header, claims = await _read_token(sqlite_deployment, platform)
    token = f"{_encode(header | {'alg': alg})}.{_encode(claims)}."
    assert await _list_securities(sqlite_deployment, token) == 401


async def test_row_2_an_access_token_under_the_public_key_as_secret(
    sqlite_deployment: Deployment, platform: Member
) -> None:
    header, claims = await _read_token(sqlite_deployment, platform)
    [jwk] = (await sqlite_deployment.http.get("/oauth/jwks")).json()["keys"]
    pem = load_key(jwk).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing_input = f"{_encode(header | {'alg': 'HS256'})}.{_encode(claims)}"
    for secret in (pem, json.dumps(jwk).encode(), b64url_decode(jwk["x"])):
        signature = hmac.digest(secret, signing_input.encode(), "sha256")
        assert await _list_securities(sqlite_deployment, f"{signing_input}.{b64url_encode(signature)}") == 401


@pytest.mark.parametrize("kid", ["../passphrase", "' OR 1=1 --", "\ud800", "", 7, None, ["a"], {"a": 1}])
async def test_row_3_a_kid_is_an_opaque_name(sqlite_deployment: Deployment, platform: Member, kid: Any) -> None:
    """The signature is good; only the name of its key is not."""
    header, claims = await _read_token(sqlite_deployment, platform)
    async with sqlite_deployment.context.database.reading() as session:
        key = await get_active_key(session, SYSTEM_ORG_ID, ACCESS)
    sign = sqlite_deployment.context.signer.signing_function(key.kid)
    answers = []
    for named in (key.kid, kid):
        signing_input = f"{_encode(header | {'kid': named})}.{_encode(claims)}"
        token = f"{signing_input}.{b64url_encode(sign(signing_input.encode()))}"
        answers.append(await _list_securities(sqlite_deployment, token))
    assert answers == [200, 401]


async def test_row_5_an_access_token_that_brings_its_key(sqlite_deployment: Deployment, platform: Member) -> None:
    _, claims = await _read_token(sqlite_deployment, platform)
    own = sqlite_deployment.context.signer.create_key("ES256")
    header = {"alg": "ES256", "typ": "at+jwt", "kid": own.kid, "jwk": dict(own.jwk)}
    token = sign_jws(header, claims, sqlite_deployment.context.signer.signing_function(own.kid))
    assert await _list_securities(sqlite_deployment, token) == 401


@pytest.mark.parametrize("typ", ["kb+jwt", "statuslist+jwt", "dc+sd-jwt", "transfer-decision+jwt", "JWT", None])
async def test_row_10_a_token_of_ours_made_for_something_else(
    sqlite_deployment: Deployment, platform: Member, typ: str | None
) -> None:
    """Signed with the very key of access tokens, and with all their claims: only the type differs."""
    header, claims = await _read_token(sqlite_deployment, platform)
    async with sqlite_deployment.context.database.reading() as session:
        key = await get_active_key(session, SYSTEM_ORG_ID, ACCESS)
    sign = sqlite_deployment.context.signer.signing_function(key.kid)
    others = {name: value for name, value in (header | {"typ": typ}).items() if value is not None}
    assert await _list_securities(sqlite_deployment, sign_jws(header, claims, sign)) == 200
    assert await _list_securities(sqlite_deployment, sign_jws(others, claims, sign)) == 401


@pytest.mark.parametrize("purpose", [GATE, ISSUER])
async def test_row_10_a_key_of_another_use_signs_no_access(sqlite_deployment: Deployment, purpose: str) -> None:
    member = await sqlite_deployment.add_organization("both", "platform", "issuer")
    header, claims = await _read_token(sqlite_deployment, member)
    async with sqlite_deployment.context.database.reading() as session:
        key = await get_active_key(session, member.org_id, purpose)
    sign = sqlite_deployment.context.signer.signing_function(key.kid)
    assert await _list_securities(sqlite_deployment, sign_jws(header | {"kid": key.kid}, claims, sign)) == 401


async def test_row_10_a_status_list_is_no_credential(sqlite_deployment: Deployment) -> None:
    scene = await build_scene(sqlite_deployment)
    token = (await sqlite_deployment.http.get(scene.kyc.list_uri)).text
    verdict = await scene.platform.verify(credential=token + "~")
    assert verdict["outcome"] == "rejected"
    assert failed(verdict["checks"]) <= {("format", "sd_jwt_type_invalid"), ("format", "credential_claims_invalid")}


async def test_row_9_the_other_signature_of_a_proof_is_no_new_proof(sqlite_deployment: Deployment) -> None:
    """(r, n - s) verifies as well as (r, s); what is spent is the nonce, so the twin brings nothing."""
    issuer = await add_issuer(sqlite_deployment)
    wallet = Wallet(sqlite_deployment, issuer)
    nonce = await wallet.fetch_nonce()
    proof = wallet.prove(nonce)
    codes = []
    for each in (proof, _twin(proof)):
        made = await make_offer(sqlite_deployment, issuer)
        token = (await wallet.request_token(made)).json()["access_token"]
        body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [each]}}
        codes.append((await wallet.request_credential(token, body)).json().get("error"))
    assert codes == [None, "invalid_nonce"]


def _twin(token: str) -> str:
    signing_input, _, signature = token.rpartition(".")
    raw = b64url_decode(signature)
    s = N - int.from_bytes(raw[32:], "big")
    return f"{signing_input}.{b64url_encode(raw[:32] + s.to_bytes(32, 'big'))}"


@pytest.mark.parametrize(
    "content",
    [
        b'{"credential": NaN}',
        b'{"credential": 1e999}',
        b'{"credential": "a", "credential": "b"}',
        b"[" * 100_000,
        b'{"credential": "' + b"a" * 10_000_000 + b'"}',
        b"\xff",
        b"",
    ],
    ids=["nan", "infinite", "repeated", "deep", "large", "not utf-8", "empty"],
)
async def test_rows_7_and_12_a_body_that_is_no_strict_json(
    sqlite_deployment: Deployment, platform: Member, content: bytes
) -> None:
    access = await sqlite_deployment.headers(platform, "verifier")
    for path in ("/v1/verify", "/v1/presentation-requests"):
        headers = access | {"Content-Type": "application/json"}
        answer = await sqlite_deployment.http.post(path, content=content, headers=headers)
        assert answer.status_code in (400, 413, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_row_46_a_key_of_one_organisation_means_nothing_to_another(sqlite_deployment: Deployment) -> None:
    answers = []
    for slug in ("first", "second"):
        member = await sqlite_deployment.add_organization(slug, "platform")
        access = await sqlite_deployment.headers(member, "verifier") | {"Idempotency-Key": "shared"}
        body = {"purpose": "us.506c", "investor_ref": slug}
        answers.append(await sqlite_deployment.http.post("/v1/presentation-requests", json=body, headers=access))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert "idempotency-replayed" not in answers[1].headers


@pytest.mark.parametrize("other", ["NOTE", "note%20", "%EF%BD%8Eote", "note%2F", "not%CC%A7e"])
async def test_row_48_an_id_that_looks_alike_is_another(
    sqlite_deployment: Deployment, platform: Member, other: str
) -> None:
    access = await sqlite_deployment.headers(platform, "gate")
    made = await sqlite_deployment.http.put("/v1/securities/note", json=SECURITY, headers=access)
    assert made.status_code == 201
    assert (await sqlite_deployment.http.get(f"/v1/securities/{other}", headers=access)).status_code in (404, 422)


async def test_row_50_what_belongs_to_another_looks_unknown(sqlite_deployment: Deployment) -> None:
    market = await open_market(sqlite_deployment)
    await market.admit("ada")
    decision = await market.decide(market.buy("ada"))
    asked = await market.scene.platform.ask(purpose="us.506c")
    stranger = await sqlite_deployment.add_organization("stranger", "platform", "issuer")
    access = await sqlite_deployment.headers(stranger, "gate", "verifier", "issuer", "compliance")
    for method, path, body in (
        ("GET", "/v1/securities/{}", None),
        ("GET", "/v1/securities/{}/offerings/reg-d", None),
        ("GET", "/v1/securities/{}/positions", None),
        ("GET", "/v1/securities/{}/holders", None),
        ("GET", "/v1/transfers/{}", None),
        ("GET", "/v1/transfers/{}/bundle", None),
        ("POST", "/v1/transfers/{}/settle", {"reference": "mine"}),
        ("POST", "/v1/transfers/{}/void", {"reason": "mine"}),
        ("GET", "/v1/presentation-requests/{}", None),
        ("GET", "/v1/trusted-issuers/{}", None),
        ("GET", "/v1/investors/{}/standing", None),
    ):
        theirs = {"securities": "note", "transfers": decision["id"], "presentation-requests": asked["id"]}
        theirs |= {"trusted-issuers": "kyc", "investors": "ada"}
        answers = [
            await sqlite_deployment.http.request(method, path.format(name), json=body, headers=access)
            for name in (theirs[path.split("/")[2]], "nothing")
        ]
        assert [answer.status_code for answer in answers] == [404, 404], path
        assert _without_instance(answers[0]) == _without_instance(answers[1]), path


def _without_instance(answer: httpx2.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "instance"}


async def test_row_49_a_decision_says_what_it_is_about(sqlite_deployment: Deployment) -> None:
    """Each member that could be swapped is under the signature, and the signature is the organisation's."""
    market = await open_market(sqlite_deployment)
    await market.admit("ada")
    decision = await market.decide(market.buy("ada"))
    signed = parse_json(parse_jws(decision["decision"]).payload)
    for name in ("id", "security_id", "offering_id", "action", "quantity", "price", "parties", "outcome", "expires_at"):
        assert signed[name] == decision[name], name
    assert signed["iss"] == market.member.organization.did
    assert signed["iss"].startswith("did:web:" + BASE_URL.removeprefix("http://").replace(":", "%3A"))
    assert (await market.settle(decision, "ref-1")).status_code == 200
    assert (await market.settle(decision, "ref-1")).json()["reservation"]["state"] == "settled"
    assert await market.positions() == {"ada": "100"}


def _encode(value: Any) -> str:
    return b64url_encode(json.dumps(value).encode())
