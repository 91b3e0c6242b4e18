"""Hostile tokens wherever else one is read: status lists, key proofs, access tokens, requests, encrypted answers."""

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.credentials.certificates import write_x5c
from service.credentials.did import did_jwk_from_jwk
from service.credentials.jose import parse_json, parse_jws
from service.errors import ServiceError
from service.fetch import Fetcher
from service.issuer.offers import PRE_AUTHORIZED_CODE_GRANT
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.wallet.client_identity import verify_request_object
from service.wallet.errors import NegativeAnswerError
from service.wallet.trust import VerifierTrust
from service.web.signing import ACCESS, get_active_key
from tests.certificate_support import new_root
from tests.deployment import BASE_URL, START, Deployment
from tests.foreign_issuer import LIST_PATH, ForeignIssuer, running_platform
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.oauth_support import Party
from tests.unit.sd_jwt_support import new_key_pair
from tests.vectors.hostile.encrypted import Recipient, list_bad_jwes
from tests.vectors.hostile.forms import list_form_flaws
from tests.vectors.hostile.headers import list_header_flaws, list_kid_flaws
from tests.vectors.hostile.keys import list_bad_jwks
from tests.vectors.hostile.signatures import list_ecdsa_flaws
from tests.vectors.hostile.tokens import PrivateKey, Sound, new_key
from tests.verifying_support import build_scene, failed, seconds

HOSTILE_CHAINS: dict[str, Any] = {
    "text": "MIIB",
    "object": {"0": "MIIB"},
    "empty": [],
    "numbers": [1, 2],
    "nothing": [None],
    "empty text": [""],
    "no base64": ["-----BEGIN CERTIFICATE-----"],
    "base64url": ["MIIB-_"],
    "no DER": ["AAAA"],
    "cut DER": ["MIIBszCCAVmgAwIBAgIU"],
    "length without end": ["MIT/////"],
    "deep DER": [b64encode(b"\x30\x80" * 2_000).decode()],
    "too many": ["MIIB"] * 50,
    "too long": ["A" * 40_000],
    "lists in lists": [["MIIB"]],
}
# Clients of before the type of assertions was defined send these, or none.
USUAL_TYPES = {f"typ {typ!r}" for typ in ("JWT", "jwt", "", ...)}
# Every place reads signatures with the same code, which test_hostile_credentials tries with all of them.
FLAWS = [*list_form_flaws(), *list_header_flaws(), *list_ecdsa_flaws("P-256")[::6]]


async def test_status_lists_of_a_trusted_issuer(sqlite_url: str, tmp_path: Path, abroad: ForeignIssuer) -> None:
    async with running_platform(sqlite_url, tmp_path, abroad) as platform:
        deployment = platform.deployment
        await platform.trust(abroad.identifier, "kyc")
        holder, now = new_key_pair(), deployment.clock()
        abroad.serve_list(now)
        served = parse_jws(abroad.pages[LIST_PATH][1])
        claims = parse_json(served.payload)
        spellings = ("white space", "a line feed behind")  # around the token it is the answer's, not the token's
        flaws = [flaw for flaw in FLAWS[::3] if not flaw.name.startswith(spellings)]
        surprises = {}
        for number, flaw in enumerate([*flaws, *list_kid_flaws()[::3]]):
            uri = f"{abroad.origin}/lists/hostile-{number}"
            sound = Sound(served.header, {**claims, "sub": uri}, abroad.keys.jwk, abroad.keys.sign)
            abroad.serve(uri.removeprefix(abroad.origin), flaw.spoil(sound))
            status = {"status_list": {"uri": uri, "idx": 5}}
            verdict = await platform.verify(credential=abroad.issue(holder, now, status=status))
            if verdict["valid"] or failed(verdict["checks"]) != {("status", "status_unavailable")}:
                surprises[flaw.name] = verdict
        assert surprises == {}
        assert (await platform.verify(credential=abroad.issue(holder, now)))["valid"]


async def _read_proof(wallet: Wallet) -> tuple[Sound, dict[str, Any], str]:
    made = await make_offer(wallet.deployment, wallet.member)
    token = (await wallet.request_token(made)).json()["access_token"]
    key = wallet.new_key()
    jws = parse_jws(wallet.prove(await wallet.fetch_nonce(), key))
    sign = wallet.deployment.context.signer.signing_function(key.kid)
    sound = Sound(jws.header, parse_json(jws.payload), dict(key.jwk), sign)
    return sound, {"credential_configuration_id": "kyc"}, token


async def test_key_proofs(sqlite_deployment: Deployment) -> None:
    wallet = Wallet(sqlite_deployment, await add_issuer(sqlite_deployment))
    sound, body, token = await _read_proof(wallet)
    key = new_key("ES256")
    proofs = {flaw.name: flaw.spoil(sound) for flaw in FLAWS if flaw.name != "a key in the header, which signed"}
    for name, jwk in list_bad_jwks(key).items():
        proofs[f"jwk: {name}"] = replace(sound, header={**sound.header, "jwk": jwk}, sign=key.sign).encode()
    surprises = {}
    for name, proof in proofs.items():
        answer = await wallet.request_credential(token, body | {"proofs": {"jwt": [proof]}})
        unreadable = "\0" in proof or len(proof) > 65_000  # it is the request that cannot be read
        expected = "invalid_credential_request" if unreadable else "invalid_proof"
        if (answer.status_code, answer.json().get("error")) != (400, expected):
            surprises[name] = answer.text
    assert surprises == {}
    answer = await wallet.request_credential(token, body | {"proofs": {"jwt": [sound.encode()]}})
    assert answer.status_code == 200


def _fits_a_header(token: str) -> bool:
    return token.isascii() and token.isprintable() and token == token.strip() and len(token) < 8_000


async def test_dpop_proofs(sqlite_deployment: Deployment) -> None:
    wallet, party = Wallet(sqlite_deployment, await add_issuer(sqlite_deployment)), Party(sqlite_deployment)
    code = await wallet.read_code(await make_offer(sqlite_deployment, wallet.member))
    form = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": code}
    nonce = (await sqlite_deployment.http.post("/issuers/kyc/nonce")).headers["DPoP-Nonce"]
    jws = parse_jws(party.dpop("POST", "/issuers/kyc/token", nonce=nonce))
    sign = sqlite_deployment.context.signer.signing_function(party.key.kid)
    sound, key = Sound(jws.header, parse_json(jws.payload), dict(party.key.jwk), sign), new_key("ES256")
    proofs = {flaw.name: flaw.spoil(sound) for flaw in FLAWS if flaw.name != "a key in the header, which signed"}
    for name, jwk in list_bad_jwks(key).items():
        proofs[f"jwk: {name}"] = replace(sound, header={**sound.header, "jwk": jwk}, sign=key.sign).encode()
    surprises = {}
    for name, proof in proofs.items():
        if _fits_a_header(proof):
            answer = await wallet.post_token(form, DPoP=proof)
            if (answer.status_code, answer.json().get("error")) != (400, "invalid_dpop_proof"):
                surprises[name] = answer.text
    assert surprises == {}
    assert (await wallet.post_token(form, DPoP=sound.encode())).status_code == 200


async def test_client_assertions(sqlite_deployment: Deployment) -> None:
    wallet, party = Wallet(sqlite_deployment, await add_issuer(sqlite_deployment)), Party(sqlite_deployment)
    body = {"name": "W", "redirect_uris": ["https://wallet.example/cb"], "jwks": party.jwks}
    body["token_endpoint_auth_method"] = "private_key_jwt"
    access = await sqlite_deployment.headers(wallet.member, "issuer")
    made = await sqlite_deployment.http.put("/v1/wallet-clients/w", json=body, headers=access)
    assert made.status_code == 201, made.text
    code = await wallet.read_code(await make_offer(sqlite_deployment, wallet.member))
    form = {"grant_type": PRE_AUTHORIZED_CODE_GRANT, "pre-authorized_code": code}
    form |= party.assertion("w", f"{BASE_URL}/issuers/kyc")
    jws = parse_jws(form["client_assertion"])
    sign = sqlite_deployment.context.signer.signing_function(party.key.kid)
    sound = Sound(jws.header, parse_json(jws.payload), dict(party.key.jwk), sign)
    chains = {name: {"x5c": value} for name, value in HOSTILE_CHAINS.items()}
    rogue = new_key("ES256")
    tokens = {flaw.name: flaw.spoil(sound) for flaw in FLAWS if flaw.name not in USUAL_TYPES} | {
        name: replace(sound, header={**sound.header, **more}, sign=rogue.sign).encode() for name, more in chains.items()
    }
    surprises = {}
    for name, token in tokens.items():
        answer = await wallet.post_token(form | {"client_assertion": token})
        found = (answer.status_code, answer.json().get("error"))
        if found not in ((401, "invalid_client"), (400, "invalid_request")):
            surprises[name] = answer.text
    assert surprises == {}
    assert (await wallet.post_token(form)).status_code == 200


async def test_certificate_chains(sqlite_url: str, tmp_path: Path, abroad: ForeignIssuer) -> None:
    """Whatever stands as ``x5c`` in a credential of an issuer with anchors is judged, and nothing is asked abroad."""
    root = new_root(START)
    async with running_platform(sqlite_url, tmp_path, abroad) as platform:
        deployment = platform.deployment
        await platform.trust(abroad.identifier, "kyc", x509_anchors=[root.pem])
        holder, surprises = new_key_pair(), {}
        for name, chain in HOSTILE_CHAINS.items():
            abroad.x5c = chain
            verdict = await platform.verify(credential=abroad.issue(holder, deployment.clock()))
            found = failed(verdict["checks"])
            if verdict["valid"] or not found <= {("issuer", "certificate_invalid"), ("format", "sd_jwt_malformed")}:
                surprises[name] = verdict
        assert surprises == {}
        abroad.x5c = write_x5c((root.certify(abroad.keys.private.public_key(), dns=["localhost"]),))
        abroad.serve_list(deployment.clock())
        assert (await platform.verify(credential=abroad.issue(holder, deployment.clock())))["valid"]
        assert abroad.asked == [LIST_PATH]


async def test_access_tokens(sqlite_deployment: Deployment) -> None:
    platform = await sqlite_deployment.add_organization("platform", "platform")
    header = await sqlite_deployment.headers(platform, "verifier")
    jws = parse_jws(header["Authorization"].removeprefix("Bearer "))
    async with sqlite_deployment.context.database.reading() as session:
        key = await get_active_key(session, SYSTEM_ORG_ID, ACCESS)
    sign = sqlite_deployment.context.signer.signing_function(key.kid)
    sound = Sound(jws.header, parse_json(jws.payload), dict(key.public_jwk), sign)
    answers = {}
    for flaw in [*FLAWS, *list_kid_flaws()]:
        token = flaw.spoil(sound)
        if token.isascii() and token.isprintable() and token == token.strip():  # else HTTP does not carry it
            answer = await sqlite_deployment.http.get("/v1/purposes", headers={"Authorization": f"Bearer {token}"})
            answers[flaw.name] = answer.status_code
    assert {name for name, status in answers.items() if status != 401} == set()
    assert (await sqlite_deployment.http.get("/v1/purposes", headers=header)).status_code == 200


async def test_request_objects_at_our_wallet() -> None:
    fetcher = Fetcher()
    key = new_key("ES256")

    async def read(token: str, signer: PrivateKey = key) -> Any:
        client_id = f"decentralized_identifier:{did_jwk_from_jwk(signer.jwk)}"
        return await verify_request_object(
            token,
            expected_client_id=client_id,
            expected_wallet_nonce=None,
            trust=VerifierTrust(),
            fetcher=fetcher,
            now=START,
        )

    did = did_jwk_from_jwk(key.jwk)
    claims = {"client_id": f"decentralized_identifier:{did}", "aud": "https://self-issued.me/v2", "iat": seconds(START)}
    sound = Sound({"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": f"{did}#0"}, claims, key.jwk, key.sign)
    assert await read(sound.encode()) == claims
    surprises = {}
    for flaw in [*FLAWS, *list_kid_flaws()]:
        try:
            surprises[flaw.name] = await read(flaw.spoil(sound))
        except ServiceError as error:
            if not isinstance(error, NegativeAnswerError):
                surprises[flaw.name] = error
    await fetcher.close()
    assert surprises == {}


async def test_encrypted_answers(sqlite_deployment: Deployment) -> None:
    scene = await build_scene(sqlite_deployment)
    made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
    request = await scene.wallet.open(made)
    [jwk] = request["client_metadata"]["jwks"]["keys"]
    answer = json.dumps({"vp_token": scene.wallet.present(request), "state": request["state"]})
    recipient = Recipient(jwk, answer.encode())
    surprises = {}
    for name, token in list_bad_jwes(recipient).items():
        refused = await sqlite_deployment.http.post(request["response_uri"], data={"response": token})
        if (refused.status_code, refused.json().get("error")) != (400, "invalid_request"):
            surprises[name] = refused.text
    assert surprises == {}
    assert (await scene.platform.read(made["id"]))["state"] == "pending"
    taken = await sqlite_deployment.http.post(request["response_uri"], data={"response": recipient.encrypt()})
    assert taken.status_code == 200
