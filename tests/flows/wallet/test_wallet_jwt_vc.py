"""The wallet receives and presents JWT VCs."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import Response

from service.credentials.bitstring_status_list import encode_bitstring, extract_bitstring
from service.credentials.credential import Expected, StatusReference
from service.credentials.credential_types import type_named
from service.credentials.formats import read_document, verify_document
from service.credentials.jose import load_key, sign_jws
from service.credentials.jwt_vc_issuing import CredentialTerms, build_jwt_vc_claims
from service.credentials.status_list import build_status_list_claims, set_status
from service.credentials.status_list_credential import build_status_list_credential
from service.fetch import Fetcher
from service.keys import FileKeystore
from service.wallet.errors import NothingFitsError, RejectedError
from service.wallet.present import present
from service.wallet.receive import accept, propose
from service.wallet.records import StoredCredential
from service.wallet.requests import fetch_request
from service.wallet.selection import select_credentials
from service.wallet.status import check_status
from service.wallet.store import Wallet
from tests.loopback import serving
from tests.wallet_parties import NOW, FakeIssuer, FakeVerifier, read_vp_token

TTL = timedelta(minutes=1)
LIST, INDEX = "/issuers/kyc/status-lists/1", 3


class JwtIssuer(FakeIssuer):
    """Issues JWT VCs."""

    def __init__(self, base_url: str, signer: FileKeystore) -> None:
        super().__init__(base_url, signer)
        self.changes: dict[str, Any] = {}
        configuration = self.metadata["credential_configurations_supported"]["kyc"]
        del configuration["vct"]
        definition = {"type": ["VerifiableCredential", "KycCredential"]}
        configuration |= {"format": "jwt_vc_json", "credential_definition": definition}

    def issue(self, jwk: Mapping[str, Any]) -> str:
        claims = build_jwt_vc_claims(
            CredentialTerms(
                type_named("kyc"),
                self.claims,
                issuer=self.identifier,
                holder_jwk=self.bind(jwk),
                issued_at=self.now,
                expires_at=self.now + timedelta(days=30),
                status=StatusReference(f"{self.identifier}/status-lists/1", INDEX),
            )
        )
        return sign_jws({"alg": "ES256", "typ": "JWT", "kid": self.key.kid}, claims | self.changes, self.sign)

    def publish(self, value: int, **changes: Any) -> None:
        """Publish the list of all its credentials, as a token and for each purpose; ``changes`` are to the latter."""
        packed = bytearray(4)
        set_status(packed, 2, INDEX, value)
        terms: dict[str, Any] = {"issued_at": self.now, "expires_at": self.now + timedelta(hours=1), "ttl": TTL}
        token = build_status_list_claims(uri=f"{self.identifier}/status-lists/1", bits=2, packed=bytes(4), **terms)
        self._serve(LIST, "statuslist+jwt", token)
        for purpose in ("revocation", "suspension"):
            address = f"{self.identifier}/status-lists/1/{purpose}"
            terms |= {"address": address, "purpose": purpose, "issuer": self.identifier}
            encoded = encode_bitstring(extract_bitstring(packed, purpose))
            claims = build_status_list_credential(encoded, **terms)
            self._serve(f"{LIST}/{purpose}", "vc+jwt", claims | changes)

    def _serve(self, path: str, typ: str, claims: dict[str, Any]) -> None:
        header = {"alg": "ES256", "typ": typ, "kid": self.key.kid}
        self.routes[path] = Response(sign_jws(header, claims, self.sign), media_type=f"application/{typ}")


@pytest.fixture
def jwt_issuer(party_signer: FileKeystore) -> Iterator[JwtIssuer]:
    made: list[JwtIssuer] = []

    def make(base_url: str) -> JwtIssuer:
        made.append(JwtIssuer(base_url, party_signer))
        return made[0]

    with serving(make):
        yield made[0]


async def hold(wallet: Wallet, issuer: JwtIssuer, fetcher: Fetcher) -> StoredCredential:
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    (kept,) = await accept(wallet, proposal, tx_code=None, fetcher=fetcher, now=issuer.now, copies=2, new_key=False)
    return kept


def ask(*claims: str, kind: str = "KycCredential") -> dict[str, Any]:
    wanted = [{"path": ["credentialSubject", name]} for name in claims]
    query = {"id": "kyc", "format": "jwt_vc_json", "meta": {"type_values": [[kind]]}, "claims": wanted}
    return {"credentials": [query]}


async def test_a_jwt_vc_is_kept_with_what_it_says(wallet: Wallet, jwt_issuer: JwtIssuer, fetcher: Fetcher) -> None:
    kept = await hold(wallet, jwt_issuer, fetcher)
    assert (kept.format, kept.vct, len(kept.copies)) == ("jwt_vc_json", "urn:goodstanding:vct:kyc:1", 2)
    assert kept.claims == jwt_issuer.claims
    assert kept.expires_at == NOW + timedelta(days=30)
    assert [status.index for status in kept.statuses] == [INDEX] * 3  # of the list itself and for each purpose
    assert kept.labels.keys() >= {"given_name", "country"}


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"exp": 1},
        {"vc": {"type": ["VerifiableCredential", "AmlScreeningCredential"]}},
        {"sub": "did:web:somebody.example"},
    ],
)
async def test_what_is_not_as_offered_is_refused(
    wallet: Wallet, jwt_issuer: JwtIssuer, fetcher: Fetcher, changes: dict[str, Any]
) -> None:
    jwt_issuer.changes = changes
    with pytest.raises(RejectedError):
        await hold(wallet, jwt_issuer, fetcher)
    assert wallet.list_credentials() == []


async def test_it_is_presented_to_whoever_asks_for_it(
    wallet: Wallet, jwt_issuer: JwtIssuer, verifier: FakeVerifier, fetcher: Fetcher
) -> None:
    await hold(wallet, jwt_issuer, fetcher)
    verifier.parameters["dcql_query"] = ask("country", "age_over_18")
    request = await fetch_request(verifier.link(), wallet_nonce=secrets.token_urlsafe(16), fetcher=fetcher, now=NOW)
    (selected,) = select_credentials(request.query, wallet.list_credentials(), [], client_id=request.client_id, now=NOW)
    assert (dict(selected.disclosed), selected.hidden) == (jwt_issuer.claims, ())  # it hides nothing, and is told so
    await present(wallet, request, [selected], fetcher=fetcher, now=NOW)
    (vp,) = read_vp_token(verifier.answers()[0])["kyc"]
    (read,) = read_document(vp)
    expected = Expected(verifier.parameters["nonce"], verifier.client_id)
    assert verify_document(read, load_key(jwt_issuer.key.jwk), expected, now=NOW).holder_bound


@pytest.mark.parametrize(
    ("query", "gap"), [(ask("country", kind="Passport"), "Passport"), (ask("country", "height"), "height")]
)
async def test_what_is_missing_is_named(
    wallet: Wallet,
    jwt_issuer: JwtIssuer,
    verifier: FakeVerifier,
    fetcher: Fetcher,
    query: dict[str, Any],
    gap: str,
) -> None:
    await hold(wallet, jwt_issuer, fetcher)
    verifier.parameters["dcql_query"] = query
    request = await fetch_request(verifier.link(), wallet_nonce=secrets.token_urlsafe(16), fetcher=fetcher, now=NOW)
    with pytest.raises(NothingFitsError) as caught:
        select_credentials(request.query, wallet.list_credentials(), [], client_id=request.client_id, now=NOW)
    assert any(gap in error["detail"] for error in caught.value.errors)


@pytest.mark.parametrize(("value", "word"), [(0, "valid"), (1, "revoked"), (2, "suspended")])
async def test_its_status_is_read_in_the_lists_of_each_purpose(
    wallet: Wallet, jwt_issuer: JwtIssuer, fetcher: Fetcher, value: int, word: str
) -> None:
    held = await hold(wallet, jwt_issuer, fetcher)
    assert await check_status(held, fetcher=fetcher, now=NOW) == "unknown"  # there are no lists yet
    jwt_issuer.publish(value)
    assert await check_status(held, fetcher=fetcher, now=NOW) == word


@pytest.mark.parametrize("changes", [{"issuer": "https://elsewhere.example"}, {"id": "https://elsewhere.example/1"}])
async def test_a_list_of_another_says_nothing_of_it(
    wallet: Wallet, jwt_issuer: JwtIssuer, fetcher: Fetcher, changes: dict[str, str]
) -> None:
    held = await hold(wallet, jwt_issuer, fetcher)
    jwt_issuer.publish(0, **changes)
    assert await check_status(held, fetcher=fetcher, now=NOW) == "unknown"
