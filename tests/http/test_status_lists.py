"""Status lists as verifiers fetch them."""

import base64
import json
import zlib
from datetime import timedelta
from typing import Any

from service.credentials.jose import load_key, parse_jws
from service.credentials.status_list import StatusList, verify_status_list_token
from tests.deployment import BASE_URL, Deployment, Member
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.prepared import prepared


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


async def issue(deployment: Deployment, member: Member, copies: int = 1) -> tuple[str, list[dict[str, Any]]]:
    """Issue a credential; returns its id and the status reference of each copy."""
    made = await make_offer(deployment, member)
    answer = await Wallet(deployment, member).redeem(made, copies=copies)
    payloads = [
        json.loads(parse_jws(entry["credential"].partition("~")[0]).payload) for entry in answer.json()["credentials"]
    ]
    headers = await deployment.headers(member, "issuer")
    offer = (await deployment.http.get(f"/v1/credential-offers/{made['id']}", headers=headers)).json()
    return offer["credentials"][0]["id"], [payload["status"]["status_list"] for payload in payloads]


async def set_status(deployment: Deployment, member: Member, credential_id: str, status: str) -> None:
    headers = await deployment.headers(member, "issuer")
    body = {"status": status, "reason": "reviewed"}
    answer = await deployment.http.post(f"/v1/credentials/{credential_id}/status", json=body, headers=headers)
    assert answer.status_code == 200


async def fetch(deployment: Deployment, uri: str) -> tuple[str, StatusList]:
    answer = await deployment.http.get(uri, headers={"Accept": "application/statuslist+jwt"})
    assert answer.status_code == 200
    key = load_key((await deployment.http.get("/issuers/kyc/jwks")).json()["keys"][0])
    return answer.text, verify_status_list_token(answer.text, key, expected_uri=uri, now=deployment.clock())


async def test_the_list_says_what_the_back_office_said(sqlite_deployment: Deployment, member: Member) -> None:
    credential_id, references = await issue(sqlite_deployment, member, copies=3)
    for status, value in (("valid", 0), ("suspended", 2), ("valid", 0), ("revoked", 1)):
        await set_status(sqlite_deployment, member, credential_id, status)
        sqlite_deployment.clock.advance(seconds=60)
        for reference in references:
            _, published = await fetch(sqlite_deployment, reference["uri"])
            assert published.status_at(reference["idx"]) == value


async def test_the_token_as_another_reader_sees_it(sqlite_deployment: Deployment, member: Member) -> None:
    credential_id, [reference] = await issue(sqlite_deployment, member)
    await set_status(sqlite_deployment, member, credential_id, "suspended")
    answer = await sqlite_deployment.http.get(reference["uri"])
    assert answer.headers["content-type"] == "application/statuslist+jwt"
    assert answer.headers["access-control-allow-origin"] == "*"
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in answer.text.split(".")[:2])
    assert header["typ"] == "statuslist+jwt"
    assert claims["sub"] == reference["uri"]
    assert claims["iss"] == f"{BASE_URL}/issuers/kyc"
    assert claims["ttl"] == 60
    assert (claims["iat"] % 60, claims["exp"] % 3600) == (0, 0)
    assert claims["status_list"]["aggregation_uri"] == f"{BASE_URL}/issuers/kyc/status-lists"
    packed = zlib.decompress(base64.urlsafe_b64decode(claims["status_list"]["lst"] + "=="))
    assert len(packed) * 4 == 2**17
    assert packed[reference["idx"] // 4] >> reference["idx"] % 4 * 2 & 3 == 2


async def test_tokens_change_on_fixed_ticks_only(sqlite_deployment: Deployment, member: Member) -> None:
    clock = sqlite_deployment.clock
    credential_id, [reference] = await issue(sqlite_deployment, member)
    clock.advance(seconds=7)
    first, published = await fetch(sqlite_deployment, reference["uri"])
    assert published.issued_at == clock() - timedelta(seconds=7)
    await set_status(sqlite_deployment, member, credential_id, "revoked")
    clock.advance(seconds=52)
    assert (await fetch(sqlite_deployment, reference["uri"]))[0] == first
    clock.advance(seconds=1)
    second, published = await fetch(sqlite_deployment, reference["uri"])
    assert second != first
    assert published.issued_at == clock()
    assert published.status_at(reference["idx"]) == 1


async def test_a_clock_that_goes_back_makes_no_older_token(sqlite_deployment: Deployment, member: Member) -> None:
    _, [reference] = await issue(sqlite_deployment, member)
    first, _ = await fetch(sqlite_deployment, reference["uri"])
    sqlite_deployment.clock.advance(seconds=-59)
    assert (await sqlite_deployment.http.get(reference["uri"])).text == first


async def test_history_is_not_supported(sqlite_deployment: Deployment, member: Member) -> None:
    _, [reference] = await issue(sqlite_deployment, member)
    assert (await sqlite_deployment.http.get(f"{reference['uri']}?time=1795446000")).status_code == 501


async def test_the_form_is_negotiated(sqlite_deployment: Deployment, member: Member) -> None:
    _, [reference] = await issue(sqlite_deployment, member)
    for accept, status in (
        ("*/*", 200),
        ("application/*", 200),
        ("application/statuslist+jwt;q=0.5, application/statuslist+cwt", 200),
        ("application/statuslist+cwt", 406),
        ("application/statuslist+jwt;q=0", 406),
        ("text/html", 406),
    ):
        answer = await sqlite_deployment.http.get(reference["uri"], headers={"Accept": accept})
        assert answer.status_code == status, accept
    plain = await sqlite_deployment.http.get(reference["uri"], headers={"Accept-Encoding": "identity"})
    for encodings, used in (
        ("gzip", "gzip"),
        ("br, gzip;q=0.5", "gzip"),
        ("*", "gzip"),
        ("br", None),
        ("gzip;q=0, *", None),
        ("", None),
    ):
        answer = await sqlite_deployment.http.get(reference["uri"], headers={"Accept-Encoding": encodings})
        assert answer.headers.get("content-encoding") == used, encodings
        assert answer.text == plain.text
        assert {"Accept", "Accept-Encoding"} <= set(answer.headers["vary"].split(", "))


async def test_lists_are_aggregated(sqlite_deployment: Deployment, member: Member) -> None:
    url = "/issuers/kyc/status-lists"
    assert (await sqlite_deployment.http.get(url)).json() == {"status_lists": []}
    _, [reference] = await issue(sqlite_deployment, member)
    answer = await sqlite_deployment.http.get(url)
    assert answer.json() == {"status_lists": [reference["uri"]]}
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_unknown_lists_and_those_of_others(sqlite_deployment: Deployment, member: Member) -> None:
    await add_issuer(sqlite_deployment, "other")
    _, [reference] = await issue(sqlite_deployment, member)
    moved = reference["uri"].replace("/issuers/kyc/", "/issuers/other/")
    for uri in (moved, f"{BASE_URL}/issuers/kyc/status-lists/none"):
        assert (await sqlite_deployment.http.get(uri)).status_code == 404
