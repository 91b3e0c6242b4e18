"""The wallet receives and presents credentials with Data Integrity proofs."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.credential import Expected, StatusReference
from service.credentials.credential_types import type_named
from service.credentials.data_integrity import add_proof
from service.credentials.did import DidKey, build_did_document, did_jwk_from_jwk, did_web_from_url
from service.credentials.formats import read_document
from service.credentials.jose import load_key
from service.credentials.jwt_vc_issuing import CredentialTerms
from service.credentials.ldp_vc import UnverifiedLdpVc, verify_ldp_vc
from service.credentials.ldp_vc_issuing import (
    CONTEXTS,
    CRYPTOSUITE,
    PROOF_TYPE_1,
    build_ldp_vc,
    build_ldp_vc_1,
    build_proof_options,
)
from service.credentials.ldp_vp import find_presenter, verify_ldp_vp
from service.fetch import Fetcher
from service.keys import FileKeystore
from service.linked_data.bundled_contexts import load_contexts
from service.wallet.errors import RejectedError
from service.wallet.present import present
from service.wallet.receive import accept, propose
from service.wallet.records import StoredCredential
from service.wallet.requests import fetch_request
from service.wallet.selection import select_credentials
from service.wallet.store import Wallet
from tests.loopback import serving
from tests.unit.sd_jwt_support import new_key_pair
from tests.wallet_parties import NOW, FakeIssuer, FakeVerifier, public, read_vp_token

KYC = "urn:goodstanding:vct:kyc:1"
STATUS = StatusReference("https://issuer.example/status-lists/1", 3)


class LdpIssuer(FakeIssuer):
    """Issues credentials of version 2.0 under its did:web."""

    def __init__(self, base_url: str, signer: FileKeystore) -> None:
        super().__init__(base_url, signer)
        self.algorithm = CRYPTOSUITE
        self.changes: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.did = did_web_from_url(self.identifier)
        methods = [DidKey(self.key.kid, self.key.jwk, ("assertionMethod",))]
        self.routes["/issuers/kyc/did.json"] = build_did_document(self.did, methods)
        configuration = self.metadata["credential_configurations_supported"]["kyc"]
        del configuration["vct"]
        definition = {"@context": list(CONTEXTS), "type": ["VerifiableCredential", "KycCredential"]}
        configuration |= {"format": "ldp_vc", "credential_definition": definition}

    def issue(self, jwk: Mapping[str, Any]) -> Any:
        build = build_ldp_vc_1 if self.algorithm == PROOF_TYPE_1 else build_ldp_vc
        document = build(
            CredentialTerms(
                type_named("kyc"),
                self.claims | {"sub": "person"},
                issuer=self.did,
                holder_jwk=self.bind(jwk),
                issued_at=self.now,
                expires_at=self.now + timedelta(days=30),
                status=STATUS,
            )
        )
        options = build_proof_options(self.algorithm, f"{self.did}#{self.key.kid}", self.now)
        key = load_key(public(self.key))
        return add_proof(document | self.changes, options, key, self.sign, load_contexts()) | self.after


@pytest.fixture
def ldp_issuer(party_signer: FileKeystore) -> Iterator[LdpIssuer]:
    made: list[LdpIssuer] = []

    def make(base_url: str) -> LdpIssuer:
        made.append(LdpIssuer(base_url, party_signer))
        return made[0]

    with serving(make):
        yield made[0]


async def hold(wallet: Wallet, issuer: LdpIssuer, fetcher: Fetcher) -> StoredCredential:
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    (kept,) = await accept(wallet, proposal, tx_code=None, fetcher=fetcher, now=issuer.now, copies=2, new_key=False)
    return kept


@pytest.mark.parametrize("algorithm", [CRYPTOSUITE, PROOF_TYPE_1])
async def test_it_is_kept_with_what_it_says(
    wallet: Wallet, ldp_issuer: LdpIssuer, fetcher: Fetcher, algorithm: str
) -> None:
    ldp_issuer.algorithm = algorithm
    kept = await hold(wallet, ldp_issuer, fetcher)
    assert (kept.format, kept.vct, len(kept.copies)) == ("ldp_vc", KYC, 2)
    assert kept.claims == ldp_issuer.claims | {"sub": "person"}
    assert kept.expires_at == NOW + timedelta(days=30)
    assert [status.index for status in kept.statuses] == ([3, 3] if algorithm == CRYPTOSUITE else [3])


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"issuer": did_jwk_from_jwk(new_key_pair().jwk)}, {}),
        ({"validFrom": "2026-11-01T00:00:00Z", "validUntil": "2026-11-20T00:00:00Z"}, {}),
        ({"type": ["VerifiableCredential", "AmlScreeningCredential"]}, {}),
        ({"credentialSubject": {"id": "did:web:somebody.example", "country": "US"}}, {}),
        ({}, {"validUntil": "2099-01-01T00:00:00Z"}),
    ],
    ids=["issuer", "period", "type", "holder", "signature"],
)
async def test_what_is_not_as_offered_is_refused(
    wallet: Wallet, ldp_issuer: LdpIssuer, fetcher: Fetcher, changes: dict[str, Any], after: dict[str, Any]
) -> None:
    ldp_issuer.changes, ldp_issuer.after = changes, after
    with pytest.raises(RejectedError):
        await hold(wallet, ldp_issuer, fetcher)
    assert wallet.list_credentials() == []


@pytest.mark.parametrize("algorithm", [CRYPTOSUITE, PROOF_TYPE_1])
async def test_it_is_presented_to_whoever_asks_for_it(
    wallet: Wallet, ldp_issuer: LdpIssuer, verifier: FakeVerifier, fetcher: Fetcher, algorithm: str
) -> None:
    ldp_issuer.algorithm = algorithm
    await hold(wallet, ldp_issuer, fetcher)
    wanted = [{"path": ["credentialSubject", "country"]}]
    query = {"id": "kyc", "format": "ldp_vc", "meta": {"type_values": [[KYC]]}, "claims": wanted}
    verifier.parameters["dcql_query"] = {"credentials": [query]}
    request = await fetch_request(verifier.link(), wallet_nonce=secrets.token_urlsafe(16), fetcher=fetcher, now=NOW)
    (selected,) = select_credentials(request.query, wallet.list_credentials(), [], client_id=request.client_id, now=NOW)
    assert (dict(selected.disclosed), selected.hidden) == (ldp_issuer.claims | {"sub": "person"}, ())
    await present(wallet, request, [selected], fetcher=fetcher, now=NOW)
    (vp,) = read_vp_token(verifier.answers()[0])["kyc"]
    (read,) = read_document(vp)
    assert isinstance(read, UnverifiedLdpVc)
    assert read.presentation is not None
    verify_ldp_vc(read, load_key(public(ldp_issuer.key)), load_contexts(), now=NOW)
    expected = Expected(verifier.parameters["nonce"], verifier.client_id)
    presenter = find_presenter(read, read.presentation)
    verify_ldp_vp(read.presentation, presenter, expected, load_contexts(), now=NOW)
