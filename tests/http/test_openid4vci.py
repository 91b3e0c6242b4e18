"""The protocol endpoints of OpenID4VCI 1.0: shapes, headers and every error code."""

import json
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.jose import load_key, sign_jws, verify_jws
from service.issuer.offers import PRE_AUTHORIZED_CODE_GRANT
from service.storage.tables import Organization
from tests.deployment import BASE_URL, Deployment, Member
from tests.issuing_support import Wallet, add_issuer, assert_error, get_token, make_offer
from tests.prepared import prepared

IDENTIFIER = f"{BASE_URL}/issuers/kyc"
TYPES = ["kyc", "aml-screening", "qualified-investor", "investment-limit"]


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


@pytest.fixture
def wallet(sqlite_deployment: Deployment, member: Member) -> Wallet:
    return Wallet(sqlite_deployment, member)


async def test_issuer_metadata_is_at_the_inserted_path(wallet: Wallet) -> None:
    answer = await wallet.deployment.http.get("/.well-known/openid-credential-issuer/issuers/kyc")
    metadata = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert metadata["credential_issuer"] == IDENTIFIER
    assert metadata["credential_endpoint"] == f"{IDENTIFIER}/credential"
    assert metadata["nonce_endpoint"] == f"{IDENTIFIER}/nonce"
    assert metadata["notification_endpoint"] == f"{IDENTIFIER}/notification"
    assert metadata["batch_credential_issuance"]["batch_size"] >= 2
    assert "authorization_servers" not in metadata
    appended = await wallet.deployment.http.get("/issuers/kyc/.well-known/openid-credential-issuer")
    assert appended.status_code == 404


async def test_every_configuration_says_what_it_is(wallet: Wallet) -> None:
    answer = await wallet.deployment.http.get("/.well-known/openid-credential-issuer/issuers/kyc")
    configurations = answer.json()["credential_configurations_supported"]
    assert list(configurations) == [name + ending for ending in ("", "-jwt", "-di", "-ldp") for name in TYPES]
    for name, configuration in configurations.items():
        if name in TYPES:
            assert (configuration["format"], configuration["vct"]) == ("dc+sd-jwt", f"urn:goodstanding:vct:{name}:1")
        else:
            assert configuration["format"] == ("jwt_vc_json" if name.endswith("-jwt") else "ldp_vc")
            assert "vct" not in configuration
            assert configuration["credential_definition"]["type"][0] == "VerifiableCredential"
            paths = [claim["path"] for claim in configuration["credential_metadata"]["claims"]]
            assert {path[0] for path in paths} == {"credentialSubject"}
        assert configuration["scope"] == name
        assert configuration["cryptographic_binding_methods_supported"] == ["jwk", "did:key", "did:jwk"]
        algorithm = {"-di": "ecdsa-rdfc-2019", "-ldp": "JsonWebSignature2020"}.get(name[name.rfind("-") :], "ES256")
        assert configuration["credential_signing_alg_values_supported"] == [algorithm]
        assert "ES256" in configuration["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"]
        assert "key_attestations_required" not in configuration["proof_types_supported"]["jwt"]
        assert configuration["credential_metadata"]["display"][0]["name"]
        assert all(claim["display"][0]["name"] for claim in configuration["credential_metadata"]["claims"])


async def test_metadata_is_signed_on_request(wallet: Wallet) -> None:
    path = "/.well-known/openid-credential-issuer/issuers/kyc"
    plain = (
        await wallet.deployment.http.get(path, headers={"Accept": "application/json, application/jwt;q=0.5"})
    ).json()
    answer = await wallet.deployment.http.get(path, headers={"Accept": "application/jwt, application/json;q=0.5"})
    assert answer.headers["content-type"] == "application/jwt"
    jwks = (await wallet.deployment.http.get("/issuers/kyc/jwks")).json()
    claims = verify_jws(answer.text, load_key(jwks["keys"][0]), expected_typ={"openidvci-issuer-metadata+jwt"})
    assert claims["sub"] == IDENTIFIER
    assert isinstance(claims["iat"], int)
    assert plain.items() <= claims.items()


async def test_authorization_server_metadata(wallet: Wallet) -> None:
    answer = await wallet.deployment.http.get("/.well-known/oauth-authorization-server/issuers/kyc")
    assert answer.json() == {
        "issuer": IDENTIFIER,
        "token_endpoint": f"{IDENTIFIER}/token",
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "ES384", "EdDSA", "Ed25519"],
        "dpop_signing_alg_values_supported": ["ES256", "ES384", "EdDSA", "Ed25519"],
        "jwks_uri": f"{IDENTIFIER}/jwks",
        "authorization_endpoint": f"{IDENTIFIER}/authorize",
        "pushed_authorization_request_endpoint": f"{IDENTIFIER}/par",
        "require_pushed_authorization_requests": True,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "grant_types_supported": [PRE_AUTHORIZED_CODE_GRANT, "authorization_code", "refresh_token"],
        "scopes_supported": [name + ending for ending in ("", "-jwt", "-di", "-ldp") for name in TYPES],
        "authorization_details_types_supported": ["openid_credential"],
        "pre-authorized_grant_anonymous_access_supported": True,
        "status_list_aggregation_endpoint": f"{IDENTIFIER}/status-lists",
    }


async def test_keys_are_the_same_in_both_documents(wallet: Wallet) -> None:
    metadata = (await wallet.deployment.http.get("/.well-known/jwt-vc-issuer/issuers/kyc")).json()
    jwks = await wallet.deployment.http.get("/issuers/kyc/jwks")
    assert metadata == {"issuer": IDENTIFIER, "jwks": jwks.json()}
    assert jwks.headers["access-control-allow-origin"] == "*"
    for key in jwks.json()["keys"]:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}


async def test_type_metadata_is_served(wallet: Wallet) -> None:
    for name in TYPES:
        answer = await wallet.deployment.http.get(f"/issuers/kyc/type-metadata/{name}")
        assert answer.json()["vct"] == f"urn:goodstanding:vct:{name}:1"
        assert answer.headers["access-control-allow-origin"] == "*"
    assert (await wallet.deployment.http.get("/issuers/kyc/type-metadata/other")).status_code == 404


ENDPOINTS = [
    ("GET", "/.well-known/openid-credential-issuer/issuers/{slug}"),
    ("GET", "/.well-known/oauth-authorization-server/issuers/{slug}"),
    ("GET", "/.well-known/jwt-vc-issuer/issuers/{slug}"),
    ("GET", "/issuers/{slug}/jwks"),
    ("GET", "/issuers/{slug}/status-lists"),
    ("GET", "/issuers/{slug}/status-lists/abc"),
    ("GET", "/issuers/{slug}/type-metadata/kyc"),
    ("GET", "/issuers/{slug}/credential-offers/abc"),
    ("GET", "/issuers/{slug}/offers/abc"),
    ("POST", "/issuers/{slug}/token"),
    ("POST", "/issuers/{slug}/par"),
    ("GET", "/issuers/{slug}/authorize"),
    ("POST", "/issuers/{slug}/authorize"),
    ("POST", "/issuers/{slug}/nonce"),
    ("POST", "/issuers/{slug}/credential"),
    ("POST", "/issuers/{slug}/deferred_credential"),
    ("POST", "/issuers/{slug}/notification"),
]


async def test_only_issuers_have_issuer_endpoints(wallet: Wallet) -> None:
    await wallet.deployment.add_organization("venue", "platform")
    for method, path in ENDPOINTS:
        for slug in ("venue", "nobody"):
            answer = await wallet.deployment.http.request(method, path.format(slug=slug))
            assert answer.status_code == 404


async def test_an_offer_is_readable_again_until_redeemed(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member)
    offer = await wallet.read_offer(made)
    assert offer == await wallet.read_offer(made)
    assert offer["credential_issuer"] == IDENTIFIER
    assert offer["credential_configuration_ids"] == ["kyc"]
    assert offer["grants"][PRE_AUTHORIZED_CODE_GRANT].keys() == {"pre-authorized_code"}
    assert (await wallet.redeem(made)).status_code == 200
    assert (await wallet.deployment.http.get(made["credential_offer_uri"])).status_code == 404


async def test_an_offer_with_a_code_says_how_the_code_looks(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member, tx_code=True)
    grant = (await wallet.read_offer(made))["grants"][PRE_AUTHORIZED_CODE_GRANT]
    assert grant["tx_code"] == {"input_mode": "numeric", "length": 6}
    assert len(made["tx_code"]) == 6


async def test_links_that_lead_nowhere_look_alike(wallet: Wallet, member: Member) -> None:
    expired = await make_offer(wallet.deployment, member, expires_in=1)
    wallet.deployment.clock.advance(minutes=6)
    pending = await make_offer(wallet.deployment, member)
    offer_id, _, digest = pending["credential_offer_uri"].rpartition("/")[2].partition(".")
    links = [
        expired["credential_offer_uri"].rpartition("/")[2],
        offer_id,
        f"{offer_id}.",
        f"{offer_id}.{digest[:-1]}",
        f"{expired['id']}.{digest}",
        "offer_0.é",
    ]
    for folder, kept in (("credential-offers", {"instance"}), ("offers", set())):
        answers = [await wallet.deployment.http.get(f"/issuers/kyc/{folder}/{link}") for link in links]
        assert {answer.status_code for answer in answers} == {404}
        if folder == "offers":
            assert len({answer.text for answer in answers}) == 1
        else:
            bodies = [{name: value for name, value in answer.json().items() if name not in kept} for answer in answers]
            assert all(body == bodies[0] for body in bodies)


async def test_another_issuers_link_leads_nowhere(wallet: Wallet, member: Member) -> None:
    await add_issuer(wallet.deployment, "other")
    made = await make_offer(wallet.deployment, member)
    moved = made["credential_offer_uri"].replace("/issuers/kyc/", "/issuers/other/")
    assert (await wallet.deployment.http.get(moved)).status_code == 404


async def test_the_page_shows_the_link_and_nothing_of_the_person(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member, tx_code=True)
    answer = await wallet.deployment.http.get(made["web_link"])
    assert answer.status_code == 200
    assert made["deep_link"].replace("&", "&amp;") in answer.text
    assert "<svg" in answer.text
    assert "<title>QR code" in answer.text
    assert '<html lang="en">' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    for secret in ("Canary", "investor-1", made["tx_code"]):
        assert secret not in answer.text
    in_chinese = await wallet.deployment.http.get(made["web_link"], headers={"Accept-Language": "zh"})
    assert '<html lang="zh-Hans">' in in_chinese.text
    assert "身份认证（KYC）" in in_chinese.text
    gone = await wallet.deployment.http.get("/issuers/kyc/offers/none?language=zh")
    assert (gone.status_code, "不能使用" in gone.text) == (404, True)


async def test_the_name_of_an_issuer_is_escaped_on_the_page(wallet: Wallet) -> None:
    async with wallet.deployment.context.database.transaction() as session:
        row = await session.get_one(Organization, wallet.member.org_id)
        row.name = "<script>alert(1)</script>"
        session.add(row)
    made = await make_offer(wallet.deployment, wallet.member)
    answer = await wallet.deployment.http.get(made["web_link"])
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


async def test_the_token_response(wallet: Wallet, member: Member) -> None:
    answer = await wallet.request_token(await make_offer(wallet.deployment, member), unknown="ignored")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)


TOKEN_ERRORS = [
    ({"grant_type": "password"}, "unsupported_grant_type", 400),
    ({"grant_type": ""}, "invalid_request", 400),
    ({"pre-authorized_code": ""}, "invalid_request", 400),
    ({"pre-authorized_code": "guess"}, "invalid_grant", 400),
    ({"tx_code": "123456"}, "invalid_request", 400),
    ({"client_id": "a", "client_secret": "b"}, "invalid_client", 401),
    ({"client_assertion": "a.b.c"}, "invalid_client", 401),
    ({"authorization_details": "{"}, "invalid_request", 400),
    ({"authorization_details": "[]"}, "invalid_authorization_details", 400),
    ({"authorization_details": '[{"type":"other"}]'}, "invalid_authorization_details", 400),
    ({"authorization_details": '[{"type":"openid_credential"}]'}, "invalid_authorization_details", 400),
    (
        {"authorization_details": ('[{"type":"openid_credential","credential_configuration_id":"aml-screening"}]')},
        "invalid_authorization_details",
        400,
    ),
]


async def test_token_errors(wallet: Wallet, member: Member) -> None:
    for changes, error, status in TOKEN_ERRORS:
        made = await make_offer(wallet.deployment, member)
        assert_error(await wallet.request_token(made, **changes), error, status)
        assert (await wallet.request_token(made)).status_code == 200  # none of these used the code up


async def test_client_authentication_in_a_header_is_refused(wallet: Wallet) -> None:
    answer = await wallet.post_token({"grant_type": PRE_AUTHORIZED_CODE_GRANT}, Authorization="Basic YTpi")
    assert_error(answer, "invalid_client", 401)
    assert answer.headers["www-authenticate"].startswith("Basic")


UNREADABLE_FORMS = [
    (b'{"grant_type":"x"}', "application/json"),
    (b"grant_type=a&grant_type=a", "application/x-www-form-urlencoded"),
    (b"grant_type=%ff", "application/x-www-form-urlencoded"),
    (b"grant_type=\xff", "application/x-www-form-urlencoded"),
    (b"&".join(b"a%d=1" % number for number in range(100)), "application/x-www-form-urlencoded"),
    (b"", "application/x-www-form-urlencoded"),
]


async def test_a_form_that_cannot_be_read(wallet: Wallet) -> None:
    for content, media_type in UNREADABLE_FORMS:
        answer = await wallet.deployment.http.post(
            "/issuers/kyc/token", content=content, headers={"Content-Type": media_type}
        )
        assert_error(answer, "invalid_request")


async def test_a_code_works_once(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member)
    assert (await wallet.request_token(made)).status_code == 200
    assert_error(await wallet.request_token(made), "invalid_grant")


async def test_a_code_ends_with_its_offer(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member, expires_in=60)
    code = await wallet.read_code(made)
    wallet.deployment.clock.advance(seconds=60)
    form = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": code}
    assert_error(await wallet.post_token(form), "invalid_grant")


async def test_a_code_is_good_at_its_own_issuer_only(wallet: Wallet, member: Member) -> None:
    other = Wallet(wallet.deployment, await add_issuer(wallet.deployment, "other"))
    made = await make_offer(wallet.deployment, member)
    assert_error(await other.request_token(made), "invalid_grant")


async def test_a_transaction_code_is_needed_and_right(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member, tx_code=True)
    wrong = f"{(int(made['tx_code']) + 1) % 10**6:06d}"
    assert_error(await wallet.request_token(made), "invalid_request")
    assert_error(await wallet.request_token(made, tx_code=wrong), "invalid_grant")
    assert (await wallet.request_token(made, tx_code=made["tx_code"])).status_code == 200


async def test_the_fifth_wrong_transaction_code_ends_the_offer(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member, tx_code=True)
    form = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": await wallet.read_code(made)}
    wrong = f"{(int(made['tx_code']) + 1) % 10**6:06d}"
    for _ in range(5):
        assert_error(await wallet.post_token(form | {"tx_code": wrong}), "invalid_grant")
    assert_error(await wallet.post_token(form | {"tx_code": made["tx_code"]}), "invalid_grant")
    headers = await wallet.deployment.headers(member, "issuer")
    state = await wallet.deployment.http.get(f"/v1/credential-offers/{made['id']}", headers=headers)
    assert state.json()["state"] == "cancelled"


async def test_four_wrong_transaction_codes_leave_a_fifth_try(wallet: Wallet, member: Member) -> None:
    made = await make_offer(wallet.deployment, member, tx_code=True)
    wrong = f"{(int(made['tx_code']) + 1) % 10**6:06d}"
    for _ in range(4):
        await wallet.request_token(made, tx_code=wrong)
    assert (await wallet.request_token(made, tx_code=made["tx_code"])).status_code == 200


async def test_nonces_are_fresh_and_not_cached(wallet: Wallet) -> None:
    answer = await wallet.deployment.http.post("/issuers/kyc/nonce")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"c_nonce"}
    assert answer.json()["c_nonce"] != await wallet.fetch_nonce()
    assert (await wallet.deployment.http.get("/issuers/kyc/nonce")).status_code == 405


async def test_the_credential_response(wallet: Wallet, member: Member) -> None:
    answer = await wallet.redeem(await make_offer(wallet.deployment, member), copies=2)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"credentials", "notification_id"}
    assert [entry.keys() for entry in answer.json()["credentials"]] == [{"credential"}, {"credential"}]


async def test_authorization_details_lead_to_an_identifier(wallet: Wallet, member: Member) -> None:
    details = '[{"type":"openid_credential","credential_configuration_id":"kyc"}]'
    made = await make_offer(wallet.deployment, member)
    body = (await wallet.request_token(made, authorization_details=details)).json()
    [entry] = body["authorization_details"]
    [identifier] = entry.pop("credential_identifiers")
    assert entry == {"type": "openid_credential", "credential_configuration_id": "kyc"}
    token = body["access_token"]
    proofs = {"jwt": [wallet.prove(await wallet.fetch_nonce())]}
    for wrong, error in (
        ({"credential_configuration_id": "kyc"}, "invalid_credential_request"),
        ({"credential_identifier": "other"}, "unknown_credential_identifier"),
        ({"credential_identifier": identifier, "credential_configuration_id": "kyc"}, "invalid_credential_request"),
    ):
        assert_error(await wallet.request_credential(token, wrong | {"proofs": proofs}), error)
    answer = await wallet.request_credential(token, {"credential_identifier": identifier, "proofs": proofs})
    assert answer.status_code == 200


CREDENTIAL_ERRORS = [
    ({"credential_configuration_id": None}, "invalid_credential_request"),
    ({"credential_configuration_id": 7}, "invalid_credential_request"),
    ({"credential_configuration_id": "other"}, "unknown_credential_configuration"),
    ({"credential_configuration_id": None, "credential_identifier": "x"}, "unknown_credential_identifier"),
    ({"credential_response_encryption": {"jwk": {}, "enc": "A128GCM"}}, "invalid_encryption_parameters"),
    ({"proofs": None}, "invalid_proof"),
    ({"proofs": None, "proof": {"proof_type": "jwt", "jwt": "a.b.c"}}, "invalid_proof"),
    ({"proofs": []}, "invalid_proof"),
    ({"proofs": {}}, "invalid_proof"),
    ({"proofs": {"jwt": []}}, "invalid_proof"),
    ({"proofs": {"jwt": "a.b.c"}}, "invalid_proof"),
    ({"proofs": {"jwt": [7]}}, "invalid_proof"),
    ({"proofs": {"jwt": ["a.b.c"]}}, "invalid_proof"),
    ({"proofs": {"jwt": ["a.b.c"] * 11}}, "invalid_proof"),
    ({"proofs": {"di_vp": [{}]}}, "invalid_proof"),
    ({"proofs": {"jwt": ["a.b.c"], "attestation": ["a.b.c"]}}, "invalid_proof"),
]


async def test_credential_request_errors(wallet: Wallet) -> None:
    for changes, error in CREDENTIAL_ERRORS:
        token = await get_token(wallet)
        good = {
            "credential_configuration_id": "kyc",
            "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]},
            "unknown": "ignored",
        }
        body = {name: value for name, value in (good | changes).items() if value is not None}
        assert_error(await wallet.request_credential(token, body), error)
        assert (await wallet.request_credential(token, good)).status_code == 200  # and nothing was used up


UNREADABLE_BODIES = [
    (b"{", "application/json", "invalid_credential_request"),
    (b"[]", "application/json", "invalid_credential_request"),
    (b"\xff", "application/json", "invalid_credential_request"),
    (b'{"a":1,"a":1}', "application/json", "invalid_credential_request"),
    (b'{"a":NaN}', "application/json", "invalid_credential_request"),
    (b"[" * 100_000, "application/json", "invalid_credential_request"),
    (b"{}", "text/plain", "invalid_credential_request"),
    (b"a.b.c.d.e", "application/jwt", "invalid_encryption_parameters"),
]


async def test_a_body_that_cannot_be_read(wallet: Wallet) -> None:
    for content, media_type, error in UNREADABLE_BODIES:
        headers = {"Authorization": f"Bearer {await get_token(wallet)}", "Content-Type": media_type}
        answer = await wallet.deployment.http.post("/issuers/kyc/credential", content=content, headers=headers)
        assert_error(answer, error)


async def test_token_faults_are_challenged(wallet: Wallet) -> None:
    body = {"notification_id": "x", "event": "credential_accepted"}
    for endpoint in ("credential", "deferred_credential", "notification"):
        for authorization in (None, "Basic YTpi", "Bearer", "Bearer ", "Bearer guess", "Bearer a b"):
            headers = {} if authorization is None else {"Authorization": authorization}
            answer = await wallet.deployment.http.post(f"/issuers/kyc/{endpoint}", json=body, headers=headers)
            assert_error(answer, "invalid_token", 401)
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith("Bearer ")
            assert ('error="invalid_token"' in challenge) == (authorization is not None)
        twice = [("Authorization", f"Bearer {token}") for token in (await get_token(wallet), "guess")]
        answer = await wallet.deployment.http.post(f"/issuers/kyc/{endpoint}", json=body, headers=twice)
        assert_error(answer, "invalid_request")
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]


async def test_an_access_token_lives_five_minutes(wallet: Wallet) -> None:
    token = await get_token(wallet)
    wallet.deployment.clock.advance(seconds=299)
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    wallet.deployment.clock.advance(seconds=1)
    assert_error(await wallet.request_credential(token, body), "invalid_token", 401)


async def test_an_access_token_is_good_at_its_own_issuer_only(wallet: Wallet) -> None:
    other = Wallet(wallet.deployment, await add_issuer(wallet.deployment, "other"))
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [other.prove(await other.fetch_nonce())]}}
    assert_error(await other.request_credential(await get_token(wallet), body), "invalid_token", 401)


async def test_an_access_token_is_good_for_its_offer_only(wallet: Wallet) -> None:
    body = {"credential_configuration_id": "aml-screening"}
    body |= {"proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    answer = await wallet.request_credential(await get_token(wallet), body)
    assert_error(answer, "insufficient_scope", 403)
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_a_lower_case_scheme_is_the_same(wallet: Wallet) -> None:
    token = await get_token(wallet)
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    assert (await wallet.request_credential(token, body, Authorization=f"BEARER {token}")).status_code == 200


async def test_nonces_of_others_old_ones_and_guesses(wallet: Wallet) -> None:
    other = Wallet(wallet.deployment, await add_issuer(wallet.deployment, "other"))
    foreign, old = await other.fetch_nonce(), await wallet.fetch_nonce()
    wallet.deployment.clock.advance(seconds=300)
    token = await get_token(wallet)
    fresh = await wallet.fetch_nonce()
    altered = ("A" if fresh[0] != "A" else "B") + fresh[1:]
    for nonce in (foreign, old, "guess", "", altered, fresh + "A", "ü"):
        body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(nonce)]}}
        assert_error(await wallet.request_credential(token, body), "invalid_nonce")


async def test_a_spent_nonce_is_refused(wallet: Wallet) -> None:
    nonce = await wallet.fetch_nonce()
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(nonce)]}}
    assert (await wallet.request_credential(await get_token(wallet), body)).status_code == 200
    assert_error(await wallet.request_credential(await get_token(wallet), body), "invalid_nonce")


async def test_a_redeemed_offer_is_denied_with_a_fresh_nonce(wallet: Wallet) -> None:
    token = await get_token(wallet)
    for expected in (200, 400):
        body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
        answer = await wallet.request_credential(token, body)
        assert answer.status_code == expected
    assert_error(answer, "credential_request_denied")


PROOFS_FOR_OTHERS = [
    {"audience": f"{BASE_URL}/issuers/other"},
    {"audience": f"{IDENTIFIER}/"},
    {"client_id": "somebody"},
]


async def test_proofs_for_somebody_else(wallet: Wallet) -> None:
    for changes in PROOFS_FOR_OTHERS:
        proof = wallet.prove(await wallet.fetch_nonce(), **changes)
        body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [proof]}}
        assert_error(await wallet.request_credential(await get_token(wallet), body), "invalid_proof")


async def test_old_and_future_proofs(wallet: Wallet) -> None:
    for offset in (timedelta(seconds=-301), timedelta(seconds=61)):
        proof = wallet.prove(await wallet.fetch_nonce(), issued_at=wallet.deployment.clock() + offset)
        body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [proof]}}
        assert_error(await wallet.request_credential(await get_token(wallet), body), "invalid_proof")


async def test_a_batch_needs_distinct_keys_and_one_bad_proof_spoils_it(wallet: Wallet) -> None:
    token, nonce = await get_token(wallet), await wallet.fetch_nonce()
    key = wallet.new_key()
    for proofs in ([wallet.prove(nonce, key), wallet.prove(nonce, key)], [wallet.prove(nonce), "a.b.c"]):
        body = {"credential_configuration_id": "kyc", "proofs": {"jwt": proofs}}
        assert_error(await wallet.request_credential(token, body), "invalid_proof")


async def test_keys_named_by_did_and_other_algorithms(wallet: Wallet) -> None:
    sign = wallet.deployment.context.signer.signing_function
    for make_did in (did_key_from_jwk, did_jwk_from_jwk):
        key = wallet.new_key()
        did = make_did(key.jwk)
        kid = f"{did}#{'0' if did.startswith('did:jwk') else did.removeprefix('did:key:')}"
        claims = {"aud": IDENTIFIER, "iat": int(wallet.deployment.clock().timestamp())}
        claims |= {"nonce": await wallet.fetch_nonce()}
        proof = sign_jws({"typ": "openid4vci-proof+jwt", "alg": "ES256", "kid": kid}, claims, sign(key.kid))
        body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [proof]}}
        assert (await wallet.request_credential(await get_token(wallet), body)).status_code == 200
    proof = wallet.prove(await wallet.fetch_nonce(), wallet.new_key("EdDSA"))
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [proof]}}
    assert (await wallet.request_credential(await get_token(wallet), body)).status_code == 200


async def notify(wallet: Wallet, token: str, body: Any) -> Any:
    return await wallet.deployment.http.post(
        "/issuers/kyc/notification", json=body, headers={"Authorization": f"Bearer {token}"}
    )


async def issue_and_keep_token(wallet: Wallet) -> tuple[str, str]:
    token = await get_token(wallet)
    body = {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
    return token, (await wallet.request_credential(token, body)).json()["notification_id"]


async def test_notifications_are_idempotent(wallet: Wallet) -> None:
    token, notification_id = await issue_and_keep_token(wallet)
    body = {"notification_id": notification_id, "event": "credential_accepted", "unknown": "ignored"}
    for _ in range(2):
        answer = await notify(wallet, token, body)
        assert (answer.status_code, answer.content) == (204, b"")
    later = body | {"event": "credential_deleted", "event_description": "The holder changed their mind."}
    assert (await notify(wallet, token, later)).status_code == 204


NOTIFICATION_ERRORS = [
    {"notification_id": None},
    {"notification_id": 7},
    {"event": None},
    {"event": "Credential_Accepted"},
    {"event_description": "ü"},
    {"event_description": 'a "quote"'},
    {"event_description": "x" * 501},
    {"event_description": 7},
]


async def test_notification_request_errors(wallet: Wallet) -> None:
    for changes in NOTIFICATION_ERRORS:
        token, notification_id = await issue_and_keep_token(wallet)
        good = {"notification_id": notification_id, "event": "credential_failure"}
        body = {name: value for name, value in (good | changes).items() if value is not None}
        assert_error(await notify(wallet, token, body), "invalid_notification_request")
        assert_error(await notify(wallet, token, [body]), "invalid_notification_request")


async def test_a_notification_id_belongs_to_its_token(wallet: Wallet) -> None:
    _, notification_id = await issue_and_keep_token(wallet)
    other_token, _ = await issue_and_keep_token(wallet)
    for unknown in (notification_id, "guess"):
        body = {"notification_id": unknown, "event": "credential_accepted"}
        assert_error(await notify(wallet, other_token, body), "invalid_notification_id")


async def test_large_bodies_are_refused(wallet: Wallet) -> None:
    headers = {"Authorization": f"Bearer {await get_token(wallet)}", "Content-Type": "application/json"}
    content = json.dumps({"a": "x" * 70_000}).encode()
    answer = await wallet.deployment.http.post("/issuers/kyc/credential", content=content, headers=headers)
    assert_error(answer, "invalid_credential_request")
