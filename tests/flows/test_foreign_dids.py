"""Issuers that are named by DIDs: the forms in which their keys are found, and those that must not lead to one."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from service.credentials.did import did_key_from_jwk
from service.credentials.multikey import encode_base58, encode_multikey
from tests.deployment import running_deployment
from tests.flows.test_foreign_issuers import HOLDER
from tests.foreign_issuer import ForeignIssuer, running_platform
from tests.unit.jose_support import SIGNERS
from tests.verifying_support import Platform, failed

SECP256K1 = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"


@pytest.fixture
async def platform(migrated_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    async with running_platform(migrated_url, tmp_path, abroad) as platform:
        yield platform


def use_keys(abroad: ForeignIssuer, alg: str) -> None:
    abroad.keys, abroad.alg = SIGNERS[alg], alg


async def verify(platform: Platform, abroad: ForeignIssuer, did: str, kid: str | None) -> dict[str, Any]:
    await platform.trust(did, "kyc")
    credential = abroad.issue(HOLDER, platform.deployment.clock(), iss=did, kid=kid, status=None)
    return await platform.verify(credential=credential)


def write_method(did: str, alg: str, kind: str) -> dict[str, Any]:
    signer = SIGNERS[alg]
    value = (
        {"publicKeyJwk": signer.jwk} if kind.startswith("Json") else {"publicKeyMultibase": encode_multikey(signer.key)}
    )
    return {"id": f"{did}#key-1", "type": kind, "controller": did, **value}


KINDS = [
    ("ES256", "JsonWebKey2020"),
    ("ES384", "JsonWebKey"),
    ("ES256", "Multikey"),
    ("ES384", "Multikey"),
    ("EdDSA", "Multikey"),
    ("EdDSA", "Ed25519VerificationKey2020"),
]


async def test_every_form_of_a_did_web_key_verifies(platform: Platform, abroad: ForeignIssuer) -> None:
    for number, ((alg, kind), form) in enumerate(product(KINDS, ("listed", "relative", "embedded"))):
        use_keys(abroad, alg)
        did = f"did:web:localhost%3A{abroad.port}:tenants:a.b_c-{number}:issuers"
        method = write_method(did, alg, kind)
        document = {"id": did, "verificationMethod": [method], "assertionMethod": [method["id"]]}
        if form == "relative":
            document |= {"verificationMethod": [method | {"id": "#key-1"}], "assertionMethod": ["#key-1"]}
        elif form == "embedded":
            document |= {"verificationMethod": [], "assertionMethod": [method]}
        abroad.serve(f"/tenants/a.b_c-{number}/issuers/did.json", document)
        kid = "#key-1" if form == "relative" else method["id"]
        assert (await verify(platform, abroad, did, kid))["outcome"] == "verified", (alg, kind, form)


async def test_a_did_web_without_a_path_is_at_the_well_known_place(platform: Platform, abroad: ForeignIssuer) -> None:
    use_keys(abroad, "EdDSA")
    did = f"did:web:localhost%3A{abroad.port}"
    method = write_method(did, "EdDSA", "Multikey")
    abroad.serve("/.well-known/did.json", {"id": did, "assertionMethod": [method]})
    assert (await verify(platform, abroad, did, method["id"]))["outcome"] == "verified"


async def test_a_did_key_of_every_curve_that_signs_verifies(platform: Platform, abroad: ForeignIssuer) -> None:
    for alg, signer in SIGNERS.items():
        use_keys(abroad, alg)
        did = did_key_from_jwk(signer.jwk)
        verdict = await verify(platform, abroad, did, f"{did}#{did.removeprefix('did:key:')}")
        assert verdict["outcome"] == "verified", alg
    assert abroad.asked == []


async def test_a_key_on_secp256k1_is_read_and_verifies_nothing(platform: Platform, abroad: ForeignIssuer) -> None:
    assert failed((await verify(platform, abroad, SECP256K1, None))["checks"]) == {("issuer", "issuer_key_unknown")}


WRONG_METHODS: dict[str, dict[str, Any]] = {
    "controller": {"controller": "did:web:attacker.example"},
    "another codec": {"publicKeyMultibase": SECP256K1.removeprefix("did:key:")},
    "another length": {"publicKeyMultibase": "z" + encode_base58(b"\xed\x01" + b"\x11" * 31)},
    "long": {"publicKeyMultibase": "z" + "2" * 60_000},
    "two keys": {"publicKeyJwk": SIGNERS["EdDSA"].jwk},
    "expired": {"expires": "2020-01-01T00:00:00Z"},
    "revoked": {"revoked": "2020-01-01T00:00:00Z"},
}


async def test_a_did_web_key_that_does_not_hold_together_verifies_nothing(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    use_keys(abroad, "EdDSA")
    for number, (what, change) in enumerate(WRONG_METHODS.items()):
        did = f"did:web:localhost%3A{abroad.port}:{number}"
        method = write_method(did, "EdDSA", "Multikey")
        abroad.serve(f"/{number}/did.json", {"id": did, "assertionMethod": [method | change]})
        verdict = await verify(platform, abroad, did, method["id"])
        assert failed(verdict["checks"]) == {("issuer", "issuer_key_unknown")}, what


async def test_a_did_web_document_elsewhere_is_never_asked_for(platform: Platform, abroad: ForeignIssuer) -> None:
    """Neither a redirect nor a document too large is followed to its end, and neither is kept."""
    use_keys(abroad, "EdDSA")
    did = f"did:web:localhost%3A{abroad.port}"
    method = write_method(did, "EdDSA", "Multikey")
    document = {"id": did, "assertionMethod": [method]}
    abroad.serve("/other/did.json", document)
    abroad.raw["/.well-known/did.json"] = (
        b"HTTP/1.1 302 X\r\nLocation: /other/did.json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    assert failed((await verify(platform, abroad, did, method["id"]))["checks"]) == {("issuer", "issuer_unavailable")}
    assert abroad.asked == ["/.well-known/did.json"]
    del abroad.raw["/.well-known/did.json"]
    abroad.serve("/.well-known/did.json", {**document, "padding": "a" * 100_000})
    assert failed((await verify(platform, abroad, did, method["id"]))["checks"]) == {("issuer", "issuer_unavailable")}
    many = [method | {"id": f"{did}#{number}"} for number in range(100)]
    abroad.serve("/.well-known/did.json", {"id": did, "assertionMethod": [method, *many]})
    assert failed((await verify(platform, abroad, did, method["id"]))["checks"]) == {("issuer", "issuer_key_unknown")}
    abroad.serve("/.well-known/did.json", document)
    assert (await verify(platform, abroad, did, method["id"]))["outcome"] == "verified"


async def test_a_document_that_was_kept_serves_no_other_identifier(platform: Platform, abroad: ForeignIssuer) -> None:
    use_keys(abroad, "EdDSA")
    first, second = (f"did:web:localhost%3A{abroad.port}:{name}" for name in ("first", "second"))
    methods = [write_method(did, "EdDSA", "Multikey") for did in (first, second)]
    abroad.serve("/first/did.json", {"id": first, "assertionMethod": methods})
    abroad.serve("/second/did.json", {"id": first, "assertionMethod": methods})
    assert (await verify(platform, abroad, first, methods[0]["id"]))["outcome"] == "verified"
    await platform.trust(second, "kyc", entry_id="two")
    credential = abroad.issue(HOLDER, platform.deployment.clock(), iss=second, kid=methods[1]["id"], status=None)
    verdict = await platform.verify(credential=credential)
    assert failed(verdict["checks"]) == {("issuer", "issuer_key_unknown")}
    credential = abroad.issue(HOLDER, platform.deployment.clock(), iss=first, kid=methods[1]["id"], status=None)
    assert failed((await platform.verify(credential=credential))["checks"]) == {("issuer", "issuer_key_unknown")}


OTHER = "did:ont:TPvb6aRyZSZDKjuzNU.-_x"


@pytest.fixture
async def asking(migrated_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    """A platform of a deployment that has a resolver."""
    more = {"fetch_allow": (f"localhost:{abroad.port}",), "did_resolver": f"{abroad.origin}/1.0/identifiers/"}
    async with running_deployment(migrated_url, tmp_path, **more) as running:
        yield Platform(running, await running.add_organization("platform", "platform"))


def resolve_to(abroad: ForeignIssuer, did: str = OTHER, **result: Any) -> None:
    document = {"id": did, "assertionMethod": [write_method(did, "EdDSA", "Multikey")]}
    abroad.serve(f"/1.0/identifiers/{did}", {"didDocument": document, "didDocumentMetadata": {}, **result})


async def test_other_methods_are_resolved_elsewhere_if_the_operator_says_where(
    asking: Platform, abroad: ForeignIssuer
) -> None:
    use_keys(abroad, "EdDSA")
    resolve_to(abroad)
    credential = abroad.issue(HOLDER, asking.deployment.clock(), iss=OTHER, kid=f"{OTHER}#key-1", status=None)
    verdict = await asking.verify(credential=credential)
    assert failed(verdict["checks"]) == {("issuer_trusted", "issuer_untrusted")}
    assert abroad.asked == []
    for _ in range(2):
        assert (await verify(asking, abroad, OTHER, f"{OTHER}#key-1"))["outcome"] == "verified"
    assert abroad.asked == [f"/1.0/identifiers/{OTHER}"]


async def test_what_a_resolver_says_must_hold_together(asking: Platform, abroad: ForeignIssuer) -> None:
    use_keys(abroad, "EdDSA")
    account = {"type": "EcdsaSecp256k1RecoveryMethod2020", "blockchainAccountId": "eip155:1:0xb9c5714089478a327f09"}
    method = write_method(OTHER, "EdDSA", "Multikey")
    results: list[tuple[dict[str, Any], str]] = [
        ({"didDocument": {"id": "did:ont:other", "assertionMethod": [method]}}, "issuer_key_unknown"),
        ({"didDocument": {"assertionMethod": [method]}}, "issuer_key_unknown"),
        (
            {
                "didDocument": {
                    "id": OTHER,
                    "assertionMethod": [{"id": f"{OTHER}#key-1", "controller": OTHER, **account}],
                }
            },
            "issuer_key_unknown",
        ),
        ({"didDocument": None}, "issuer_key_unknown"),
        ({"didDocumentMetadata": {"deactivated": True}}, "did_deactivated"),
        ({"didDocumentMetadata": {"deactivated": "false"}}, "did_deactivated"),
    ]
    for number, (result, code) in enumerate(results):
        resolve_to(abroad, **result)
        verdict = await verify(asking, abroad, OTHER, f"{OTHER}#key-1")
        assert failed(verdict["checks"]) == {("issuer", code)}, number
        asking.deployment.clock.advance(minutes=1)
    abroad.serve(f"/1.0/identifiers/{OTHER}", "{}", 410)
    verdict = await verify(asking, abroad, OTHER, f"{OTHER}#key-1")
    assert failed(verdict["checks"]) == {("issuer", "issuer_unavailable")}
    for did in ("did:ont:a/../../x", "did:ont:a?x=1", "did:ont:a#b", "did:ont:", "did:ont:a\\b"):
        abroad.asked.clear()
        verdict = await verify(asking, abroad, did, f"{did}#key-1")
        assert failed(verdict["checks"]) == {("issuer", "issuer_key_unknown")}
        assert abroad.asked == []


async def test_without_a_resolver_other_methods_are_not_trusted(platform: Platform, abroad: ForeignIssuer) -> None:
    answer = await platform.trust(OTHER, "kyc")
    assert answer.json()["code"] == "trusted_issuer_invalid"
