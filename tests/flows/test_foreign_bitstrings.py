"""Credentials of the W3C data model whose ``credentialStatus`` an issuer outside the deployment keeps."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from service.credentials.data_integrity import add_proof
from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.gate.parties import read_parties
from service.linked_data.bundled_contexts import load_contexts
from service.storage.held_lists import USELESS_AFTER, forget_useless_lists, list_held_lists
from service.storage.tables import StandingStatusList
from service.verifier.status_schedule import refresh_all_status_lists
from service.web.instants import format_instant
from tests.events_support import Hooks
from tests.foreign_issuer import ForeignIssuer, running_platform
from tests.unit.bitstring_support import entry, list_2021, list_of_messages, list_v2, messages_of, sign_list
from tests.unit.jwt_vc_support import claims_v1, claims_v2, sign, vc
from tests.unit.sd_jwt_support import HOLDER_KEYS, KeyPair, new_key_pair
from tests.verifying_support import CLAIMS, Platform, Wallet, failed, seconds

KYC_QUERY = {
    "credentials": [
        {
            "id": "kyc",
            "format": "jwt_vc_json",
            "meta": {"type_values": [["VerifiableCredential", "KycCredential"]]},
            "claims": [{"path": ["credentialSubject", "country"]}],
        }
    ]
}
PATHS = {"revocation": "/bitstrings/1", "suspension": "/bitstrings/2", "message": "/bitstrings/3"}
UNAVAILABLE = {("status", "status_unavailable")}


@pytest.fixture
async def platform(sqlite_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    async with running_platform(sqlite_url, tmp_path, abroad) as platform:
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


async def present(platform: Platform, abroad: ForeignIssuer, *purposes: str) -> None:
    """Have inv-1 show a KYC of version 1.1 with one entry for each purpose, the first at place 5, the next at 6."""
    wallet, now = Wallet(platform.deployment), seconds(platform.deployment.clock())
    entries = [
        entry(statusPurpose=each, statusListCredential=abroad.origin + PATHS[each], statusListIndex=str(5 + number))
        for number, each in enumerate(purposes)
    ]
    terms = {"iss": abroad.identifier, "sub": did_jwk_from_jwk(wallet.keys.jwk), "nbf": now, "exp": now + 60 * 86_400}
    inner = vc(credentialSubject=CLAIMS["kyc"], credentialStatus=entries)
    claims = claims_v1(**terms, status=None, vc=inner)
    wallet.held = [sign(claims, {"typ": "JWT", "kid": "k1"}, abroad.keys)]
    made = await platform.ask(dcql_query=KYC_QUERY, investor_ref="inv-1")
    answer = await wallet.answer(made)
    assert (await platform.read(made["id"]))["state"] == "verified", answer.text


async def read_status(platform: Platform) -> tuple[str, str]:
    """Return the status of inv-1's credential, as the standing and as the gate has it."""
    [credential] = (await platform.read_standing("inv-1"))["credentials"]
    context, now = platform.deployment.context, platform.deployment.clock()
    terms = {"base_url": context.base_url, "org_id": platform.member.org_id, "refs": ["inv-1"]}
    async with context.database.reading() as session:
        parties = await read_parties(session, context.signer, **terms, now=now, on=now.date())
    [held] = parties["inv-1"].credentials
    return credential["status"], held.status_at(now)


async def test_a_standing_follows_every_entry(platform: Platform, abroad: ForeignIssuer) -> None:
    context, clock = platform.deployment.context, platform.deployment.clock
    own = Hooks(platform.deployment, platform.member, ("verifier",))
    serve(platform, abroad)
    serve(platform, abroad, purpose="suspension")
    await present(platform, abroad, "revocation", "suspension", "suspension")
    seen = [(clock(), await read_status(platform))]
    async with context.database.reading() as session:
        kept = (await session.exec(select(StandingStatusList.uri))).all()
    assert kept == [abroad.origin + PATHS["suspension"] + "#suspension"]
    for suspended, revoked in (((5,), (6, 7)), ((6,), ()), ((), (6,)), ((7,), (5,)), ((6,), (5,))):
        clock.advance(minutes=11)
        serve(platform, abroad, *suspended, purpose="suspension")
        serve(platform, abroad, *revoked)
        await refresh_all_status_lists(context)  # which only standings name by now
        await own.advance()
        seen.append((clock(), await read_status(platform)))
    states = ["valid", "valid", "suspended", "valid", "revoked", "revoked"]
    assert [each for _, each in seen] == [(state, state) for state in states]
    causes = [each["data"]["cause"] for each in await own.events(types="standing.changed")]
    # Nobody is told of another's place; of the fourth change both lists tell.
    assert causes == ["presented", *["status"] * 5]
    for at, (status, _) in seen:
        answer = await platform.call("GET", f"/v1/investors/inv-1/standing?as_of={format_instant(at)}")
        assert answer.json()["credentials"][0]["status"] == status


async def test_a_standing_of_which_one_list_is_silent_is_unknown_and_both_are_kept(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    context, clock = platform.deployment.context, platform.deployment.clock
    serve(platform, abroad)
    serve(platform, abroad, purpose="suspension")
    await present(platform, abroad, "revocation", "suspension")
    del abroad.pages[PATHS["suspension"]]
    clock.advance(hours=25)
    serve(platform, abroad)
    await refresh_all_status_lists(context)
    assert await read_status(platform) == ("unknown", "unknown")
    serve(platform, abroad, purpose="suspension")
    await refresh_all_status_lists(context)
    assert await read_status(platform) == ("valid", "valid")
    async with context.database.transaction() as session:
        for later, kept in (
            (USELESS_AFTER + timedelta(days=1), 2),
            (2 * USELESS_AFTER, 0),
        ):  # until the credential ends
            await forget_useless_lists(session, clock() + later)
            assert len(await list_held_lists(session, platform.member.org_id)) == kept
    answer = await platform.call("POST", "/v1/investors/inv-1/erasure")
    assert answer.status_code == 200, answer.text
    async with context.database.reading() as session:
        assert (await session.exec(select(StandingStatusList))).all() == []


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
