"""Credentials of the W3C data model whose ``credentialStatus`` an issuer outside the deployment keeps."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.credentials.data_integrity import add_proof
from service.credentials.did import did_key_from_jwk
from service.linked_data.bundled_contexts import load_contexts
from service.verifier.status_schedule import refresh_all_status_lists
from tests.deployment import running_deployment
from tests.foreign_issuer import ForeignIssuer, running_foreign_issuer
from tests.unit.bitstring_support import entry, list_2021, list_of_messages, list_v2, messages_of, sign_list
from tests.unit.jwt_vc_support import claims_v2, sign
from tests.unit.sd_jwt_support import HOLDER_KEYS, KeyPair, new_key_pair
from tests.verifying_support import Platform, failed, seconds

PATHS = {"revocation": "/bitstrings/1", "suspension": "/bitstrings/2", "message": "/bitstrings/3"}
UNAVAILABLE = {("status", "status_unavailable")}


@pytest.fixture
async def abroad() -> AsyncIterator[ForeignIssuer]:
    async with running_foreign_issuer() as issuer:
        yield issuer


@pytest.fixture
async def platform(sqlite_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    async with running_deployment(sqlite_url, tmp_path, fetch_allow=(f"localhost:{abroad.port}",)) as deployment:
        platform = Platform(deployment, await deployment.add_organization("platform", "platform"))
        await platform.trust(abroad.identifier, "kyc")
        yield platform


def serve(
    platform: Platform,
    abroad: ForeignIssuer,
    *indices: int,
    purpose: str = "revocation",
    keys: KeyPair | None = None,
    **changes: Any,
) -> None:
    address = abroad.origin + PATHS[purpose]
    now = seconds(platform.deployment.clock())
    terms = {"id": address, "issuer": abroad.identifier, "iat": now, "exp": now + 3 * 86_400}
    claims = list_v2(*indices, subject={"statusPurpose": purpose, "ttl": 600_000}, **terms | changes)
    abroad.serve(PATHS[purpose], sign_list(claims, keys or abroad.keys, "k1"))


async def verify(platform: Platform, abroad: ForeignIssuer, *purposes: str, **changes: Any) -> dict[str, Any]:
    entries = [entry(statusPurpose=each, statusListCredential=abroad.origin + PATHS[each]) for each in purposes]
    now = seconds(platform.deployment.clock())
    subject = {"id": did_key_from_jwk(HOLDER_KEYS.jwk), "country": "US"}
    times = {"validFrom": None, "validUntil": None, "nbf": now, "exp": now + 30 * 86_400}
    terms = {"issuer": abroad.identifier, "status": None, "credentialSubject": subject, "credentialStatus": entries}
    claims = claims_v2(**times | terms | changes)
    return await platform.verify(credential=sign(claims, {"typ": "vc+jwt", "kid": "k1"}, abroad.keys))


async def test_each_purpose_is_read_and_the_worst_counts(platform: Platform, abroad: ForeignIssuer) -> None:
    serve(platform, abroad, 4, 6)
    serve(platform, abroad, 4, 6, purpose="suspension")
    verdict = await verify(platform, abroad, "revocation", "suspension")
    assert (verdict["outcome"], verdict["status"], failed(verdict["checks"])) == ("verified", "valid", set())
    platform.deployment.clock.advance(minutes=11)
    serve(platform, abroad, 5, purpose="suspension")
    verdict = await verify(platform, abroad, "revocation", "suspension")
    assert (verdict["status"], failed(verdict["checks"])) == ("suspended", {("status", "credential_suspended")})
    platform.deployment.clock.advance(minutes=11)
    serve(platform, abroad, 5)
    for purposes in (("revocation", "suspension"), ("suspension", "revocation")):
        verdict = await verify(platform, abroad, *purposes)
        assert (verdict["status"], failed(verdict["checks"])) == ("revoked", {("status", "credential_revoked")})


async def test_a_message_is_told_and_any_but_the_first_is_not_valid(platform: Platform, abroad: ForeignIssuer) -> None:
    address = abroad.origin + PATHS["message"]
    told = entry(statusPurpose="message", statusListCredential=address, statusSize=2)
    told["statusMessage"] = messages_of("pending", "accepted", "rejected", "undefined")
    revoked = entry(statusListCredential=abroad.origin + PATHS["revocation"])
    serve(platform, abroad)
    for value, message, outcome in ((0, "pending", "verified"), (2, "rejected", "rejected")):
        now = seconds(platform.deployment.clock())
        terms = {"id": address, "issuer": abroad.identifier, "iat": now, "exp": now + 86_400}
        abroad.serve(PATHS["message"], sign_list(list_of_messages({5: value}, **terms), abroad.keys, "k1"))
        verdict = await verify(platform, abroad, credentialStatus=[revoked, told])
        assert (verdict["outcome"], verdict["status_messages"]) == (
            outcome,
            [{"status": f"0x{value}", "message": message}],
        )
        platform.deployment.clock.advance(hours=2)
        serve(platform, abroad)
    assert (verdict["status"], failed(verdict["checks"])) == ("unknown", {("status", "credential_status_unknown")})


async def test_one_list_that_cannot_be_had_leaves_it_open_and_a_revocation_does_not(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    serve(platform, abroad)
    verdict = await verify(platform, abroad, "revocation", "suspension")
    assert (verdict["outcome"], failed(verdict["checks"])) == ("undetermined", UNAVAILABLE)
    platform.deployment.clock.advance(minutes=11)
    serve(platform, abroad, 5)
    verdict = await verify(platform, abroad, "suspension", "revocation")
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {("status", "credential_revoked")})


async def test_a_list_is_kept_fresh_and_never_goes_back(platform: Platform, abroad: ForeignIssuer) -> None:
    clock = platform.deployment.clock
    serve(platform, abroad)
    older = abroad.pages[PATHS["revocation"]]
    await verify(platform, abroad, "revocation")
    clock.advance(minutes=9, seconds=30)
    serve(platform, abroad, 5)
    await refresh_all_status_lists(platform.deployment.context)
    abroad.pages[PATHS["revocation"]] = older
    clock.advance(minutes=11)
    assert (await verify(platform, abroad, "revocation"))["status"] == "revoked"
    abroad.pages.clear()
    abroad.serve_metadata()
    clock.advance(hours=1)
    assert (await verify(platform, abroad, "revocation"))["status"] == "revoked"
    clock.advance(hours=24)
    assert failed((await verify(platform, abroad, "revocation"))["checks"]) == UNAVAILABLE


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://elsewhere.example"},
        {"keys": new_key_pair()},
        {"id": "https://elsewhere.example/bitstrings/1"},
        {"credentialStatus": entry()},
        {"iat": 1, "exp": 2},
    ],
)
async def test_a_list_that_is_not_the_issuers_says_nothing(
    platform: Platform, abroad: ForeignIssuer, changes: dict[str, Any]
) -> None:
    serve(platform, abroad, **changes)
    verdict = await verify(platform, abroad, "revocation")
    assert (verdict["outcome"], failed(verdict["checks"])) == ("undetermined", UNAVAILABLE)


async def test_a_list_of_a_trusted_stranger_is_not_the_issuers(platform: Platform, abroad: ForeignIssuer) -> None:
    keys = new_key_pair()
    stranger = did_key_from_jwk(keys.jwk)
    await platform.trust(stranger, "kyc", entry_id="stranger")
    serve(platform, abroad, keys=keys, issuer=stranger)
    assert failed((await verify(platform, abroad, "revocation"))["checks"]) == UNAVAILABLE


async def test_an_index_beyond_the_list_and_an_unknown_type_reject(platform: Platform, abroad: ForeignIssuer) -> None:
    serve(platform, abroad)
    reference = entry(statusListCredential=abroad.origin + PATHS["revocation"])
    for index in ("131072", "9" * 18):
        verdict = await verify(platform, abroad, credentialStatus=reference | {"statusListIndex": index})
        assert failed(verdict["checks"]) == {("status", "status_index_invalid")}
    verdict = await verify(platform, abroad, credentialStatus=[reference, {"type": "Unheard"}])
    assert (verdict["outcome"], ("status", "status_reference_invalid") in failed(verdict["checks"])) == (
        "rejected",
        True,
    )


async def test_a_list_of_the_year_2021_is_read(platform: Platform, abroad: ForeignIssuer) -> None:
    address, now = abroad.origin + PATHS["revocation"], platform.deployment.clock()
    claims = list_2021(5) | {"iss": abroad.identifier, "jti": address, "nbf": seconds(now - timedelta(hours=1))}
    abroad.serve(PATHS["revocation"], sign_list(claims, abroad.keys, "k1"))
    reference = entry(type="StatusList2021Entry", statusListCredential=address)
    assert (await verify(platform, abroad, credentialStatus=reference))["status"] == "revoked"
    assert (await verify(platform, abroad, credentialStatus=reference | {"statusListIndex": "6"}))["status"] == "valid"


def prove_list(did: str, address: str, keys: KeyPair, indices: tuple[int, ...], is_legacy: bool) -> dict[str, Any]:
    """Sign a list as linked data: of the year 2021 with a proof of that time, or of version 2.0."""
    claims = list_2021(*indices)["vc"] if is_legacy else list_v2(*indices)
    document = {name: claims[name] for name in ("@context", "type", "credentialSubject")} | {
        "id": address,
        "issuer": did,
        "issuanceDate" if is_legacy else "validFrom": "2026-11-23T14:00:00Z",
    }
    suite = {"cryptosuite": "ecdsa-rdfc-2019"}
    if is_legacy:
        suite = {"type": "JsonWebSignature2020"}
        document["@context"] = [
            "https://www.w3.org/2018/credentials/v1",
            "https://w3id.org/vc/status-list/2021/v1",
            "https://w3id.org/security/suites/jws-2020/v1",
        ]
    method = f"{did}#{did.removeprefix('did:key:')}"
    options = {**suite, "verificationMethod": method, "proofPurpose": "assertionMethod"}
    return add_proof(document, options, keys.key, keys.sign, load_contexts())


@pytest.mark.parametrize("is_legacy", [False, True])
async def test_a_list_with_a_proof_of_its_own_is_read(
    platform: Platform, abroad: ForeignIssuer, is_legacy: bool
) -> None:
    keys, address = new_key_pair(), abroad.origin + PATHS["revocation"]
    did = did_key_from_jwk(keys.jwk)
    await platform.trust(did, "kyc", entry_id="itself")
    kind = "StatusList2021Entry" if is_legacy else "BitstringStatusListEntry"
    now = seconds(platform.deployment.clock())
    claims = claims_v2(
        validFrom=None,
        validUntil=None,
        nbf=now,
        exp=now + 30 * 86_400,
        issuer=did,
        status=None,
        credentialSubject={"id": did_key_from_jwk(HOLDER_KEYS.jwk), "country": "US"},
        credentialStatus=entry(type=kind, statusListCredential=address),
    )
    header = {"typ": "vc+jwt", "kid": f"{did}#{did.removeprefix('did:key:')}"}
    held = sign(claims, header, keys)
    published = prove_list(did, address, keys, (5,), is_legacy)
    for shown, expected in (
        (prove_list(did, address, new_key_pair(), (5,), is_legacy), "unknown"),
        (published | {"id": address + "/other"}, "unknown"),
        ({name: value for name, value in published.items() if name != "proof"}, "unknown"),
        (published, "revoked"),
    ):
        abroad.serve(PATHS["revocation"], shown)
        assert (await platform.verify(credential=held))["status"] == expected
