"""Issuing, from offer to status, on both kinds of database."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier
from sqlmodel import SQLModel, select

from service.credentials.credential import VerifiedCredential
from service.credentials.jose import load_key
from service.credentials.sd_jwt import verify_sd_jwt_vc
from service.credentials.status_list import get_status
from service.issuer import status_indices
from service.issuer.encryption import Message
from service.issuer.identity import get_issuer
from service.issuer.issuance import issue_credential
from service.issuer.status import change_status
from service.issuer.tokens import PresentedToken
from service.keys import Signer
from service.rules import RULES_VERSION
from service.storage.expired import sweep_expired
from service.storage.tables import (
    AuditEntry,
    Credential,
    CredentialCopy,
    CredentialOffer,
    IssuanceToken,
    SpentNonce,
    StatusList,
)
from tests.deployment import Deployment, Member
from tests.issuing_support import KYC_CLAIMS, Wallet, add_issuer, issuer_path, make_offer
from tests.prepared import prepared


@prepared
async def member(deployment: Deployment) -> Member:
    return await add_issuer(deployment)


@pytest.fixture
def wallet(deployment: Deployment, member: Member) -> Wallet:
    return Wallet(deployment, member)


async def rows(deployment: Deployment, table: type[SQLModel]) -> Sequence[Any]:
    async with deployment.context.database.reading() as session:
        return (await session.exec(select(table))).all()


async def issuer_jwk(deployment: Deployment, member: Member) -> dict[str, Any]:
    answer = await deployment.http.get(f"/.well-known/jwt-vc-issuer{issuer_path(member)}")
    jwk: dict[str, Any] = answer.json()["jwks"]["keys"][0]
    return jwk


async def verify(deployment: Deployment, member: Member, compact: str) -> VerifiedCredential:
    key = load_key(await issuer_jwk(deployment, member))
    return verify_sd_jwt_vc(compact, key, now=deployment.clock())


async def issue(wallet: Wallet, *, copies: int = 1, **changes: Any) -> list[str]:
    made = await make_offer(wallet.deployment, wallet.member, **changes)
    answer = await wallet.redeem(made, copies=copies)
    assert answer.status_code == 200, answer.text
    return [entry["credential"] for entry in answer.json()["credentials"]]


class _BreakingSigner:
    """The deployment's signer, whose signatures fail as if the process died or the key holder was gone."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signer, name)

    def signing_function(self, kid: str) -> Callable[[bytes], bytes]:
        def fail(_data: bytes) -> bytes:
            raise ConnectionError("the key holder is gone")

        return fail


async def test_every_copy_verifies_and_says_what_was_offered(
    deployment: Deployment, member: Member, wallet: Wallet
) -> None:
    credentials = await issue(wallet, copies=2)
    verified = [await verify(deployment, member, compact) for compact in credentials]
    assert [item.holder_jwk for item in verified] == [key.jwk for key in wallet.keys]
    for item in verified:
        assert item.issuer == wallet.identifier
        assert item.vct == "urn:goodstanding:vct:kyc:1"
        assert item.disclosed == KYC_CLAIMS.keys() | {"sub"}
        assert {name: item.claims[name] for name in KYC_CLAIMS} == KYC_CLAIMS
        assert item.issued_at == datetime(2026, 11, 23, tzinfo=UTC)
        assert item.expires_at == datetime(2027, 11, 23, tzinfo=UTC)


async def test_an_independent_implementation_reads_the_credential(
    deployment: Deployment, member: Member, wallet: Wallet
) -> None:
    [compact] = await issue(wallet)
    jwk = await issuer_jwk(deployment, member)
    payload = SDJWTVerifier(compact, lambda _issuer, _header: JWK(**jwk)).get_verified_payload()
    assert {name: payload[name] for name in KYC_CLAIMS} == KYC_CLAIMS
    assert payload["cnf"] == {"jwk": wallet.keys[0].jwk}


async def test_copies_share_nothing_that_links_them_but_what_they_say(
    deployment: Deployment, member: Member, wallet: Wallet
) -> None:
    verified = [await verify(deployment, member, compact) for compact in await issue(wallet, copies=10)]
    indices = [status.index for item in verified for status in item.statuses]
    assert len(set(indices)) == 10
    steps = {after - before for before, after in itertools.pairwise(indices)}
    assert len(steps) > 1, "status indices follow a pattern"


async def test_disclosures_of_copies_have_their_own_salts(wallet: Wallet) -> None:
    credentials = await issue(wallet, copies=10)
    disclosures = [part for compact in credentials for part in compact.split("~")[1:-1]]
    assert len(set(disclosures)) == len(disclosures) == 10 * (len(KYC_CLAIMS) + 1)


async def test_sub_is_stable_per_person_and_differs_between_persons(
    deployment: Deployment, member: Member, wallet: Wallet
) -> None:
    found = []
    for subject_ref in ("investor-1", "investor-1", "investor-2"):
        [compact] = await issue(wallet, subject_ref=subject_ref)
        found.append((await verify(deployment, member, compact)).claims["sub"])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("name", "claims", "expires_at"),
    [
        (
            "aml-screening",
            {"result": "clear", "screened_at": "2026-11-23T14:00:00Z", "lists": ["ofac-sdn@2026-11-20"]},
            datetime(2026, 11, 30, tzinfo=UTC),
        ),
        (
            "qualified-investor",
            {
                "jurisdiction": "US",
                "category": "us.ai.net_worth",
                "method": "third_party",
                "steps_completed_on": "2026-11-20",
                "valid_until": "2027-01-31",
            },
            datetime(2027, 2, 1, 5, tzinfo=UTC),
        ),
        (
            "investment-limit",
            {"regime": "us.reg_cf", "limit_at_least": "2500", "currency": "USD", "as_of": "2026-11-20"},
            datetime(2027, 2, 21, tzinfo=UTC),
        ),
    ],
)
async def test_the_other_types_are_issued_too(
    deployment: Deployment, member: Member, wallet: Wallet, name: str, claims: Mapping[str, Any], expires_at: datetime
) -> None:
    [compact] = await issue(wallet, credential_configuration_id=name, claims=claims)
    verified = await verify(deployment, member, compact)
    assert verified.vct == f"urn:goodstanding:vct:{name}:1"
    assert claims.items() <= verified.claims.items()
    assert "sub" not in verified.claims
    assert verified.expires_at == expires_at
    if name == "qualified-investor":
        assert verified.claims["attester_class"] == "us_cpa"
        assert verified.claims["rules_version"] == RULES_VERSION


async def test_the_record_comes_before_the_signature(deployment: Deployment, member: Member, wallet: Wallet) -> None:
    made = await make_offer(deployment, member)
    token = (await wallet.request_token(made)).json()["access_token"]
    context = deployment.context
    async with context.database.reading() as session:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=member.org_id)

    async def attempt(signer: Signer) -> int:
        proof = wallet.prove(await wallet.fetch_nonce())
        body = json.dumps({"credential_configuration_id": "kyc", "proofs": {"jwt": [proof]}}).encode()
        issued = await issue_credential(
            context.database,
            signer,
            issuer,
            token=PresentedToken(token, None),
            message=Message(body, False),
            now=deployment.clock(),
        )
        return len(issued.body["credentials"])

    with pytest.raises(ConnectionError):
        await attempt(_BreakingSigner(context.signer))
    [copy] = await rows(deployment, CredentialCopy)
    assert (copy.signed_at, copy.digest) == (None, None)
    assert "issuance.intent" in {entry.kind for entry in await rows(deployment, AuditEntry)}
    headers = await deployment.headers(member, "issuer")
    state = (await deployment.http.get(f"/v1/credential-offers/{made['id']}", headers=headers)).json()
    assert (state["state"], state["credentials"]) == ("pending", [])

    assert await attempt(context.signer) == 1
    assert len(await rows(deployment, Credential)) == 1
    copies = sorted(await rows(deployment, CredentialCopy), key=lambda copy: copy.copy_number)
    assert [copy.signed_at is None for copy in copies] == [True, False]


async def test_an_offer_gives_one_grant_even_to_two_requests_at_once(
    deployment: Deployment, member: Member, wallet: Wallet
) -> None:
    made = await make_offer(deployment, member)
    token = (await wallet.request_token(made)).json()["access_token"]
    bodies = [
        {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(await wallet.fetch_nonce())]}}
        for _ in range(8)
    ]
    answers = await asyncio.gather(*(wallet.request_credential(token, body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    refused = {answer.json()["error"] for answer in answers if answer.status_code == 400}
    assert refused == {"credential_request_denied"}
    assert len(await rows(deployment, Credential)) == 1


async def test_a_nonce_works_once_of_fifty_in_parallel(deployment: Deployment, member: Member) -> None:
    wallets = [Wallet(deployment, member) for _ in range(50)]
    nonce = await wallets[0].fetch_nonce()
    requests = []
    for number, wallet in enumerate(wallets):
        made = await make_offer(deployment, member, subject_ref=f"investor-{number}")
        token = (await wallet.request_token(made)).json()["access_token"]
        requests.append(
            (wallet, token, {"credential_configuration_id": "kyc", "proofs": {"jwt": [wallet.prove(nonce)]}})
        )
    answers = await asyncio.gather(*(wallet.request_credential(token, body) for wallet, token, body in requests))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 49
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_nonce"}
    assert len(await rows(deployment, SpentNonce)) == 1
    assert len(await rows(deployment, Credential)) == 1


async def test_a_code_works_once_of_many_in_parallel(deployment: Deployment, member: Member, wallet: Wallet) -> None:
    made = await make_offer(deployment, member)
    answers = await asyncio.gather(*(wallet.request_token(made) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 11
    assert len(await rows(deployment, IssuanceToken)) == 1


async def test_status_indices_are_unique_under_concurrency(deployment: Deployment, member: Member) -> None:
    async def allocate() -> tuple[str, list[int]]:
        async with deployment.context.database.transaction() as session:
            list_id, indices = await status_indices.allocate_indices(
                await session.connection(), member.org_id, 10, now=deployment.clock()
            )
            for number, index in enumerate(indices):
                session.add(
                    CredentialCopy(
                        org_id=member.org_id,
                        credential_id=f"{list_id}-{index}",
                        copy_number=number,
                        status_list_id=list_id,
                        status_index=index,
                        holder_thumbprint="",
                        issuer_kid="",
                    )
                )
        return list_id, indices

    small = StatusList(
        org_id=member.org_id, id="small", bits=2, capacity=480, packed=bytes(120), changed_at=deployment.clock()
    )
    async with deployment.context.database.transaction() as session:
        session.add(small)  # so small that unguarded choices would collide
    found = await asyncio.gather(*(allocate() for _ in range(24)))
    taken = [(list_id, index) for list_id, indices in found for index in indices]
    assert len(set(taken)) == len(taken) == 240
    assert all(list_id == "small" and 0 <= index < 480 for list_id, index in taken)
    assert (await allocate())[0] != "small"


async def test_a_list_that_is_half_full_is_followed_by_another(deployment: Deployment, wallet: Wallet) -> None:
    await issue(wallet, subject_ref="investor-1")
    async with deployment.context.database.transaction() as session:
        full = (await session.exec(select(StatusList))).one()
        full.allocated = full.capacity // 2
        session.add(full)
    await issue(wallet, subject_ref="investor-2")
    lists = await rows(deployment, StatusList)
    assert sorted(row.allocated for row in lists) == [1, status_indices.CAPACITY // 2]


async def test_revoking_a_grant_revokes_every_copy(deployment: Deployment, member: Member, wallet: Wallet) -> None:
    await issue(wallet, copies=5)
    await issue(wallet, subject_ref="investor-2")
    revoked, other = sorted(await rows(deployment, Credential), key=lambda row: row.id)
    async with deployment.context.database.transaction() as session:
        await change_status(
            session, member.org_id, revoked.id, status="revoked", reason="error", actor="ocl_1", now=deployment.clock()
        )
    [status_list] = await rows(deployment, StatusList)
    values = {
        (copy.credential_id, get_status(status_list.packed, status_list.bits, copy.status_index))
        for copy in await rows(deployment, CredentialCopy)
    }
    assert values == {(revoked.id, 1), (other.id, 0)}


async def test_what_is_not_needed_any_more_is_forgotten(deployment: Deployment, member: Member, wallet: Wallet) -> None:
    async def sealed() -> list[bool]:
        offers = sorted(await rows(deployment, CredentialOffer), key=lambda row: row.id)
        return [bool(row.sealed_claims or row.sealed_code) for row in offers]

    await issue(wallet)
    await make_offer(deployment, member, subject_ref="investor-2", expires_in=60)
    assert await sealed() == [False, True]
    deployment.clock.advance(hours=2)
    await make_offer(deployment, member, subject_ref="investor-3")
    await sweep_expired(deployment.context.database, deployment.clock.now)
    assert await sealed() == [False, False, True]
    assert await rows(deployment, IssuanceToken) == []
    assert await rows(deployment, SpentNonce) == []


async def test_no_personal_data_is_kept_in_plain(deployment: Deployment, member: Member, wallet: Wallet) -> None:
    await make_offer(deployment, member, subject_ref="investor-2")
    await issue(wallet)
    for table in (AuditEntry, CredentialOffer, Credential, CredentialCopy):
        for row in await rows(deployment, table):
            assert "Canary" not in repr(row.model_dump())


async def test_an_offer_whose_credential_expired_meanwhile_is_denied(
    deployment: Deployment, member: Member, wallet: Wallet
) -> None:
    made = await make_offer(deployment, member, credential_expires_on="2026-11-24", expires_in=5 * 86400)
    deployment.clock.advance(days=3)
    answer = await wallet.redeem(made)
    assert (answer.status_code, answer.json()["error"]) == (400, "credential_request_denied")
    assert await rows(deployment, SpentNonce) == []
