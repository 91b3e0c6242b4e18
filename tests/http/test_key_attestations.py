"""Key attestations at the credential endpoint (OpenID4VCI 1.0, appendices D and F)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from cryptography.x509 import Certificate

from service.credentials.certificates import write_x5c
from service.credentials.jose import jwk_thumbprint, parse_json, parse_jws, sign_jws
from service.credentials.sd_jwt import parse_sd_jwt
from service.keys import PublicKey
from tests.certificate_support import load_public_key, new_root, to_pem
from tests.deployment import Deployment
from tests.issuing_support import Wallet, add_issuer, assert_error, get_token, make_offer
from tests.prepared import prepared

POLICY = "/v1/key-attestation-policy"
HIGH, BASIC = "iso_18045_high", "iso_18045_basic"


@dataclass
class Attester:
    """A wallet provider, and the wallet whose keys it knows."""

    wallet: Wallet
    key: PublicKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.wallet.deployment.context.signer.create_key("ES256")

    async def trust(self, **required: Any) -> httpx2.Response:
        """Have the issuer believe this attester."""
        jwks = {"keys": [{**self.key.jwk, "kid": "provider-1"}]}
        body = {"attesters": [{"name": "Provider", "jwks": jwks}], "required": required}
        return await put_policy(self.wallet, body)

    def attest(self, keys: Sequence[PublicKey], nonce: str | None, **changes: Any) -> str:
        issued_at = int(self.wallet.deployment.clock().timestamp())
        claims = {"iat": issued_at, "exp": issued_at + 60, "nonce": nonce, "attested_keys": [key.jwk for key in keys]}
        header = {"alg": "ES256", "typ": "key-attestation+jwt", "kid": "provider-1"}
        stated = {name: value for name, value in (claims | changes).items() if value is not None}
        return sign_jws(header, stated, self.wallet.deployment.context.signer.signing_function(self.key.kid))

    def prove(self, key: PublicKey, nonce: str, attestation: str) -> str:
        header = {"alg": "ES256", "typ": "openid4vci-proof+jwt", "jwk": key.jwk, "key_attestation": attestation}
        issued_at = int(self.wallet.deployment.clock().timestamp())
        claims = {"aud": self.wallet.identifier, "iat": issued_at, "nonce": nonce}
        return sign_jws(header, claims, self.wallet.deployment.context.signer.signing_function(key.kid))


@prepared
async def wallet(sqlite_deployment: Deployment) -> Wallet:
    return Wallet(sqlite_deployment, await add_issuer(sqlite_deployment))


@pytest.fixture
def attester(wallet: Wallet) -> Attester:
    return Attester(wallet)


async def put_policy(wallet: Wallet, body: Any) -> httpx2.Response:
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    return await wallet.deployment.http.put(POLICY, json=body, headers=headers)


async def proof_types(wallet: Wallet, name: str = "kyc") -> dict[str, Any]:
    metadata = (await wallet.deployment.http.get("/.well-known/openid-credential-issuer/issuers/kyc")).json()
    described: dict[str, Any] = metadata["credential_configurations_supported"][name]["proof_types_supported"]
    return described


async def ask(wallet: Wallet, kind: str, *tokens: str, bearer: str | None = None) -> httpx2.Response:
    body = {"credential_configuration_id": "kyc", "proofs": {kind: list(tokens)}}
    return await wallet.request_credential(bearer or await get_token(wallet), body)


def bound_to(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    compacts = [entry["credential"] for entry in answer.json()["credentials"]]
    payloads = [parse_json(parse_jws(parse_sd_jwt(compact).issuer_jwt).payload) for compact in compacts]
    return [jwk_thumbprint(payload["cnf"]["jwk"]) for payload in payloads]


async def test_without_a_policy_nobody_attests(wallet: Wallet, attester: Attester) -> None:
    assert (await proof_types(wallet)).keys() == {"jwt"}
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    read = await wallet.deployment.http.get(POLICY, headers=headers)
    assert read.json() == {"attesters": [], "required": {}}
    nonce, key = await wallet.fetch_nonce(), wallet.new_key()
    assert_error(await ask(wallet, "attestation", attester.attest([key], nonce)), "invalid_proof")
    assert bound_to(await ask(wallet, "jwt", attester.prove(key, nonce, "not one"))) == [key.kid]


async def test_metadata_say_who_must_attest_what(wallet: Wallet, attester: Attester) -> None:
    answer = await attester.trust(
        kyc={"key_storage": [HIGH, BASIC], "user_authentication": [HIGH]}, **{"aml-screening": {}}
    )
    assert answer.status_code == 200
    wanted = {"key_storage": [BASIC, HIGH], "user_authentication": [HIGH]}
    for name, required in (("kyc", wanted), ("aml-screening", {})):
        described = await proof_types(wallet, name)
        assert described.keys() == {"jwt", "attestation"}
        assert all(each["key_attestations_required"] == required for each in described.values())
    others = await proof_types(wallet, "qualified-investor")
    assert all(each.keys() == {"proof_signing_alg_values_supported"} for each in others.values())


async def test_every_attested_key_gets_its_credential(wallet: Wallet, attester: Attester) -> None:
    await attester.trust()
    keys = [wallet.new_key() for _ in range(3)]
    kids = [key.kid for key in keys]
    nonce = await wallet.fetch_nonce()
    assert bound_to(await ask(wallet, "attestation", attester.attest(keys, nonce, exp=None))) == kids
    nonce = await wallet.fetch_nonce()
    proof = attester.prove(keys[1], nonce, attester.attest(keys, nonce))
    assert bound_to(await ask(wallet, "jwt", proof)) == [kids[1], kids[0], kids[2]]


async def test_no_response_holds_more_than_a_batch(wallet: Wallet, attester: Attester) -> None:
    await attester.trust()
    keys = [wallet.new_key() for _ in range(12)]
    attestation = attester.attest(keys, await wallet.fetch_nonce())
    assert bound_to(await ask(wallet, "attestation", attestation)) == [key.kid for key in keys[:10]]


async def test_a_required_attestation_must_be_there_and_say_enough(wallet: Wallet, attester: Attester) -> None:
    await attester.trust(kyc={"key_storage": [HIGH]})
    token, key = await get_token(wallet), wallet.new_key()
    nonce = await wallet.fetch_nonce()
    low, high = (attester.attest([key], nonce, key_storage=values) for values in ([BASIC], [BASIC, HIGH]))
    for kind, proof in (
        ("jwt", wallet.prove(nonce, key)),
        ("jwt", attester.prove(key, nonce, attester.attest([key], nonce))),
        ("jwt", attester.prove(key, nonce, low)),
        ("attestation", low),
    ):
        assert_error(await ask(wallet, kind, proof, bearer=token), "invalid_proof")
    batch = [attester.prove(key, nonce, high), wallet.prove(nonce)]
    assert_error(await ask(wallet, "jwt", *batch, bearer=token), "invalid_proof")
    assert bound_to(await ask(wallet, "jwt", attester.prove(key, nonce, high), bearer=token)) == [key.kid]


async def test_another_credential_asks_for_none(wallet: Wallet, attester: Attester) -> None:
    await attester.trust(**{"aml-screening": {}})
    assert (await wallet.redeem(await make_offer(wallet.deployment, wallet.member))).status_code == 200


async def test_an_attestation_that_is_sent_must_hold(wallet: Wallet, attester: Attester) -> None:
    await attester.trust()
    token, key = await get_token(wallet), wallet.new_key()
    nonce, stranger = await wallet.fetch_nonce(), Attester(wallet)
    for kind, proof in (
        ("attestation", stranger.attest([key], nonce)),
        ("attestation", attester.attest([key], nonce)[:-4] + "AAAA"),
        ("attestation", attester.attest([key], None)),
        ("attestation", wallet.prove(nonce, key)),
        ("jwt", attester.attest([key], nonce)),
        ("jwt", attester.prove(key, nonce, stranger.attest([key], nonce))),
        ("jwt", attester.prove(key, nonce, attester.attest([wallet.new_key()], nonce))),
        ("jwt", attester.prove(key, nonce, attester.attest([key], None))),
    ):
        assert_error(await ask(wallet, kind, proof, bearer=token), "invalid_proof")
    two = [attester.attest([each], nonce) for each in (key, wallet.new_key())]
    assert_error(await ask(wallet, "attestation", *two, bearer=token), "invalid_proof")
    for old in (attester.attest([key], "guess"), attester.attest([key], nonce + "A")):
        assert_error(await ask(wallet, "attestation", old, bearer=token), "invalid_nonce")
        assert_error(await ask(wallet, "jwt", attester.prove(key, nonce, old), bearer=token), "invalid_nonce")
    assert bound_to(await ask(wallet, "attestation", attester.attest([key], nonce), bearer=token)) == [key.kid]


async def test_the_nonce_of_an_attestation_is_spent(wallet: Wallet, attester: Attester) -> None:
    await attester.trust()
    key, spent, fresh = wallet.new_key(), await wallet.fetch_nonce(), await wallet.fetch_nonce()
    assert (await ask(wallet, "attestation", attester.attest([key], spent))).status_code == 200
    assert_error(await ask(wallet, "attestation", attester.attest([key], spent)), "invalid_nonce")
    again = attester.prove(key, fresh, attester.attest([key], spent))
    assert_error(await ask(wallet, "jwt", again), "invalid_nonce")


async def test_an_attestation_may_bring_its_certificates(wallet: Wallet, attester: Attester) -> None:
    root, stranger = (new_root(wallet.deployment.clock()) for _ in range(2))
    answer = await put_policy(wallet, {"attesters": [{"name": "Maker", "x509_anchors": [root.pem]}], "required": {}})
    assert answer.json() == {"attesters": [{"name": "Maker", "x509_anchors": [root.pem]}], "required": {}}
    token, key, public = await get_token(wallet), wallet.new_key(), load_public_key(attester.key.jwk)
    nonce, sign = await wallet.fetch_nonce(), wallet.deployment.context.signer.signing_function(attester.key.kid)
    issued_at = int(wallet.deployment.clock().timestamp())
    claims = {"iat": issued_at, "exp": issued_at + 60, "nonce": nonce, "attested_keys": [key.jwk]}

    async def send(*chain: Certificate) -> httpx2.Response:
        header = {"alg": "ES256", "typ": "key-attestation+jwt", "x5c": write_x5c(chain)}
        return await ask(wallet, "attestation", sign_jws(header, claims, sign), bearer=token)

    assert_error(await send(stranger.certify(public)), "invalid_proof")
    assert_error(await send(root.certify(public), root.certificate), "invalid_proof")
    assert_error(await send(root.certify(load_public_key(key.jwk))), "invalid_proof")
    assert_error(await send(), "invalid_proof")
    assert bound_to(await send(root.certify(public))) == [key.kid]


async def test_policies_that_cannot_hold(wallet: Wallet, attester: Attester) -> None:
    key = {**attester.key.jwk, "kid": "a"}
    for attesters, required in (
        ([], {"kyc": {}}),
        ([[key]], {"other": {}}),
        ([[attester.key.jwk]], {}),
        ([[key], [key]], {}),
        ([[]], {}),
        ([[key | {"x": key["y"]}]], {}),
        ([[key | {"d": "AA"}]], {}),
        ([["key"]], {}),
    ):
        body = {"attesters": [{"name": "P", "jwks": {"keys": keys}} for keys in attesters], "required": required}
        answer = await put_policy(wallet, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "key_attestation_policy_invalid")
    leaf = new_root(wallet.deployment.clock()).certify(load_public_key(attester.key.jwk))
    for anchor in ("x", to_pem(leaf)):
        answer = await put_policy(wallet, {"attesters": [{"name": "P", "x509_anchors": [anchor]}], "required": {}})
        assert answer.json()["code"] == "key_attestation_policy_invalid"
    for body in (
        {"attesters": [], "required": {"kyc": {"key_storage": []}}},
        {"attesters": [{"name": "P"}], "required": {}},
    ):
        assert (await put_policy(wallet, body)).json()["code"] == "invalid_input"
    assert (await wallet.deployment.http.get(POLICY)).status_code == 401
