"""OpenID4VP on the wire: the Request Object, the response endpoint, the page, and what a platform may ask for."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from service.credentials.did import select_verification_key
from service.credentials.jose import b64url_decode, b64url_encode, parse_json, parse_jws, verify_jws, write_json
from service.keys.jwe import encrypt
from service.wallet import links as wallet_links
from service.wallet import requests as wallet_requests
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Scene, build_scene

KYC = {"id": "k", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}}


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def test_the_request_object_is_signed_by_the_did_that_asks(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    link = urlsplit(made["deep_link"])
    parameters = {name: values[0] for name, values in parse_qs(link.query).items()}
    assert (link.scheme, set(parameters)) == ("openid4vp", {"client_id", "request_uri"})
    assert parameters["request_uri"] == made["request_uri"]
    answer = await scene.deployment.http.get(made["request_uri"])
    assert answer.headers["content-type"] == "application/oauth-authz-req+jwt"
    jws = parse_jws(answer.text)
    did = scene.platform.member.organization.did
    document = (await scene.deployment.http.get("/organizations/platform/did.json")).json()
    key = select_verification_key(document, jws.header["kid"], relationship="authentication")
    claims = verify_jws(jws, key, expected_typ={"oauth-authz-req+jwt"})
    assert claims["client_id"] == parameters["client_id"] == f"decentralized_identifier:{did}"
    assert (claims["aud"], claims["response_type"]) == ("https://self-issued.me/v2", "vp_token")
    assert claims["response_mode"] == "direct_post"
    assert "redirect_uri" not in claims
    assert min(len(b64url_decode(claims[name])) for name in ("nonce", "state")) >= 16
    assert claims["exp"] - claims["iat"] == 600
    assert claims["client_metadata"]["client_name"] == "Platform"
    assert "jwks" not in claims["client_metadata"]
    assert set(claims["client_metadata"]["vp_formats_supported"]) == {"dc+sd-jwt", "jwt_vc_json", "vc+jwt", "ldp_vc"}
    assert [each["id"] for each in claims["dcql_query"]["credentials"]] == ["kyc", "aml", "qualified_investor"]


async def test_encrypted_responses_get_a_key_of_their_own(scene: Scene) -> None:
    jwks = []
    for _ in range(2):
        made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
        metadata = (await scene.wallet.open(made))["client_metadata"]
        assert metadata["encrypted_response_enc_values_supported"] == ["A128GCM", "A256GCM"]
        jwks += metadata["jwks"]["keys"]
    assert [(jwk["crv"], jwk["use"], jwk["alg"], "d" in jwk) for jwk in jwks] == [
        ("P-256", "enc", "ECDH-ES", False)
    ] * 2
    assert jwks[0]["kid"] != jwks[1]["kid"]


async def test_the_request_object_is_the_same_at_every_fetch(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    first = await scene.deployment.http.get(made["request_uri"])
    assert (await scene.deployment.http.get(made["request_uri"])).text == first.text
    assert (await scene.deployment.http.post(made["request_uri"], data={"wallet_metadata": "{}"})).text == first.text
    posted = await scene.deployment.http.post(made["request_uri"], data={"wallet_nonce": "fresh"})
    claims = parse_json(parse_jws(posted.text).payload)
    assert claims.pop("wallet_nonce") == "fresh"
    assert claims == parse_json(parse_jws(first.text).payload)


async def test_unknown_and_expired_requests_have_no_object(scene: Scene) -> None:
    assert (await scene.deployment.http.get("/openid4vp/requests/preq_none")).status_code == 404
    assert (await scene.deployment.http.post("/openid4vp/responses/preq_none", data={"state": "x"})).status_code == 404
    assert (await scene.deployment.http.get("/presentation-requests/preq_none")).status_code == 404
    made = await scene.platform.ask(purpose="us.506c")
    long_nonce = await scene.deployment.http.post(made["request_uri"], data={"wallet_nonce": "x" * 513})
    assert (long_nonce.status_code, long_nonce.json()["error"]) == (400, "invalid_request")
    scene.deployment.clock.advance(minutes=10)
    gone = await scene.deployment.http.get(made["request_uri"])
    assert (gone.status_code, gone.json()["error"]) == (410, "invalid_request_uri")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"state=a&state=b"),
        ("application/x-www-form-urlencoded", b"state=%ff"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 60)),
        ("application/x-www-form-urlencoded", b""),
    ],
    ids=["json", "twice", "not utf-8", "too many fields", "empty"],
)
async def test_bodies_that_are_no_form_are_refused(scene: Scene, content_type: str, body: bytes) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    url = (await scene.wallet.open(made))["response_uri"]
    answer = await scene.deployment.http.post(url, content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await scene.platform.read(made["id"]))["state"] == "pending"


async def test_a_body_over_the_limit_is_refused(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    url = (await scene.wallet.open(made))["response_uri"]
    answer = await scene.deployment.http.post(url, data={"vp_token": "x" * 300_000})
    assert answer.status_code == 413


async def test_an_answer_that_cannot_be_decrypted_leaves_the_request_open(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
    request = await scene.wallet.open(made)
    vp_token = scene.wallet.present(request)
    [jwk] = request["client_metadata"]["jwks"]["keys"]
    opened = json.dumps({"vp_token": vp_token, "state": request["state"]}).encode()
    good = encrypt(opened, jwk, method="A128GCM", header={"apu": "YQ", "apv": "b25l"})
    header, *parts = encrypt(opened, jwk, method="A128GCM", header={"apv": "b25l"}).split(".")
    other_party = write_json(parse_json(b64url_decode(header)) | {"apv": "dHdv"})
    forms: list[dict[str, str]] = [
        {"response": encrypt(b"{}", new_key_pair().jwk | {"kid": jwk["kid"]}, method="A128GCM")},
        {"response": encrypt(opened, jwk | {"kid": "another"}, method="A128GCM")},
        {"response": ".".join([b64url_encode(other_party), *parts])},
        {"response": encrypt(b"[]", jwk, method="A128GCM")},
        {"response": encrypt(b"not json", jwk, method="A128GCM")},
        {"response": good[:-4] + "AAAA"},
        {"response": "a.b.c.d.e"},
        {"response": ""},
        {"vp_token": json.dumps(vp_token), "state": request["state"]},
        {},
    ]
    for form in forms:
        answer = await scene.deployment.http.post(request["response_uri"], data=form | {"padding": ""})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await scene.platform.read(made["id"]))["state"] == "pending"
    assert (await scene.deployment.http.post(request["response_uri"], data={"response": good})).status_code == 200


async def test_the_page_shows_a_code_and_nothing_runs_on_it(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    page = await scene.deployment.http.get(made["web_link"])
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "<svg" in page.text
    assert made["deep_link"].replace("&", "&amp;") in page.text
    assert "<script" not in page.text
    assert " style=" not in page.text
    in_chinese = await scene.deployment.http.get(made["web_link"], headers={"Accept-Language": "zh-CN,en;q=0.5"})
    assert '<html lang="zh-Hans">' in in_chinese.text
    assert "请您出示凭证" in in_chinese.text
    assert 'href="?language=en"' in in_chinese.text
    switched = await scene.deployment.http.get(f"{made['web_link']}?language=zh", headers={"Accept-Language": "en"})
    assert switched.text == in_chinese.text
    await scene.wallet.answer(made)
    assert "openid4vp://" not in (await scene.deployment.http.get(made["web_link"])).text
    assert "已过期" in (await scene.deployment.http.get(f"{made['web_link']}?language=zh")).text


@pytest.mark.parametrize("prefix", ["decentralized_identifier", "redirect_uri"])
async def test_whatever_can_be_asked_can_be_read(scene: Scene, prefix: str) -> None:
    """The longest request that is taken reaches our own wallet's bounds in no form, and one a bit longer is refused."""
    longest, kept = 0, None
    for length in range(20_000, 40_000, 2_000):
        claims = [{"path": ["country"], "values": ["<" * length]}]
        body = {"dcql_query": {"credentials": [{**KYC, "claims": claims}]}, "client_id_prefix": prefix}
        answer = await scene.platform.call("POST", "/v1/presentation-requests", body)
        if answer.status_code == 422:
            assert answer.json()["code"] == "presentation_request_too_long"
            break
        longest, kept = length, answer.json()
    assert kept is not None
    assert 20_000 <= longest < 39_000
    assert len(kept["deep_link"]) <= wallet_links.MAX_LINK_CHARACTERS
    assert (await scene.deployment.http.get(kept["web_link"])).status_code == 200
    if prefix == "decentralized_identifier":
        posted = {"wallet_nonce": "é" * 512}
        answer = await scene.deployment.http.post(kept["request_uri"], data=posted)
        assert answer.status_code == 200
        assert len(answer.content) <= wallet_requests.MAX_REQUEST_BYTES
        assert parse_json(parse_jws(answer.text).payload)["wallet_nonce"] == posted["wallet_nonce"]


async def test_a_platform_name_is_escaped_on_the_page(scene: Scene) -> None:
    member = await scene.deployment.add_organization("odd", "platform")
    async with scene.deployment.context.database.transaction() as session:
        member.organization.name = "<script>alert(1)</script>"
        await session.merge(member.organization)
    headers = await scene.deployment.headers(member, "verifier")
    made = await scene.deployment.http.post("/v1/presentation-requests", json={"purpose": "us.506c"}, headers=headers)
    page = (await scene.deployment.http.get(made.json()["web_link"])).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({}, "invalid_input"),
    ({"purpose": "us.506c", "dcql_query": {"credentials": [KYC]}}, "invalid_input"),
    ({"purpose": "us.506c", "unknown": 1}, "invalid_input"),
    ({"purpose": "us.506c", "investor_ref": "a/b"}, "invalid_input"),
    ({"purpose": "moon"}, "purpose_unknown"),
    ({"dcql_query": {"credentials": []}}, "dcql_query_invalid"),
    ({"dcql_query": {"credentials": [{**KYC, "id": "a b"}]}}, "dcql_query_invalid"),
    ({"dcql_query": {"credentials": [{"id": "k", "format": "dc+sd-jwt"}]}}, "dcql_query_invalid"),
    ({"dcql_query": {"credentials": [{**KYC, "format": "mso_mdoc"}]}}, "dcql_query_unsupported"),
    (
        {"dcql_query": {"credentials": [{**KYC, "require_cryptographic_holder_binding": False}]}},
        "dcql_query_unsupported",
    ),
    (
        {"dcql_query": {"credentials": [{**KYC, "claims": [{"path": ["a"], "values": ["v" * 50_000]}]}]}},
        "presentation_request_too_long",
    ),
    ({"purpose": "us.506c", "response_mode": "fragment"}, "response_mode_unsupported"),
    ({"purpose": "us.506c", "client_id_prefix": "openid_federation"}, "client_id_prefix_unsupported"),
    ({"purpose": "us.506c", "client_id_prefix": "origin"}, "client_id_prefix_unsupported"),
    ({"purpose": "us.506c", "client_id_prefix": "verifier_attestation"}, "verifier_attestation_missing"),
    ({"purpose": "us.506c", "request_uri_method": "PUT"}, "request_uri_method_invalid"),
    (
        {"purpose": "us.506c", "request_uri_method": "post", "client_id_prefix": "redirect_uri"},
        "request_uri_method_invalid",
    ),
    ({"purpose": "us.506c", "same_device": True}, "redirect_uri_invalid"),
    (
        {"dcql_query": {"credentials": [{**KYC, "claims": [{"path": ["country"]}, {"path": ["country"]}]}]}},
        "dcql_query_invalid",
    ),
    (
        {
            "dcql_query": {
                "credentials": [{**KYC, "trusted_authorities": [{"type": "etsi_tl", "values": ["https://t.example"]}]}]
            }
        },
        "dcql_query_unsupported",
    ),
    ({"purpose": "us.506c", "redirect_uri": "http://venue.example/"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "redirect_uri": "javascript:alert(1)"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "redirect_uri": "https://venue.example/#top"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "redirect_uri": "https://venue.example/#"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "redirect_uri": "https://[venue.example/"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "redirect_uri": "https://venue.example:99999/"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "redirect_uri": "https://venue.example\\.evil.example/"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "redirect_uri": "https://venue.example/a b"}, "redirect_uri_invalid"),
    ({"purpose": "us.506c", "transaction_data": [{"type": "t"}]}, "transaction_data_invalid"),
    (
        {"purpose": "us.506c", "transaction_data": [{"type": "t", "credential_ids": ["other"]}]},
        "transaction_data_invalid",
    ),
    (
        {
            "purpose": "us.506c",
            "transaction_data": [{"type": "t", "credential_ids": ["kyc"], "transaction_data_hashes_alg": ["sha-1"]}],
        },
        "transaction_data_invalid",
    ),
    (
        {
            "purpose": "us.506c",
            "transaction_data": [{"type": "t", "credential_ids": ["kyc"], "transaction_data_hashes_alg": "sha-256"}],
        },
        "transaction_data_invalid",
    ),
    (
        {
            "purpose": "us.506c",
            "transaction_data": [{"type": "t", "credential_ids": ["kyc"], "transaction_data_hashes_alg": 256}],
        },
        "transaction_data_invalid",
    ),
    (
        {"purpose": "us.506c", "transaction_data": [{"type": "t", "credential_ids": [{"id": "kyc"}]}]},
        "transaction_data_invalid",
    ),
    (
        {
            "purpose": "us.506c",
            "transaction_data": [
                {"type": "t", "credential_ids": ["kyc"], "transaction_data_hashes_alg": ["sha-384"]},
                {"type": "t", "credential_ids": ["kyc"]},
            ],
        },
        "transaction_data_invalid",
    ),
    (
        {
            "purpose": "us.506c",
            "transaction_data": [{"type": "urn:goodstanding:transaction:gift:1", "credential_ids": ["kyc"]}],
        },
        "transaction_data_invalid",
    ),
    (
        {
            "purpose": "us.506c",
            "transaction_data": [{"type": "urn:goodstanding:transaction:trade:1", "credential_ids": ["kyc"]}],
        },
        "transaction_data_invalid",
    ),
]


async def test_requests_that_cannot_be_made(scene: Scene) -> None:
    for body, code in IMPOSSIBLE:
        answer = await scene.platform.call("POST", "/v1/presentation-requests", body)
        assert (answer.status_code, answer.json()["code"]) == (422, code), body


async def test_a_request_is_made_once_per_idempotency_key(scene: Scene) -> None:
    body = {"purpose": "us.506c"}
    first = await scene.platform.call("POST", "/v1/presentation-requests", body, **{"Idempotency-Key": "k"})
    again = await scene.platform.call("POST", "/v1/presentation-requests", body, **{"Idempotency-Key": "k"})
    assert (first.text, again.headers["idempotency-replayed"]) == (again.text, "true")


async def test_purposes_are_listed_with_their_queries(scene: Scene) -> None:
    listed = (await scene.platform.call("GET", "/v1/purposes")).json()["data"]
    asked = next(each for each in listed if each["id"] == "us.506c")
    assert [each["credential_type"] for each in asked["credentials"]] == ["kyc", "aml-screening", "qualified-investor"]
    made = await scene.platform.ask(dcql_query=asked["dcql_query"])
    assert (await scene.wallet.answer(made)).status_code == 200


async def test_the_calls_need_the_verifier_scope(scene: Scene) -> None:
    issuer = await scene.deployment.headers(scene.kyc.member, "issuer")
    for method, path in (("POST", "presentation-requests"), ("GET", "purposes"), ("GET", "trusted-issuers")):
        assert (await scene.deployment.http.request(method, f"/v1/{path}", json={})).status_code == 401
        assert (await scene.deployment.http.request(method, f"/v1/{path}", json={}, headers=issuer)).status_code == 403


async def test_the_state_may_stand_beside_an_encrypted_answer_but_not_differ(scene: Scene) -> None:
    for inner, outer, status in ((True, None, 200), (False, "same", 200), (True, "other", 400), (False, None, 400)):
        made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
        request = await scene.wallet.open(made)
        parameters = {"vp_token": scene.wallet.present(request)} | ({"state": request["state"]} if inner else {})
        [jwk] = request["client_metadata"]["jwks"]["keys"]
        form = {"response": encrypt(json.dumps(parameters).encode(), jwk, method="A256GCM")}
        form |= {} if outer is None else {"state": request["state"] if outer == "same" else outer}
        answer = await scene.deployment.http.post(request["response_uri"], data=form)
        assert answer.status_code == status, (inner, outer)
        assert (await scene.platform.read(made["id"]))["state"] == ("verified" if status == 200 else "pending")
