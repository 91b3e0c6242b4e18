"""The Digital Credentials API: a page carries request and answer, and its origin is whom the answer is for."""

import json
from typing import Any

import httpx2
import pytest

from service.credentials.did import select_verification_key
from service.credentials.jose import parse_json, parse_jws, verify_jws
from service.keys.jwe import encrypt
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Scene, build_scene, failed

ORIGIN = "https://venue.example"
TERMS: dict[str, Any] = {"purpose": "us.506c", "expected_origins": [ORIGIN, "http://localhost:8443"]}


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def hand_in(scene: Scene, made: dict[str, Any], data: Any, origin: str = ORIGIN) -> httpx2.Response:
    path = f"/v1/presentation-requests/{made['id']}/dc-api-response"
    return await scene.platform.call("POST", path, {"origin": origin, "data": data})


def lock(request: dict[str, Any], parameters: dict[str, Any], **key: Any) -> dict[str, Any]:
    """Encrypt as a wallet does."""
    [jwk] = request["client_metadata"]["jwks"]["keys"]
    return {"response": encrypt(json.dumps(parameters).encode(), jwk | key, method="A256GCM")}


async def test_an_unsigned_request_is_answered_for_its_origin(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS, response_mode="dc_api", investor_ref="inv-1")
    assert (made["request_uri"], made["deep_link"], made["web_link"]) == (None, None, None)
    assert made["dc_api_request"]["protocol"] == "openid4vp-v1-unsigned"
    request = made["dc_api_request"]["data"]
    assert set(request) == {"response_type", "response_mode", "nonce", "dcql_query", "client_metadata", "purpose"}
    answer = await hand_in(scene, made, {"vp_token": scene.wallet.present(request, audience=f"origin:{ORIGIN}")})
    assert (answer.status_code, answer.json()["state"]) == (200, "verified")
    assert answer.json() == await scene.platform.read(made["id"])
    assert len(await scene.platform.list_kept("inv-1")) == 3
    again = await hand_in(scene, made, {"error": "access_denied"})
    assert (again.status_code, again.json()["code"]) == (409, "presentation_closed")


async def test_a_signed_request_names_its_origins(scene: Scene) -> None:
    made = await scene.platform.ask(
        **TERMS, response_mode="dc_api.jwt", client_id_prefix="decentralized_identifier", transaction_data=None
    )
    assert made["dc_api_request"]["protocol"] == "openid4vp-v1-signed"
    jws = parse_jws(made["dc_api_request"]["data"]["request"])
    document = (await scene.deployment.http.get("/organizations/platform/did.json")).json()
    key = select_verification_key(document, jws.header["kid"], relationship="authentication")
    request = verify_jws(jws, key, expected_typ={"oauth-authz-req+jwt"})
    assert request["client_id"] == f"decentralized_identifier:{scene.platform.member.organization.did}"
    assert request["expected_origins"] == TERMS["expected_origins"]
    assert not request.keys() & {"state", "response_uri", "redirect_uri"}
    # The audience is the origin even where the client has a name.
    token = scene.wallet.present(request, audience=request["client_id"])
    assert (await hand_in(scene, made, lock(request, {"vp_token": token}))).json()["state"] == "rejected"
    found = await scene.platform.read(made["id"])
    assert ("audience", "audience_mismatch") in failed(found["checks"])


@pytest.mark.parametrize("prefix", [None, "decentralized_identifier"])
async def test_an_encrypted_answer_verifies(scene: Scene, prefix: str | None) -> None:
    made = await scene.platform.ask(**TERMS, response_mode="dc_api.jwt", client_id_prefix=prefix)
    data = made["dc_api_request"]["data"]
    request = parse_json(parse_jws(data["request"]).payload) if prefix else data
    token = scene.wallet.present(request, audience="origin:http://localhost:8443")
    answer = await hand_in(scene, made, lock(request, {"vp_token": token}), "http://localhost:8443")
    assert answer.json()["state"] == "verified", answer.json()["checks"]


async def test_an_answer_for_another_page_is_rejected(scene: Scene) -> None:
    """Made for one of our origins and handed in by another is as wrong as made for a stranger's."""
    for audience in ("origin:http://localhost:8443", "origin:https://evil.example", ORIGIN, f"origin:{ORIGIN}/"):
        made = await scene.platform.ask(**TERMS, response_mode="dc_api")
        token = scene.wallet.present(made["dc_api_request"]["data"], audience=audience)
        answer = await hand_in(scene, made, {"vp_token": token})
        assert answer.json()["state"] == "rejected"
        assert ("audience", "audience_mismatch") in failed(answer.json()["checks"])


async def test_what_is_no_answer_leaves_the_request_open(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS, response_mode="dc_api.jwt")
    request = made["dc_api_request"]["data"]
    token = scene.wallet.present(request, audience=f"origin:{ORIGIN}")
    good = lock(request, {"vp_token": token})
    bad: list[Any] = [
        {},
        {"vp_token": token},
        {"response": 7},
        {"response": "a.b.c.d.e"},
        {"response": good["response"][:-4] + "AAAA"},
        lock(request, {"vp_token": "text"}),
        lock(request, {"vp_token": {"kyc": "text"}}),
        lock(request, {"vp_token": {"kyc": []}}),
        lock(request, {}),
        lock(request, {"vp_token": token}, **new_key_pair().jwk),
    ]
    for data in bad:
        answer = await hand_in(scene, made, data)
        assert (answer.status_code, answer.json()["code"]) == (422, "dc_api_response_invalid"), data
    for origin in ("https://evil.example", f"{ORIGIN}/", "https://VENUE.example", f"{ORIGIN}:443"):
        answer = await hand_in(scene, made, good, origin)
        assert (answer.status_code, answer.json()["code"]) == (422, "origin_mismatch")
    assert (await scene.deployment.http.post(f"/openid4vp/responses/{made['id']}", data=good)).status_code == 404
    assert (await scene.deployment.http.get(f"/openid4vp/requests/{made['id']}")).status_code == 404
    assert (await scene.deployment.http.get(f"/presentation-requests/{made['id']}")).status_code == 404
    assert (await hand_in(scene, made, good)).json()["state"] == "verified"


async def test_a_refusal_comes_as_data_too(scene: Scene) -> None:
    for data, code in (({"error": "access_denied"}, "access_denied"), ({"error": "<script>"}, "other")):
        made = await scene.platform.ask(**TERMS, response_mode="dc_api.jwt")
        answer = await hand_in(scene, made, data)
        assert (answer.status_code, answer.json()["state"]) == (200, "rejected")
        assert failed(answer.json()["checks"]) == {("wallet", code)}


async def test_a_late_answer_or_one_of_another_kind_is_refused(scene: Scene) -> None:
    posted = await scene.platform.ask(purpose="us.506c")
    refused = await hand_in(scene, posted, {"error": "access_denied"})
    assert (refused.status_code, refused.json()["code"]) == (409, "presentation_closed")
    assert (await hand_in(scene, {"id": "preq_none"}, {})).status_code == 404
    made = await scene.platform.ask(**TERMS, response_mode="dc_api")
    scene.deployment.clock.advance(minutes=10)
    late = await hand_in(scene, made, {"error": "access_denied"})
    assert (late.status_code, late.json()["code"]) == (409, "presentation_closed")


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"expected_origins": None}, "expected_origins_invalid"),
    ({"response_mode": "direct_post"}, "expected_origins_invalid"),
    ({"expected_origins": ["http://venue.example"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://venue.example/"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://venue.example:443"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://venue.example:0"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://Venue.example"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://a@venue.example"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://venue.example?a"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://*.example"]}, "expected_origins_invalid"),
    ({"expected_origins": ["https://[::1"]}, "expected_origins_invalid"),
    ({"expected_origins": ["javascript:alert(1)"]}, "expected_origins_invalid"),
    ({"expected_origins": ["null"]}, "expected_origins_invalid"),
    ({"client_id_prefix": "redirect_uri"}, "client_id_prefix_unsupported"),
    ({"redirect_uri": "https://venue.example/back"}, "redirect_uri_invalid"),
    ({"request_uri_method": "post"}, "request_uri_method_invalid"),
]


async def test_requests_that_no_page_can_carry(scene: Scene) -> None:
    for change, code in IMPOSSIBLE:
        body = {**TERMS, "response_mode": "dc_api"} | change
        answer = await scene.platform.call("POST", "/v1/presentation-requests", body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), change
