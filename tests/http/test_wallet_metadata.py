"""A wallet posts for the Request Object: its nonce comes back, and what it can do is honoured or refused."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey

from service.credentials.jose import parse_json, parse_jws
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.verifying_support import Scene, build_scene

FORMATS = {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256", "RS256"]}}
KEY = ECKey.generate_key("P-256")
PUBLIC = KEY.as_dict(private=False) | {"kid": "w", "use": "enc", "alg": "ECDH-ES"}
OTHERS = [{"kty": "AKP", "alg": "ML-KEM-9", "pub": "AA"}, {"kty": "OKP", "crv": "X25519", "x": "AA"}, 7]


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def test_the_link_says_that_a_wallet_may_post(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", request_uri_method="post")
    assert parse_qs(urlsplit(made["deep_link"]).query)["request_uri_method"] == ["post"]


async def test_what_fits_gets_the_request(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
    plain = (await scene.deployment.http.get(made["request_uri"])).text
    fitting: list[dict[str, Any]] = [
        {},
        {"some_extension": 1},
        {
            "vp_formats_supported": FORMATS,
            "client_id_prefixes_supported": ["x509_hash", "decentralized_identifier"],
            "request_object_signing_alg_values_supported": ["ES256"],
            "authorization_encryption_alg_values_supported": ["ECDH-ES"],
            "authorization_encryption_enc_values_supported": ["A256GCM"],
            "response_modes_supported": ["direct_post.jwt"],
            "response_types_supported": ["vp_token"],
        },
    ]
    for metadata in fitting:
        answer = await scene.deployment.http.post(made["request_uri"], data={"wallet_metadata": json.dumps(metadata)})
        assert answer.headers["content-type"] == "application/oauth-authz-req+jwt"
        assert answer.text == plain


async def test_what_does_not_fit_is_refused(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
    formats, request = "vp_formats_not_supported", "invalid_request"
    bad: list[tuple[str, Any]] = [
        (formats, {"vp_formats_supported": {"mso_mdoc": {}}}),
        (formats, {"vp_formats_supported": {}}),
        (formats, {"vp_formats_supported": ["dc+sd-jwt"]}),
        (formats, {"vp_formats_supported": {"dc+sd-jwt": []}}),
        (formats, {"vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["RS256"]}}}),
        (formats, {"vp_formats_supported": {"dc+sd-jwt": {"kb-jwt_alg_values": "ES256"}}}),
        (request, {"client_id_prefixes_supported": ["x509_hash"]}),
        (request, {"client_id_prefixes_supported": "decentralized_identifier"}),
        (request, {"request_object_signing_alg_values_supported": ["EdDSA", 7, ["ES256"]]}),
        (request, {"authorization_encryption_alg_values_supported": ["RSA-OAEP"]}),
        (request, {"authorization_encryption_enc_values_supported": ["A128CBC-HS256"]}),
        (request, {"response_types_supported": ["code"]}),
        (request, {"response_modes_supported": ["direct_post"]}),
        (request, {"jwks": {"keys": OTHERS}}),
        (request, {"jwks": {"keys": [PUBLIC | {"use": "sig"}]}}),
        (request, {"jwks": {"keys": [PUBLIC | {"alg": "ECDH-ES+A128KW"}]}}),
        (request, {"jwks": {"keys": [PUBLIC | {"kid": 7}]}}),
        (request, {"jwks": {"keys": [PUBLIC | {"x": PUBLIC["y"]}]}}),
        (request, {"jwks": {"keys": []}}),
        (request, {"jwks": None}),
        (request, {"jwks": {"keys": [PUBLIC]}, "request_object_encryption_alg_values_supported": ["RSA-OAEP"]}),
        (request, {"jwks": {"keys": [PUBLIC]}, "request_object_encryption_enc_values_supported": ["A256CBC-HS512"]}),
        (request, []),
    ]
    texts = [(code, json.dumps(metadata)) for code, metadata in bad] + [(request, "{"), (request, '{"a":1,"a":2}')]
    for code, text in texts:
        answer = await scene.deployment.http.post(made["request_uri"], data={"wallet_metadata": text})
        assert (answer.status_code, answer.json()["error"]) == (400, code), text
    assert (await scene.platform.read(made["id"]))["state"] == "pending"


@pytest.mark.parametrize(("offered", "used"), [(None, "A128GCM"), (["A128GCM", "A256GCM"], "A256GCM")])
async def test_a_wallet_with_a_key_gets_an_encrypted_request(
    scene: Scene, offered: list[str] | None, used: str
) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    signed = (await scene.deployment.http.get(made["request_uri"])).text
    metadata: dict[str, Any] = {"jwks": {"keys": [*OTHERS, PUBLIC]}}
    if offered is not None:
        metadata["request_object_encryption_enc_values_supported"] = offered
    form = {"wallet_metadata": json.dumps(metadata), "wallet_nonce": "fresh"}
    answer = await scene.deployment.http.post(made["request_uri"], data=form)
    opened = jwe.decrypt_compact(answer.text, KEY, algorithms=["ECDH-ES", used])
    header = opened.headers()
    assert (header["kid"], header["enc"], header["cty"]) == ("w", used, "JWT")
    assert opened.plaintext is not None
    claims = parse_json(parse_jws(opened.plaintext.decode()).payload)
    assert claims == parse_json(parse_jws(signed).payload) | {"wallet_nonce": "fresh"}


async def test_other_media_types_are_refused(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    headers = {"Content-Type": "application/json"}
    answer = await scene.deployment.http.post(made["request_uri"], content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    empty = await scene.deployment.http.post(made["request_uri"], data={"wallet_nonce": ""})
    assert (empty.status_code, empty.json()["error"]) == (400, "invalid_request")


async def test_linked_data_is_told_apart_by_its_cryptosuites(scene: Scene) -> None:
    query = {"id": "kyc", "format": "ldp_vc", "meta": {"type_values": [["urn:goodstanding:vct:kyc:1"]]}}
    for suites, status in ((["bbs-2023", "ecdsa-rdfc-2019"], 200), (["bbs-2023"], 400)):
        made = await scene.platform.ask(dcql_query={"credentials": [query]}, request_uri_method="post")
        metadata = {"vp_formats_supported": {"ldp_vc": {"cryptosuite_values": suites}}}
        answer = await scene.deployment.http.post(made["request_uri"], data={"wallet_metadata": json.dumps(metadata)})
        assert answer.status_code == status
