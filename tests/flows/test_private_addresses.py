"""No input of the service makes it call an address that is not public (threats, rows 33 to 35)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from service.credentials.status_list import MAX_AGGREGATED
from service.errors import ServiceError
from service.fetch import Fetcher
from service.storage.tables import StandingCredential, TrustedIssuer
from service.verifier.status_schedule import refresh_all_status_lists
from service.wallet.offers import fetch_offer
from service.wallet.receive import propose
from service.wallet.requests import fetch_request
from service.wallet.trusted_keys import find_issuer_key, resolve_did
from tests.addresses import (
    PRIVATE_SPELLINGS,
    PUBLIC_ADDRESS,
    PUBLIC_NAME,
    recording_calls,
    resolve_without_network,
)
from tests.deployment import START, running_deployment
from tests.foreign_issuer import ForeignIssuer, running_foreign_issuer
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Platform, Wallet

HOLDER = new_key_pair()


HOSTS = [*PRIVATE_SPELLINGS, PUBLIC_NAME]


@dataclass
class Reach:
    """A platform, and an origin that it may call: what is served there is the attacker's."""

    platform: Platform
    abroad: ForeignIssuer

    async def trust(self, issuers: Sequence[str]) -> None:
        """Trust them all without being asked what they are: a first barrier less."""
        now = self.platform.deployment.clock()
        async with self.platform.deployment.context.database.transaction() as session:
            for number, issuer in enumerate(issuers):
                terms = {"credential_types": ["kyc"], "jurisdictions": [], "trust_version": 1, "updated_at": now}
                org_id = self.platform.member.org_id
                session.add(TrustedIssuer(org_id=org_id, id=f"target-{number}", issuer=issuer, **terms))

    async def verify(self, *changes: dict[str, Any], valid: bool = False) -> None:
        now = self.platform.deployment.clock()
        items = [{"credential": self.abroad.issue(HOLDER, now, **each)} for each in changes]
        answer = await self.platform.call("POST", "/v1/verify/batch", {"verifications": items})
        assert answer.status_code == 200, answer.text
        assert {item["valid"] for item in answer.json()["data"]} == {valid}


@pytest.fixture
async def reach(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reach]:
    async with running_foreign_issuer() as abroad:
        allowed = (f"localhost:{abroad.port}",)
        async with running_deployment(sqlite_url, tmp_path, fetch_allow=allowed) as deployment:
            abroad.serve_list(deployment.clock())
            platform = Platform(deployment, await deployment.add_organization("platform", "platform"))
            await platform.trust(abroad.identifier, "kyc")
            resolve_without_network(monkeypatch)
            yield Reach(platform, abroad)


Attack = Callable[[Reach, Sequence[str]], Awaitable[None]]


def _name_issuers(form: str) -> Attack:
    async def attack(reach: Reach, hosts: Sequence[str]) -> None:
        issuers = [form.format(host=host) for host in hosts]
        await reach.trust(issuers)
        await reach.verify(*({"iss": issuer} for issuer in issuers))

    return attack


async def _publish(reach: Reach, hosts: Sequence[str], build: Callable[[str], dict[str, Any] | bytes]) -> None:
    """Be as many issuers at the origin that may be called, each with metadata that lead elsewhere."""
    issuers = [f"{reach.abroad.origin}/issuers/{number}" for number in range(len(hosts))]
    await reach.trust(issuers)
    for number, (issuer, host) in enumerate(zip(issuers, hosts, strict=True)):
        path, built = f"/.well-known/jwt-vc-issuer/issuers/{number}", build(host)
        if isinstance(built, bytes):
            reach.abroad.raw[path] = built
        else:
            reach.abroad.serve(path, {"issuer": issuer, **built})
    await reach.verify(*({"iss": issuer} for issuer in issuers))
    assert len(reach.abroad.asked) == len(hosts)


async def _jwks_uri(reach: Reach, hosts: Sequence[str]) -> None:
    await _publish(reach, hosts, lambda host: {"jwks_uri": f"https://{host}/jwks"})


async def _redirect(reach: Reach, hosts: Sequence[str]) -> None:
    head = "HTTP/1.1 302 X\r\nLocation: https://{}/jwks\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    await _publish(reach, hosts, lambda host: head.format(host).encode())


async def _status_uri(reach: Reach, hosts: Sequence[str]) -> None:
    uris = [f"https://{host}/lists/1" for host in hosts]
    await reach.verify(*({"status": {"status_list": {"uri": uri, "idx": 0}}} for uri in uris))


@pytest.mark.parametrize(
    ("attack", "leads_out"),
    [
        (_name_issuers("https://{host}/issuers/x"), True),
        (_name_issuers("https://{host}:8443"), True),
        (_name_issuers("http://{host}:8080/x"), False),
        (_name_issuers("did:web:{host}:issuers:x"), True),
        (_name_issuers("did:web:{host}%3A8443"), True),
        (_jwks_uri, True),
        (_redirect, False),
        (_status_uri, True),
    ],
    ids=["issuer", "issuer's port", "http issuer", "did:web", "did:web's port", "jwks_uri", "redirect", "status list"],
)
async def test_nothing_that_a_credential_names_is_called(reach: Reach, attack: Attack, leads_out: bool) -> None:
    """Whoever issues names every host, and a public one last: the same way leads there."""
    with recording_calls(("127.0.0.1", reach.abroad.port)) as called:
        await attack(reach, HOSTS)
    assert [address[0] for address in called] == ([PUBLIC_ADDRESS] if leads_out else [])


async def test_the_list_of_trusted_issuers_takes_no_plain_http(reach: Reach) -> None:
    answer = await reach.platform.trust("http://10.0.0.1/issuers/x", "kyc", entry_id="target")
    assert (answer.status_code, answer.json()["code"]) == (422, "trusted_issuer_invalid")


async def test_nothing_that_a_presentation_names_is_called_then_or_on_schedule(reach: Reach) -> None:
    deployment = reach.platform.deployment
    query = {"id": "k", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}}
    dcql = {"credentials": [query | {"claims": [{"path": ["sub"]}]}]}
    with recording_calls(("127.0.0.1", reach.abroad.port)) as called:
        for number, host in enumerate([*HOSTS[:-1:12], PUBLIC_NAME]):
            status = {"status_list": {"uri": f"https://{host}/lists/{number}", "idx": 0}}
            held = reach.abroad.issue(HOLDER, deployment.clock(), status=status)
            made = await reach.platform.ask(dcql_query=dcql, investor_ref=f"inv-{number}")
            await Wallet(deployment, HOLDER, [held]).answer(made)
    assert [address[0] for address in called] == [PUBLIC_ADDRESS]


async def test_nothing_that_an_aggregation_names_is_called(reach: Reach) -> None:
    """The address of the aggregation itself, and what it lists, for as many lists as there are hosts."""
    clock, context = reach.platform.deployment.clock, reach.platform.deployment.context
    changes = []
    for number, host in enumerate(HOSTS):
        path = f"/lists/{number}"
        reach.abroad.serve_list(clock(), path=path, aggregation_uri=f"https://{host}/lists")
        changes.append({"status": {"status_list": {"uri": reach.abroad.origin + path, "idx": 0}}})
    listed = {"status_lists": [f"https://{host}/lists/1" for host in HOSTS[-MAX_AGGREGATED:]]}
    reach.abroad.serve("/lists", listed)
    reach.abroad.serve_list(clock(), path="/lists/own", aggregation_uri=f"{reach.abroad.origin}/lists")
    changes.append({"status": {"status_list": {"uri": f"{reach.abroad.origin}/lists/own", "idx": 0}}})
    await reach.verify(*changes, valid=True)
    with recording_calls(("127.0.0.1", reach.abroad.port)) as called:
        await refresh_all_status_lists(context)
    assert "/lists" in reach.abroad.asked
    assert [address[0] for address in called] == [PUBLIC_ADDRESS, PUBLIC_ADDRESS]


async def test_nothing_that_standing_depends_on_is_called_on_schedule(reach: Reach) -> None:
    now = reach.platform.deployment.clock()
    async with reach.platform.deployment.context.database.transaction() as session:
        for number, host in enumerate(HOSTS):
            row = StandingCredential(
                org_id=reach.platform.member.org_id,
                id=f"st_{number}",
                investor_ref="inv-1",
                request_id="preq_1",
                credential_type="kyc",
                vct="urn:goodstanding:vct:kyc:1",
                issuer=reach.abroad.identifier,
                sealed=b"",
                status_uri=f"https://{host}/lists/1",
                expires_at=now + timedelta(days=1),
                presented_at=now,
            )
            session.add(row)
    with recording_calls(("127.0.0.1", reach.abroad.port)) as called:
        await refresh_all_status_lists(reach.platform.deployment.context)
    assert [address[0] for address in called] == [PUBLIC_ADDRESS]


def _metadata_of(host: str) -> dict[str, str]:
    return {"credential_offer_uri": f"https://{host}/offer"}


async def _wallet_offer_uri(fetcher: Fetcher, host: str) -> None:
    await fetch_offer("openid-credential-offer://?" + urlencode(_metadata_of(host)), fetcher=fetcher)


async def _wallet_offer_page(fetcher: Fetcher, host: str) -> None:
    await fetch_offer(f"https://{host}/offer", fetcher=fetcher)


async def _wallet_issuer(fetcher: Fetcher, host: str) -> None:
    offer = (
        f'{{"credential_issuer": "https://{host}/x", "credential_configuration_ids": ["kyc"], "grants":'
        ' {"urn:ietf:params:oauth:grant-type:pre-authorized_code": {"pre-authorized_code": "c"}}}'
    )
    await propose("openid-credential-offer://?" + urlencode({"credential_offer": offer}), fetcher=fetcher)


async def _wallet_request_uri(fetcher: Fetcher, host: str, method: str = "get") -> None:
    parameters = {
        "client_id": f"decentralized_identifier:did:web:{host}",
        "request_uri": f"https://{host}/request",
        "request_uri_method": method,
    }
    await fetch_request("openid4vp://?" + urlencode(parameters), wallet_nonce="n", fetcher=fetcher, now=START)


async def _wallet_posted_request_uri(fetcher: Fetcher, host: str) -> None:
    await _wallet_request_uri(fetcher, host, "post")


async def _wallet_did(fetcher: Fetcher, host: str) -> None:
    await resolve_did(f"did:web:{host}", fetcher=fetcher, now=datetime.now(UTC))


async def _wallet_issuer_key(fetcher: Fetcher, host: str) -> None:
    await find_issuer_key(f"https://{host}/x", "k1", fetcher=fetcher, now=datetime.now(UTC))


@pytest.mark.parametrize(
    "call",
    [
        _wallet_offer_uri,
        _wallet_offer_page,
        _wallet_issuer,
        _wallet_request_uri,
        _wallet_posted_request_uri,
        _wallet_did,
        _wallet_issuer_key,
    ],
)
async def test_nothing_that_a_wallet_is_told_is_called(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[Fetcher, str], Awaitable[None]]
) -> None:
    """The command-line wallet may call its own machine by the name localhost, and nothing else that is private."""
    resolve_without_network(monkeypatch)
    fetcher = Fetcher(allow_loopback=True)
    hosts = [host for host in PRIVATE_SPELLINGS if host != "a.localhost" and host.lower() != "localhost"]
    with recording_calls() as called:
        for host in [*hosts, PUBLIC_NAME]:
            assert called == []
            with pytest.raises(ServiceError):
                await call(fetcher, host)
        assert {address[0] for address in called} == {PUBLIC_ADDRESS}
    await fetcher.close()


async def test_the_witness_sees_a_call(reach: Reach) -> None:
    with recording_calls() as called, pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", reach.abroad.port)
    assert called == [("127.0.0.1", reach.abroad.port)]
