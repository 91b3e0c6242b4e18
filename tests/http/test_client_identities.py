"""Every name under which a platform can ask, with what a wallet needs to check it."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

from service.credentials.certificates import hash_certificate, load_leaf_key, read_x5c, verify_chain
from service.credentials.jose import jwk_thumbprint, load_key, parse_json, parse_jws, sign_jws, verify_jws
from service.storage.tables import SigningKey
from service.web.certification import import_certificate, name_for_certificate
from service.web.signing import VERIFIER, get_active_key, rotate_signing_key
from tests.certificate_support import Authority, load_public_key, new_root, to_pem
from tests.deployment import BASE_URL, Deployment
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Scene, build_scene, failed, seconds

ATTESTER = new_key_pair()
PATH = "/v1/verifier-attestation"


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def find_key(scene: Scene) -> SigningKey:
    async with scene.deployment.context.database.reading() as session:
        return await get_active_key(session, scene.platform.member.org_id, VERIFIER)


def attest(scene: Scene, jwk: Any, typ: str = "verifier-attestation+jwt", **changes: Any) -> str:
    claims = {
        "iss": "https://attester.example",
        "sub": "venue.example",
        "exp": seconds(scene.deployment.clock() + timedelta(days=1)),
        "cnf": {"jwk": jwk},
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return sign_jws({"alg": "ES256", "typ": typ}, claims, ATTESTER.sign)


async def test_an_unsigned_request_stands_in_the_link_itself(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", client_id_prefix="redirect_uri", response_mode="direct_post.jwt")
    assert made["request_uri"] is None
    request: dict[str, Any] = {k: v[0] for k, v in parse_qs(urlsplit(made["deep_link"]).query).items()}
    assert request["client_id"] == f"redirect_uri:{request['response_uri']}"
    assert not request.keys() & {"request", "request_uri", "request_uri_method", "redirect_uri"}
    for method in ("GET", "POST"):
        absent = await scene.deployment.http.request(method, f"/openid4vp/requests/{made['id']}", data={"a": "b"})
        assert absent.status_code == 404
    request |= {name: json.loads(request[name]) for name in ("dcql_query", "client_metadata")}
    unprefixed = scene.wallet.present(request, audience=request["response_uri"])
    assert (await scene.wallet.send(request, unprefixed)).status_code == 400
    assert ("audience", "audience_mismatch") in failed((await scene.platform.read(made["id"]))["checks"])


async def test_an_answer_to_an_unsigned_request_is_for_its_address(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", client_id_prefix="redirect_uri")
    request: dict[str, Any] = {k: v[0] for k, v in parse_qs(urlsplit(made["deep_link"]).query).items()}
    request |= {name: json.loads(request[name]) for name in ("dcql_query", "client_metadata")}
    page = (await scene.deployment.http.get(made["web_link"])).text
    assert "<svg" not in page  # longer than any code
    assert "openid4vp://" in page
    assert (await scene.wallet.send(request, scene.wallet.present(request))).status_code == 200
    assert (await scene.platform.read(made["id"]))["state"] == "verified"


async def test_an_attested_name_is_proved_with_the_attested_key(scene: Scene) -> None:
    key = await find_key(scene)
    assert (await scene.platform.call("GET", PATH)).status_code == 404
    token = attest(scene, key.public_jwk)
    kept = await scene.platform.call("PUT", PATH, {"attestation": token})
    assert kept.status_code == 200
    assert kept.json()["client_id"] == "verifier_attestation:venue.example"
    assert (await scene.platform.call("GET", PATH)).json() == kept.json()
    made = await scene.platform.ask(purpose="us.506c", client_id_prefix="verifier_attestation")
    for form in ({}, {"wallet_nonce": "fresh"}):
        answer = await scene.deployment.http.post(made["request_uri"], data=form | {"padding": "x"})
        jws = parse_jws(answer.text)
        assert jws.header["jwt"] == token
        confirmed = parse_json(parse_jws(jws.header["jwt"]).payload)["cnf"]["jwk"]
        claims = verify_jws(jws, load_key(confirmed), expected_typ={"oauth-authz-req+jwt"})
        assert claims["client_id"] == "verifier_attestation:venue.example"
    stripped = await scene.platform.ask(purpose="us.506c", client_id_prefix="verifier_attestation")
    assert (await scene.wallet.answer(stripped, audience="venue.example")).status_code == 400
    assert (await scene.wallet.answer(made)).status_code == 200
    assert (await scene.platform.call("DELETE", PATH)).status_code == 204
    again = await scene.platform.call(
        "POST", "/v1/presentation-requests", {"purpose": "us.506c", "client_id_prefix": "verifier_attestation"}
    )
    assert again.json()["code"] == "verifier_attestation_missing"


async def test_an_attestation_ends_with_its_time_and_its_key(scene: Scene) -> None:
    await scene.platform.call("PUT", PATH, {"attestation": attest(scene, (await find_key(scene)).public_jwk)})
    body = {"purpose": "us.506c", "client_id_prefix": "verifier_attestation"}
    made = await scene.platform.ask(**body)
    context = scene.deployment.context
    async with context.database.transaction() as session:
        await rotate_signing_key(
            session,
            context.signer,
            org_id=scene.platform.member.org_id,
            purpose=VERIFIER,
            now=scene.deployment.clock(),
        )
    assert (await scene.platform.call("POST", "/v1/presentation-requests", body)).status_code == 422
    # What was made before stays whole: a wallet's nonce is signed with the key that the request names.
    posted = parse_jws((await scene.deployment.http.post(made["request_uri"], data={"wallet_nonce": "n"})).text)
    attested = parse_json(parse_jws(posted.header["jwt"]).payload)["cnf"]["jwk"]
    assert jwk_thumbprint(attested) == posted.header["kid"]
    verify_jws(posted, load_key(attested), expected_typ={"oauth-authz-req+jwt"})
    await scene.platform.call("PUT", PATH, {"attestation": attest(scene, (await find_key(scene)).public_jwk)})
    scene.deployment.clock.advance(days=1)
    expired = await scene.platform.call("POST", "/v1/presentation-requests", body)
    assert expired.json()["code"] == "verifier_attestation_missing"


async def test_attestations_that_no_wallet_could_accept_are_refused(scene: Scene) -> None:
    jwk = (await find_key(scene)).public_jwk
    past = seconds(scene.deployment.clock())
    bad = [
        "not a token",
        attest(scene, jwk, typ="jwt"),
        attest(scene, new_key_pair().jwk),
        attest(scene, {"kty": "EC"}),
        attest(scene, jwk, cnf=None),
        attest(scene, jwk, cnf={"kid": "x"}),
        attest(scene, jwk, sub=None),
        attest(scene, jwk, sub=""),
        attest(scene, jwk, iss=None),
        attest(scene, jwk, exp=None),
        attest(scene, jwk, exp=past),
        attest(scene, jwk, exp=str(past + 100)),
        attest(scene, jwk, nbf=past + 100),
        attest(scene, jwk, redirect_uris=["https://venue.example/"]),
    ]
    for token in bad:
        answer = await scene.platform.call("PUT", PATH, {"attestation": token})
        assert (answer.status_code, answer.json()["code"]) == (422, "verifier_attestation_invalid"), token


async def certify(scene: Scene, root: Authority, **changes: Any) -> x509.Certificate:
    """Have a CA of the venue's ecosystem certify the key that signs requests."""
    key = await find_key(scene)
    below = root.delegate()
    leaf = below.certify(load_public_key(key.public_jwk), **{"dns": ["localhost"]} | changes)
    member = scene.platform.member
    async with scene.deployment.context.database.transaction() as session:
        import_certificate(
            session,
            await get_active_key(session, member.org_id, VERIFIER),
            pem=to_pem(leaf, below.certificate, root.certificate),
            anchor_pem=None,
            expected_name=name_for_certificate(member.organization, VERIFIER, BASE_URL),
            now=scene.deployment.clock(),
        )
    return leaf


async def test_a_certified_name_is_proved_with_the_certified_key(scene: Scene) -> None:
    root = new_root(scene.deployment.clock())
    leaf = await certify(scene, root)
    for prefix, name in (("x509_san_dns", "localhost"), ("x509_hash", hash_certificate(leaf))):
        made = await scene.platform.ask(purpose="us.506c", client_id_prefix=prefix, response_mode="direct_post.jwt")
        jws = parse_jws((await scene.deployment.http.post(made["request_uri"], data={"wallet_nonce": "n"})).text)
        chain = read_x5c(jws.header["x5c"])
        assert root.certificate not in chain  # HAIP: a wallet brings its own anchors
        verify_chain(chain, [root.certificate], now=scene.deployment.clock())
        claims = verify_jws(jws, load_leaf_key(chain), expected_typ={"oauth-authz-req+jwt"})
        assert claims["client_id"] == f"{prefix}:{name}"
        assert urlsplit(claims["response_uri"]).hostname == "localhost"
        assert (await scene.wallet.answer(made)).status_code == 200
        stripped = await scene.platform.ask(purpose="us.506c", client_id_prefix=prefix)
        assert (await scene.wallet.answer(stripped, audience=name)).status_code == 400
        assert ("audience", "audience_mismatch") in failed((await scene.platform.read(stripped["id"]))["checks"])


async def test_a_certified_name_needs_a_certificate_that_is_valid_now(scene: Scene) -> None:
    bodies = [{"purpose": "us.506c", "client_id_prefix": prefix} for prefix in ("x509_san_dns", "x509_hash")]

    async def codes() -> set[str]:
        answers = [await scene.platform.call("POST", "/v1/presentation-requests", body) for body in bodies]
        return {answer.json().get("code", "made") for answer in answers}

    assert await codes() == {"verifier_certificate_missing"}
    await certify(scene, new_root(scene.deployment.clock()), valid=(timedelta(days=-1), timedelta(hours=1)))
    assert await codes() == {"made"}
    scene.deployment.clock.advance(hours=1)
    assert await codes() == {"verifier_certificate_missing"}
