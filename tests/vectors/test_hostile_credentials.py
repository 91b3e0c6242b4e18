"""``POST /v1/verify`` with hostile tokens in each place that it reads one; the keys are those of registered issuers."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.did import did_jwk_from_jwk
from service.credentials.jose import b64url_encode, parse_json, parse_jws, write_json
from service.credentials.presentation import present_sd_jwt
from service.credentials.sd_jwt import SdJwt, parse_sd_jwt
from service.web.signing import ISSUER, get_active_key
from tests.deployment import Deployment
from tests.unit.sd_jwt_support import digest_of
from tests.vectors.hostile.forms import list_form_flaws
from tests.vectors.hostile.headers import list_header_flaws, list_kid_flaws
from tests.vectors.hostile.keys import list_bad_jwks
from tests.vectors.hostile.signatures import list_ecdsa_flaws, list_eddsa_flaws, list_flaws_with_the_private_key
from tests.vectors.hostile.tokens import PrivateKey, Sound, new_key
from tests.verifying_support import CLAIMS, Scene, build_scene, failed, seconds

EXPECTED = {"nonce": "n-0S6_WzA2Mj", "audience": "https://venue.example"}
Finding = tuple[str, str]
CODES = {
    "form": ("format", "sd_jwt_malformed"),
    "alg": ("signature", "invalid_signature"),
    "signature": ("signature", "invalid_signature"),
    "typ": ("format", "sd_jwt_type_invalid"),
    "kid": ("issuer", "issuer_key_unknown"),
}
SIGNATURES = {"ES256": list_ecdsa_flaws("P-256"), "ES384": list_ecdsa_flaws("P-384"), "EdDSA": list_eddsa_flaws()}


@pytest.fixture
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def verify_each(scene: Scene, cases: Iterable[tuple[str, Finding, dict[str, Any]]]) -> dict[str, Any]:
    """Verify bodies, given with their name and the check that must fail; return the answers that were others."""
    surprises: dict[str, Any] = {}
    for name, finding, body in cases:
        answer = await scene.platform.call("POST", "/v1/verify", body)
        verdict = answer.json()
        if "\\u0000" in json.dumps(body):  # such a body is no JSON that we read
            refused = (answer.status_code, verdict["code"]) == (400, "malformed")
        else:
            refused = answer.status_code == 200 and not verdict["valid"] and failed(verdict["checks"]) == {finding}
        if not refused:
            surprises[name] = verdict
    return surprises


async def own_token(scene: Scene) -> tuple[Sound, tuple[str, ...]]:
    """Return the issuer-signed JWT of an issuer of this deployment, to be signed again, and its disclosures."""
    context = scene.deployment.context
    async with context.database.reading() as session:
        key = await get_active_key(session, scene.kyc.member.org_id, ISSUER)
    parts = parse_sd_jwt(scene.wallet.held[0])
    jws = parse_jws(parts.issuer_jwt)
    sign = context.signer.signing_function(key.kid)
    return Sound(jws.header, parse_json(jws.payload), dict(key.public_jwk), sign), parts.disclosures


def signed_by(scene: Scene, key: PrivateKey) -> Sound:
    """Return a credential of an issuer that is its own key, bound to the wallet's."""
    now = scene.deployment.clock()
    did = did_jwk_from_jwk(key.jwk)
    claims = {
        "iss": did,
        "vct": CREDENTIAL_TYPES["kyc"].vct,
        "iat": seconds(now),
        "exp": seconds(now + timedelta(days=30)),
        "cnf": {"jwk": scene.wallet.keys.jwk},
        **CLAIMS["kyc"],
    }
    return Sound({"alg": key.alg, "typ": "dc+sd-jwt", "kid": f"{did}#0"}, claims, key.jwk, key.sign)


def compact(token: str, disclosures: Sequence[str] = ()) -> str:
    return SdJwt(token, tuple(disclosures), None).without_key_binding()


async def test_forms_headers_and_signatures_under_the_key_of_an_issuer_of_ours(scene: Scene) -> None:
    sound, disclosures = await own_token(scene)
    assert (await scene.platform.verify(credential=compact(sound.encode(), disclosures)))["valid"]
    flaws = [*list_form_flaws(), *list_header_flaws(), *list_kid_flaws(), *SIGNATURES["ES256"]]
    cases = [(flaw.name, CODES[flaw.kind], {"credential": compact(flaw.spoil(sound), disclosures)}) for flaw in flaws]
    assert await verify_each(scene, cases) == {}


@pytest.mark.parametrize("alg", SIGNATURES)
async def test_signatures_under_the_key_of_a_trusted_issuer(scene: Scene, alg: str) -> None:
    key = new_key(alg)
    sound = signed_by(scene, key)
    await scene.platform.trust(sound.claims["iss"], "kyc", entry_id="other")
    assert (await scene.platform.verify(credential=compact(sound.encode())))["valid"]
    flaws = [*SIGNATURES[alg], *list_flaws_with_the_private_key(key), *list_header_flaws()]
    cases = [(flaw.name, CODES[flaw.kind], {"credential": compact(flaw.spoil(sound))}) for flaw in flaws]
    assert await verify_each(scene, cases) == {}


async def test_forms_headers_and_signatures_of_a_key_binding(scene: Scene) -> None:
    bound = scene.wallet.held[0]
    presentation = parse_sd_jwt(
        present_sd_jwt(
            bound, names=["country"], issued_at=scene.deployment.clock(), sign=scene.wallet.keys.sign, **EXPECTED
        )
    )
    assert presentation.kb_jwt is not None
    jws = parse_jws(presentation.kb_jwt)
    sound = Sound(jws.header, parse_json(jws.payload), scene.wallet.keys.jwk, scene.wallet.keys.sign)
    head = presentation.without_key_binding()
    assert (await scene.platform.verify(presentation=head + sound.encode(), expected=EXPECTED))["valid"]
    flaws = [*list_form_flaws(), *list_header_flaws(), *SIGNATURES["ES256"]]
    finding = ("holder_binding", "holder_binding_invalid")
    cases = [(flaw.name, finding, {"presentation": head + flaw.spoil(sound), "expected": EXPECTED}) for flaw in flaws]
    assert await verify_each(scene, cases) == {}


async def test_keys_that_an_issuer_brings_itself(scene: Scene) -> None:
    """did:jwk lets the presenter choose the key that we load, so every flaw of a key comes from outside."""
    key = new_key("ES256")
    sound = signed_by(scene, key)

    def issue_under(jwk: dict[str, Any]) -> dict[str, Any]:
        did = "did:jwk:" + b64url_encode(write_json(jwk))
        changed = {"header": {**sound.header, "kid": f"{did}#0"}, "claims": {**sound.claims, "iss": did}}
        return {"credential": compact(replace(sound, **changed).encode())}

    cases = [(name, CODES["kid"], issue_under(jwk)) for name, jwk in list_bad_jwks(key).items()]
    assert await verify_each(scene, cases) == {}


async def test_keys_that_a_credential_is_bound_to(scene: Scene) -> None:
    """A registered issuer has bound the credential to a key that proves nothing."""
    sound, _ = await own_token(scene)
    head = {"alg": "ES256", "typ": "kb+jwt"}
    key = new_key("ES256")

    def bind_to(jwk: dict[str, Any]) -> dict[str, Any]:
        credential = compact(replace(sound, claims={**sound.claims, "cnf": {"jwk": jwk}}).encode())
        claims = {**EXPECTED, "iat": seconds(scene.deployment.clock()), "sd_hash": digest_of(credential)}
        claims["aud"] = claims.pop("audience")
        return {"presentation": credential + Sound(head, claims, key.jwk, key.sign).encode(), "expected": EXPECTED}

    good = await scene.platform.call("POST", "/v1/verify", bind_to(key.jwk))
    assert good.json()["valid"], good.text
    finding = ("holder_binding", "holder_key_invalid")
    cases = [(name, finding, bind_to(jwk)) for name, jwk in list_bad_jwks(key).items()]
    assert await verify_each(scene, cases) == {}
