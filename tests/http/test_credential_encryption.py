"""Encrypted Credential Requests and Responses (OpenID4VCI 1.0, section 10)."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey
from sqlalchemy import delete
from sqlmodel import col

from service.organizations.setup import create_missing_keys
from service.storage.tables import SigningKey
from service.web.signing import ENCRYPTION, rotate_signing_key
from tests.deployment import Deployment
from tests.issuing_support import Wallet, add_issuer, assert_error, get_token
from tests.prepared import prepared

METADATA = "/.well-known/openid-credential-issuer/issuers/kyc"
MY_KEY = ECKey.generate_key("P-256", {"kid": "mine", "alg": "ECDH-ES"})
MY_JWK = MY_KEY.as_dict(private=False)
WANTED = {"jwk": MY_JWK, "enc": "A256GCM"}
REGISTRY = jwe.JWERegistry(
    algorithms=["ECDH-ES", "ECDH-ES+A128KW", "RSA-OAEP-256", "A128GCM", "A256GCM", "A128CBC-HS256", "DEF"]
)


@prepared
async def wallet(sqlite_deployment: Deployment) -> Wallet:
    return Wallet(sqlite_deployment, await add_issuer(sqlite_deployment))


async def read_metadata(wallet: Wallet) -> dict[str, Any]:
    metadata: dict[str, Any] = (await wallet.deployment.http.get(METADATA)).json()
    return metadata


async def read_recipient(wallet: Wallet) -> dict[str, Any]:
    [key] = (await read_metadata(wallet))["credential_request_encryption"]["jwks"]["keys"]
    recipient: dict[str, Any] = key
    return recipient


async def make_body(wallet: Wallet, **more: Any) -> dict[str, Any]:
    proofs = {"jwt": [wallet.prove(await wallet.fetch_nonce())]}
    return {"credential_configuration_id": "kyc", "proofs": proofs} | more


def encrypt(body: Any, recipient: Mapping[str, Any], **header: Any) -> str:
    protected = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": recipient.get("kid")} | header
    protected = {name: value for name, value in protected.items() if value is not None}
    plain = body if isinstance(body, bytes) else json.dumps(body).encode()
    members = {name: recipient[name] for name in ("kty", "crv", "x", "y")}
    return jwe.encrypt_compact(protected, plain, ECKey.import_key(members), registry=REGISTRY)


async def send(
    wallet: Wallet, token: str, content: str | bytes, media_type: str = "application/jwt"
) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
    return await wallet.deployment.http.post("/issuers/kyc/credential", content=content, headers=headers)


def open_answer(answer: httpx2.Response) -> dict[str, Any]:
    opened = jwe.decrypt_compact(answer.text, MY_KEY, registry=REGISTRY)
    assert opened.headers().items() >= {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "mine"}.items()
    assert "zip" not in opened.headers()
    assert opened.plaintext is not None
    body: dict[str, Any] = json.loads(opened.plaintext)
    return body


async def test_metadata_say_what_is_decrypted_and_encrypted(wallet: Wallet) -> None:
    metadata = await read_metadata(wallet)
    request, response = (metadata[f"credential_{side}_encryption"] for side in ("request", "response"))
    [key] = request.pop("jwks")["keys"]
    assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (key["alg"], key["use"]) == ("ECDH-ES", "enc")
    methods = {"enc_values_supported": ["A128GCM", "A256GCM"], "encryption_required": False}
    assert request == methods
    assert response == {"alg_values_supported": ["ECDH-ES"], **methods}
    published = (await wallet.deployment.http.get("/issuers/kyc/jwks")).json()["keys"]
    document = (await wallet.deployment.http.get("/issuers/kyc/did.json")).text
    assert key["kid"] not in {each["kid"] for each in published}
    assert key["kid"] not in document


@pytest.mark.parametrize("method", ["A128GCM", "A256GCM"])
async def test_an_encrypted_request_is_read(wallet: Wallet, method: str) -> None:
    content = encrypt(await make_body(wallet), await read_recipient(wallet), enc=method, cty="json")
    answer = await send(wallet, await get_token(wallet), content)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert len(answer.json()["credentials"]) == 1


async def test_the_response_is_encrypted_to_the_key_in_the_request(wallet: Wallet) -> None:
    content = encrypt(await make_body(wallet, credential_response_encryption=WANTED), await read_recipient(wallet))
    answer = await send(wallet, await get_token(wallet), content)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jwt")
    assert answer.headers["cache-control"] == "no-store"
    assert open_answer(answer).keys() == {"credentials", "notification_id"}


async def test_a_key_without_a_name_is_answered_without_one(wallet: Wallet) -> None:
    unnamed = {"jwk": {name: value for name, value in MY_JWK.items() if name != "kid"}, "enc": "A128GCM"}
    content = encrypt(await make_body(wallet, credential_response_encryption=unnamed), await read_recipient(wallet))
    answer = await send(wallet, await get_token(wallet), content)
    assert "kid" not in jwe.decrypt_compact(answer.text, MY_KEY, registry=REGISTRY).headers()


WRONG_PARAMETERS: list[Any] = [
    None,
    [],
    {},
    {"enc": "A128GCM"},
    {"jwk": MY_JWK},
    WANTED | {"enc": "A128CBC-HS256"},
    WANTED | {"enc": ["A128GCM"]},
    WANTED | {"zip": "DEF"},
    WANTED | {"jwk": [MY_JWK]},
    WANTED | {"jwk": MY_JWK | {"alg": "UNSUPPORTED_ALG"}},
    WANTED | {"jwk": {name: value for name, value in MY_JWK.items() if name != "alg"}},
    WANTED | {"jwk": MY_JWK | {"use": "sig"}},
    WANTED | {"jwk": MY_JWK | {"key_ops": ["sign"]}},
    WANTED | {"jwk": MY_JWK | {"y": MY_JWK["x"]}},
    WANTED | {"jwk": MY_JWK | {"kid": 7}},
    WANTED | {"jwk": ECKey.generate_key("P-521").as_dict(private=False) | {"alg": "ECDH-ES"}},
    WANTED | {"jwk": MY_KEY.as_dict(private=True)},
]


async def test_parameters_that_cannot_be_used_are_refused_before_anything_is_used_up(wallet: Wallet) -> None:
    token, recipient, good = await get_token(wallet), await read_recipient(wallet), await make_body(wallet)
    for wrong in WRONG_PARAMETERS:
        answer = await send(wallet, token, encrypt(good | {"credential_response_encryption": wrong}, recipient))
        assert_error(answer, "invalid_encryption_parameters")
    # A key that anybody on the way could have put there is not used.
    plain = json.dumps(good | {"credential_response_encryption": WANTED})
    assert_error(await send(wallet, token, plain, "application/json"), "invalid_encryption_parameters")
    assert (await send(wallet, token, encrypt(good, recipient))).status_code == 200


async def test_errors_are_never_encrypted(wallet: Wallet) -> None:
    body = await make_body(wallet, credential_response_encryption=WANTED, proofs={"jwt": ["a.b.c"]})
    answer = await send(wallet, await get_token(wallet), encrypt(body, await read_recipient(wallet)))
    assert answer.headers["content-type"] == "application/json"
    assert_error(answer, "invalid_proof")


async def test_requests_of_another_profile_are_refused(wallet: Wallet) -> None:
    token, recipient, body = await get_token(wallet), await read_recipient(wallet), await make_body(wallet)
    stranger = ECKey.generate_key("P-256", {"kid": "x"}).as_dict(private=False)
    good = encrypt(body, recipient)
    head, *rest = good.split(".")
    for content in (
        encrypt(body, recipient, alg="ECDH-ES+A128KW"),
        encrypt(body, recipient, enc="A128CBC-HS256"),
        encrypt(body, recipient, zip="DEF"),
        encrypt(b"\0" * 200_000, recipient, zip="DEF"),
        encrypt(body, recipient | {"kid": None}),
        encrypt(body, recipient, kid="other"),
        encrypt(body, stranger),
        encrypt(body, stranger, kid=recipient["kid"]),
        ".".join([head, *rest[:-1], rest[-1][:-4] + "AAAA"]),
        f"{good}.",
        head,
        "",
        "é",
        wallet.prove("nonce"),
        json.dumps(body),
    ):
        assert_error(await send(wallet, token, content), "invalid_encryption_parameters")
    assert_error(await send(wallet, token, encrypt(b"[]", recipient)), "invalid_credential_request")
    assert_error(await send(wallet, token, good, "text/plain"), "invalid_credential_request")
    assert_error(await send(wallet, token, encrypt(b" " * 70_000, recipient)), "invalid_credential_request")
    assert (await send(wallet, token, good)).status_code == 200


async def test_the_token_is_looked_at_before_the_message(wallet: Wallet) -> None:
    assert_error(await send(wallet, "guess", "a.b.c.d.e"), "invalid_token", 401)


async def test_another_issuers_key_opens_nothing_here(wallet: Wallet) -> None:
    other = Wallet(wallet.deployment, await add_issuer(wallet.deployment, "other"))
    path = METADATA.replace("kyc", "other")
    [theirs] = (await wallet.deployment.http.get(path)).json()["credential_request_encryption"]["jwks"]["keys"]
    answer = await send(wallet, await get_token(wallet), encrypt(await make_body(other), theirs))
    assert_error(answer, "invalid_encryption_parameters")


async def test_an_issuer_of_before_encrypts_nothing_until_its_key_is_made(wallet: Wallet) -> None:
    context = wallet.deployment.context
    async with context.database.transaction() as session:
        await session.exec(delete(SigningKey).where(col(SigningKey.purpose) == ENCRYPTION))
    assert not [name for name in await read_metadata(wallet) if name.endswith("_encryption")]
    for _ in range(2):
        async with context.database.transaction() as session:
            await create_missing_keys(session, context.signer, wallet.deployment.clock())
    answer = await send(wallet, await get_token(wallet), encrypt(await make_body(wallet), await read_recipient(wallet)))
    assert answer.status_code == 200


async def test_a_replaced_key_opens_for_another_day(wallet: Wallet) -> None:
    context, clock = wallet.deployment.context, wallet.deployment.clock
    before = await read_recipient(wallet)
    async with context.database.transaction() as session:
        await rotate_signing_key(session, context.signer, org_id=wallet.member.org_id, purpose=ENCRYPTION, now=clock())
    assert (await read_recipient(wallet))["kid"] != before["kid"]
    answer = await send(wallet, await get_token(wallet), encrypt(await make_body(wallet), before))
    assert answer.status_code == 200
    clock.advance(days=1)
    answer = await send(wallet, await get_token(wallet), encrypt(await make_body(wallet), before))
    assert_error(answer, "invalid_encryption_parameters")
