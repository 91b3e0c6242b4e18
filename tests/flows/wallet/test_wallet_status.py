"""A holder learns from the issuer's status list whether a credential still stands, and believes no other list."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.responses import Response

from service.credentials.jose import sign_jws
from service.credentials.status_list import (
    INVALID,
    SUSPENDED,
    TYP,
    VALID,
    build_status_list_claims,
    set_status,
)
from service.fetch import Fetcher
from service.wallet.receive import accept, propose
from service.wallet.records import StoredCredential
from service.wallet.status import check_status
from service.wallet.store import Wallet
from tests.wallet_parties import NOW, FakeIssuer

PATH, INDEX = "/issuers/kyc/status-lists/1", 5


def publish(issuer: FakeIssuer, value: int, *, uri: str | None = None, age: timedelta = timedelta(0)) -> None:
    packed = bytearray(4)
    set_status(packed, 2, INDEX, value)
    claims = build_status_list_claims(
        uri=uri or f"{issuer.identifier}/status-lists/1",
        bits=2,
        packed=packed,
        issued_at=NOW - age,
        expires_at=NOW - age + timedelta(hours=1),
        ttl=timedelta(minutes=1),
    )
    header = {"typ": TYP, "alg": "ES256", "kid": issuer.key.kid}
    issuer.routes[PATH] = Response(sign_jws(header, claims, issuer.sign), media_type="application/statuslist+jwt")


async def hold(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher, status: dict[str, Any] | None) -> StoredCredential:
    if status is not None:
        issuer.plain["status"] = {"status_list": status}
    proposal = await propose(issuer.deep_link(), fetcher=fetcher)
    return (await accept(wallet, proposal, tx_code=None, fetcher=fetcher, now=NOW))[0]


@pytest.fixture
async def held(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> StoredCredential:
    return await hold(wallet, issuer, fetcher, {"idx": INDEX, "uri": f"{issuer.identifier}/status-lists/1"})


@pytest.mark.parametrize(
    ("value", "word"), [(VALID, "valid"), (INVALID, "revoked"), (SUSPENDED, "suspended"), (3, "unknown")]
)
async def test_status_is_read_from_the_list(
    issuer: FakeIssuer, held: StoredCredential, fetcher: Fetcher, value: int, word: str
) -> None:
    publish(issuer, value)
    assert await check_status(held, fetcher=fetcher, now=NOW) == word


async def test_an_untrustworthy_list_says_nothing(issuer: FakeIssuer, held: StoredCredential, fetcher: Fetcher) -> None:
    assert await check_status(held, fetcher=fetcher, now=NOW) == "unknown"  # there is none yet
    publish(issuer, VALID, uri="https://evil.example/list")
    assert await check_status(held, fetcher=fetcher, now=NOW) == "unknown"
    publish(issuer, VALID, age=timedelta(hours=2))
    assert await check_status(held, fetcher=fetcher, now=NOW) == "unknown"
    issuer.sign = issuer.signer.signing_function(issuer.signer.create_key("ES256").kid)
    publish(issuer, VALID)
    assert await check_status(held, fetcher=fetcher, now=NOW) == "unknown"


async def test_an_index_beyond_the_list_says_nothing(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    held = await hold(wallet, issuer, fetcher, {"idx": 10_000, "uri": f"{issuer.identifier}/status-lists/1"})
    publish(issuer, VALID)
    assert await check_status(held, fetcher=fetcher, now=NOW) == "unknown"


async def test_expiry_needs_no_list(wallet: Wallet, issuer: FakeIssuer, fetcher: Fetcher) -> None:
    held = await hold(wallet, issuer, fetcher, None)
    assert await check_status(held, fetcher=fetcher, now=NOW) == "valid"
    assert await check_status(held, fetcher=fetcher, now=NOW + timedelta(days=31)) == "expired"
