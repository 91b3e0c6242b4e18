"""The negative modules of OpenID's conformance suite, as docs/conformance-negatives.md lists them, over HTTP."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from service.credentials.encoding import b64url_decode, b64url_encode
from service.credentials.sd_jwt import parse_sd_jwt
from tests.authorization_support import Browser, read_parameters, start
from tests.deployment import Deployment
from tests.http.test_dpop import fetch_dpop_nonce
from tests.http.test_wallet_clients import ask, trust_provider
from tests.issuing_support import Wallet as IssuingWallet
from tests.issuing_support import add_issuer, make_offer
from tests.oauth_support import Party
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Scene, build_scene, failed


def corrupt(token: str) -> str:
    """Return a compact JWS with another signature of the same form."""
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{b64url_encode(bytes(byte ^ 0x5A for byte in b64url_decode(signature)))}"


@prepared
async def wallet(sqlite_deployment: Deployment) -> IssuingWallet:
    return IssuingWallet(sqlite_deployment, await add_issuer(sqlite_deployment))


async def request_credential(wallet: IssuingWallet, *, query: str = "", header: bool = True, **changes: Any) -> Any:
    """Redeem an offer up to the credential request; ``changes`` replace members of its body, None takes one away."""
    made = await make_offer(wallet.deployment, wallet.member)
    token = (await wallet.request_token(made)).json()["access_token"]
    body = {
        "credential_configuration_id": "kyc",
        "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]},
        **changes,
    }
    return await wallet.deployment.http.post(
        f"/issuers/kyc/credential{query.format(token=token)}",
        json={name: value for name, value in body.items() if value is not None},
        headers={"Authorization": f"Bearer {token}"} if header else {},
    )


def assert_refused(answer: httpx2.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


async def test_issuer_fail_on_invalid_nonce(wallet: IssuingWallet) -> None:
    proofs = {"jwt": [wallet.prove("invalid_nonce_" + "x" * 30)]}
    assert_refused(await request_credential(wallet, proofs=proofs), "invalid_nonce")


async def test_issuer_fail_on_invalid_jwt_proof_signature(wallet: IssuingWallet) -> None:
    proofs = {"jwt": [corrupt(wallet.prove(await wallet.fetch_nonce()))]}
    assert_refused(await request_credential(wallet, proofs=proofs), "invalid_proof")


async def test_issuer_fail_on_missing_proof(wallet: IssuingWallet) -> None:
    assert_refused(await request_credential(wallet, proofs=None), "invalid_proof")


async def test_issuer_fail_on_unknown_credential_configuration_id(wallet: IssuingWallet) -> None:
    answer = await request_credential(wallet, credential_configuration_id="unknown")
    assert_refused(answer, "unknown_credential_configuration")


async def test_issuer_fail_on_unknown_credential_identifier(wallet: IssuingWallet) -> None:
    answer = await request_credential(wallet, credential_configuration_id=None, credential_identifier="unknown")
    assert_refused(answer, "unknown_credential_identifier")


async def test_issuer_fail_on_request_with_access_token_in_query(wallet: IssuingWallet) -> None:
    answer = await request_credential(wallet, query="?access_token={token}", header=False)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].split()[0] in ("Bearer", "DPoP")


async def test_issuer_fail_on_client_attestations(wallet: IssuingWallet) -> None:
    """Six modules send these to the server that a wallet authenticates at; the good one in between is taken."""
    provider, instance, other = await trust_provider(wallet, "w"), Party(wallet.deployment), Party(wallet.deployment)
    issuer = wallet.identifier
    attestation, pop = provider.attest("w", instance), instance.attestation_pop(issuer)
    for bad_attestation, bad_pop in (
        (corrupt(attestation), pop),
        (attestation, corrupt(pop)),
        (attestation, other.attestation_pop(issuer)),
        (provider.attest("w", instance, exp=provider.at(minutes=-10)), pop),
        (provider.attest("w", instance, sub=None), pop),
        (attestation, instance.attestation_pop("https://other-as.example.com")),
    ):
        answer = await ask(wallet, OAuth_Client_Attestation=bad_attestation, OAuth_Client_Attestation_PoP=bad_pop)
        assert_refused(answer, "invalid_client", 401)
    answer = await ask(wallet, OAuth_Client_Attestation=attestation, OAuth_Client_Attestation_PoP=pop)
    assert answer.status_code == 200, answer.text


async def test_par_takes_post_alone(sqlite_deployment: Deployment) -> None:
    wallet = await start(sqlite_deployment)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = await sqlite_deployment.http.request(method, f"{wallet.path}/par", params=wallet.request_form())
        assert answer.status_code == 405


async def test_par_and_token_take_one_dpop_key(sqlite_deployment: Deployment) -> None:
    wallet = await start(sqlite_deployment)
    party, other = Party(sqlite_deployment), Party(sqlite_deployment)
    nonce = await fetch_dpop_nonce(sqlite_deployment)

    def prove(by: Party, endpoint: str) -> dict[str, str]:
        return {"DPoP": by.dpop("POST", f"{wallet.path}/{endpoint}", nonce=nonce)}

    wrong = await wallet.push(await wallet.offer(), prove(party, "par"), dpop_jkt=other.key.kid)
    assert_refused(wrong, "invalid_request")
    for pushed in (
        await wallet.push(await wallet.offer(), prove(party, "par")),
        await wallet.push(await wallet.offer(), dpop_jkt=party.key.kid),
    ):
        browser = Browser(sqlite_deployment)
        await browser.open(wallet.page(pushed))
        code = read_parameters(await browser.submit())["code"]
        assert_refused(await wallet.redeem_code(code, prove(other, "token")), "invalid_grant")


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


MODES = pytest.mark.parametrize("response_mode", ["direct_post", "direct_post.jwt"])


async def assert_rejected(scene: Scene, response_mode: str, check: str, code: str, **changes: Any) -> None:
    """Answer a request with a flawed key binding: 400, and the verdict names what was wrong."""
    made = await scene.platform.ask(purpose="us.506c", response_mode=response_mode)
    answer = await scene.wallet.answer(made, **changes)
    await assert_recorded(scene, made, answer, check, code)


async def assert_recorded(scene: Scene, made: dict[str, Any], answer: httpx2.Response, check: str, code: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    found = await scene.platform.read(made["id"])
    assert found["state"] == "rejected"
    assert (check, code) in failed(found["checks"])


@MODES
async def test_verifier_invalid_credential_signature(scene: Scene, response_mode: str) -> None:
    head, *disclosures = scene.wallet.held[0].split("~")
    scene.wallet.held[0] = "~".join([corrupt(head), *disclosures])
    await assert_rejected(scene, response_mode, "signature", "invalid_signature")


@MODES
async def test_verifier_invalid_kb_jwt_signature(scene: Scene, response_mode: str) -> None:
    sign = scene.wallet.keys.sign
    flipped = {"sign": lambda signing_input: bytes(byte ^ 0x5A for byte in sign(signing_input))}
    for changes in (flipped, {"sign": new_key_pair().sign}):
        await assert_rejected(scene, response_mode, "holder_binding", "holder_binding_invalid", **changes)


@MODES
async def test_verifier_invalid_sd_hash(scene: Scene, response_mode: str) -> None:
    made = await scene.platform.ask(purpose="us.506c", response_mode=response_mode)
    request = await scene.wallet.open(made)
    vp_token = scene.wallet.present(request)
    [presented] = vp_token["kyc"]
    parts = parse_sd_jwt(presented)
    vp_token["kyc"] = ["~".join([parts.issuer_jwt, *parts.disclosures[1:], parts.kb_jwt or ""])]
    answer = await scene.wallet.send(request, vp_token)
    await assert_recorded(scene, made, answer, "holder_binding", "sd_hash_mismatch")


@MODES
async def test_verifier_invalid_kb_jwt_nonce(scene: Scene, response_mode: str) -> None:
    await assert_rejected(scene, response_mode, "nonce", "nonce_mismatch", nonce="wrong-nonce")


@MODES
async def test_verifier_invalid_kb_jwt_aud(scene: Scene, response_mode: str) -> None:
    await assert_rejected(scene, response_mode, "audience", "audience_mismatch", audience="https://other.example")


@MODES
async def test_verifier_kb_jwt_iat_in_past(scene: Scene, response_mode: str) -> None:
    issued_at = scene.deployment.clock() - timedelta(days=365)
    await assert_rejected(scene, response_mode, "holder_binding", "holder_binding_stale", issued_at=issued_at)


@MODES
async def test_verifier_kb_jwt_iat_in_future(scene: Scene, response_mode: str) -> None:
    issued_at = scene.deployment.clock() + timedelta(days=365)
    await assert_rejected(scene, response_mode, "holder_binding", "holder_binding_stale", issued_at=issued_at)


async def test_verifier_minimal_cnf_jwk_is_accepted(scene: Scene) -> None:
    assert scene.wallet.keys.jwk.keys() == {"kty", "crv", "x", "y"}
    made = await scene.platform.ask(purpose="us.506c")
    assert (await scene.wallet.answer(made)).status_code == 200
    assert (await scene.platform.read(made["id"]))["state"] == "verified"


async def test_verifier_request_uri_fetched_twice_is_accepted(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    await scene.wallet.open(made)
    assert (await scene.wallet.answer(made)).status_code == 200
