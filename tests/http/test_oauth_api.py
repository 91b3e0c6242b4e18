"""``POST /oauth/token`` and what /v1 makes of the token."""

import asyncio
import base64
from typing import Any

import httpx2
import pytest

from service.organizations.throttle import MAX_FAILURES_PER_PEER
from tests.deployment import BASE_URL, Deployment, Member
from tests.oauth_support import Party


async def _token(deployment: Deployment, **form: str) -> tuple[int, dict[str, object], dict[str, str]]:
    answer = await deployment.http.post("/oauth/token", data=form)
    return answer.status_code, answer.json(), dict(answer.headers)


async def test_a_client_gets_a_token_by_post_and_by_basic(sqlite_deployment: Deployment) -> None:
    operator = await sqlite_deployment.add_organization("operator", "operator")
    secret = {"client_id": operator.credentials.client_id, "client_secret": operator.credentials.client_secret}
    status, body, headers = await _token(sqlite_deployment, grant_type="client_credentials", **secret)
    assert (status, body["token_type"], body["scope"]) == (200, "Bearer", "admin")
    assert isinstance(body["expires_in"], int)
    assert body["expires_in"] <= 300
    assert headers["cache-control"] == "no-store"
    assert (await sqlite_deployment.headers(operator, "admin"))["Authorization"].startswith("Bearer ey")


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "client_x", "client_secret": "no"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
        ({"grant_type": "password", "use": "good"}, 400, "unsupported_grant_type"),
        ({"use": "good"}, 400, "invalid_request"),
        ({"grant_type": "client_credentials", "use": "good", "scope": "gate"}, 400, "invalid_scope"),
    ],
)
async def test_faults_use_the_codes_of_rfc_6749(
    sqlite_deployment: Deployment, form: dict[str, str], status: int, error: str
) -> None:
    operator = await sqlite_deployment.add_organization("operator", "operator")
    if form.pop("use", None):
        form |= {"client_id": operator.credentials.client_id, "client_secret": operator.credentials.client_secret}
    got, body, headers = await _token(sqlite_deployment, **form)
    assert (got, body["error"]) == (status, error)
    assert headers["cache-control"] == "no-store"
    assert ("www-authenticate" in headers) == (status == 401)


@pytest.mark.parametrize("header", [b"Basic \xff", b"Basic Y", b"Basic /w==", b"Basic YWI="])
async def test_a_basic_header_that_cannot_be_read_is_no_client(sqlite_deployment: Deployment, header: bytes) -> None:
    form = {"grant_type": "client_credentials"}
    answer = await sqlite_deployment.http.post("/oauth/token", data=form, headers={b"Authorization": header})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_guessing_secrets_is_slowed_down_and_a_later_try_works(sqlite_deployment: Deployment) -> None:
    operator = await sqlite_deployment.add_organization("operator", "operator")
    guess = {"grant_type": "client_credentials", "client_id": operator.credentials.client_id, "client_secret": "guess"}
    statuses = [(await _token(sqlite_deployment, **guess))[0] for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    right = guess | {"client_secret": operator.credentials.client_secret}
    status, _, headers = await _token(sqlite_deployment, **right)
    assert (status, headers["retry-after"]) == (429, "60")
    assert headers["ratelimit"] == '"too_many_failures";r=0;t=60'
    assert headers["ratelimit-policy"] == '"too_many_failures";q=10;w=60'
    sqlite_deployment.clock.advance(seconds=61)
    assert (await _token(sqlite_deployment, **right))[0] == 200


async def test_the_token_opens_v1_until_it_expires(sqlite_deployment: Deployment) -> None:
    operator = await sqlite_deployment.add_organization("operator", "operator")
    headers = await sqlite_deployment.headers(operator, "admin")
    assert (await sqlite_deployment.http.get("/v1/organizations", headers=headers)).status_code == 200
    sqlite_deployment.clock.advance(minutes=6)
    answer = await sqlite_deployment.http.get("/v1/organizations", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_no_token_a_foreign_one_and_a_wrong_scope_are_told_apart(sqlite_deployment: Deployment) -> None:
    issuer = await sqlite_deployment.add_organization("issuer", "issuer")
    get = sqlite_deployment.http.get
    assert (await get("/v1/organizations")).json()["code"] == "invalid_token"
    good = (await sqlite_deployment.headers(issuer, "issuer"))["Authorization"]
    header, payload, signature = good.removeprefix("Bearer ").split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[3] ^= 1
    forged = f"Bearer {header}.{payload}.{base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"
    assert (await get("/v1/organizations", headers={"Authorization": forged})).json()["code"] == "invalid_token"
    answer = await get("/v1/organizations", headers={"Authorization": good})
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


async def test_one_client_that_guesses_does_not_lock_out_its_neighbours(sqlite_deployment: Deployment) -> None:
    guessing = await sqlite_deployment.add_organization("guessing", "operator")
    neighbour = await sqlite_deployment.add_organization("neighbour", "operator")
    guess = {"grant_type": "client_credentials", "client_id": guessing.credentials.client_id, "client_secret": "guess"}
    for _ in range(12):
        await _token(sqlite_deployment, **guess)
    assert (await sqlite_deployment.headers(neighbour, "admin"))["Authorization"].startswith("Bearer ")


async def test_an_address_that_invents_clients_is_slowed_down_too(sqlite_deployment: Deployment) -> None:
    form = {"grant_type": "client_credentials", "client_secret": "guess"}
    statuses = [
        (await _token(sqlite_deployment, client_id=f"client_{number}", **form))[0]
        for number in range(MAX_FAILURES_PER_PEER + 1)
    ]
    assert set(statuses[:-1]) == {401}
    assert statuses[-1] == 429


async def _register(deployment: Deployment, party: Party, **changes: Any) -> tuple[Member, httpx2.Response]:
    operator = await deployment.add_organization("operator", "operator")
    body = {"name": "signs", "scopes": ["admin"], "jwks": party.jwks} | changes
    path = f"/v1/organizations/{operator.org_id}/clients"
    headers = await deployment.headers(operator, "admin")
    return operator, await deployment.http.post(path, json=body, headers=headers)


async def test_a_client_with_keys_signs_instead_of_knowing_a_secret(sqlite_deployment: Deployment) -> None:
    party = Party(sqlite_deployment)
    _, made = await _register(sqlite_deployment, party)
    assert made.status_code == 201, made.text
    assert made.json().keys() == {"client_id", "scopes"}
    client_id = made.json()["client_id"]
    for form in ({}, {"client_id": client_id}):
        sent = {"grant_type": "client_credentials"} | form | party.assertion(client_id, BASE_URL)
        status, body, _ = await _token(sqlite_deployment, **sent)
        assert (status, body["token_type"], body["scope"]) == (200, "Bearer", "admin"), body
    for secret in ("", "guess"):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        assert (await _token(sqlite_deployment, **form))[0] == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{BASE_URL}/oauth/token"},
        {"aud": f"{BASE_URL}/issuers/kyc"},
        {"iss": "client_x"},
        {"sub": "client_x"},
        {"exp": 1},
        {"exp": None},
        {"jti": None},
    ],
    ids=str,
)
async def test_row_56_an_assertion_that_is_off(sqlite_deployment: Deployment, changes: dict[str, Any]) -> None:
    party = Party(sqlite_deployment)
    client_id = (await _register(sqlite_deployment, party))[1].json()["client_id"]
    form = {"grant_type": "client_credentials"} | party.assertion(client_id, BASE_URL, **changes)
    status, body, headers = await _token(sqlite_deployment, **form)
    assert (status, body["error"], headers["cache-control"]) == (401, "invalid_client", "no-store")


async def test_row_56_an_assertion_is_used_once(deployment: Deployment) -> None:
    party = Party(deployment)
    client_id = (await _register(deployment, party))[1].json()["client_id"]
    form = {"grant_type": "client_credentials"} | party.assertion(client_id, BASE_URL)
    answers = await asyncio.gather(*(_token(deployment, **form) for _ in range(5)))
    assert sorted(status for status, _, _ in answers) == [200, 401, 401, 401, 401]


async def test_row_56_wrong_assertions_lock_nobody_out(sqlite_deployment: Deployment) -> None:
    operator, stranger = await sqlite_deployment.add_organization("operator", "operator"), Party(sqlite_deployment)
    client_id, grant = operator.credentials.client_id, {"grant_type": "client_credentials"}
    for _ in range(11):
        status, _, _ = await _token(sqlite_deployment, **grant | stranger.assertion(client_id, BASE_URL))
        assert status == 401
    secret = {"client_id": client_id, "client_secret": operator.credentials.client_secret}
    assert (await _token(sqlite_deployment, **grant | secret))[0] == 200


async def test_row_56_wrong_assertions_are_slowed_down_by_address(sqlite_deployment: Deployment) -> None:
    party, stranger = Party(sqlite_deployment), Party(sqlite_deployment)
    client_id = (await _register(sqlite_deployment, party))[1].json()["client_id"]
    throttle = sqlite_deployment.app.state.throttle
    for _ in range(MAX_FAILURES_PER_PEER - 1):
        throttle.record_failure(None, "127.0.0.1", sqlite_deployment.clock())
    form = {"grant_type": "client_credentials"}
    sent = [form | stranger.assertion(client_id, BASE_URL) for _ in range(2)]
    assert [(await _token(sqlite_deployment, **each))[0] for each in sent] == [401, 429]


async def test_one_way_of_authentication_at_a_time(sqlite_deployment: Deployment) -> None:
    party = Party(sqlite_deployment)
    operator, made = await _register(sqlite_deployment, party)
    assertion = party.assertion(made.json()["client_id"], BASE_URL)
    secret = {"client_id": operator.credentials.client_id, "client_secret": operator.credentials.client_secret}
    grant = {"grant_type": "client_credentials"}
    for form, error in (
        (secret | assertion, "invalid_request"),
        (assertion | {"client_id": operator.credentials.client_id}, "invalid_client"),
        (assertion | {"client_assertion_type": "saml"}, "invalid_client"),
        ({"client_assertion_type": assertion["client_assertion_type"]}, "invalid_client"),
        (party.assertion(operator.credentials.client_id, BASE_URL), "invalid_client"),
    ):
        assert (await _token(sqlite_deployment, **grant, **form))[1]["error"] == error


async def test_keys_that_are_no_public_keys_are_not_registered(sqlite_deployment: Deployment) -> None:
    _, made = await _register(sqlite_deployment, Party(sqlite_deployment), jwks={"keys": [{"kty": "oct", "k": "AA"}]})
    assert (made.status_code, made.json()["code"]) == (422, "client_keys_invalid")


async def test_metadata_name_the_ways_of_authentication(sqlite_deployment: Deployment) -> None:
    metadata = (await sqlite_deployment.http.get("/.well-known/oauth-authorization-server")).json()
    ways = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    assert metadata["token_endpoint_auth_methods_supported"] == ways
    assert "none" not in metadata["token_endpoint_auth_signing_alg_values_supported"]
    assert metadata["issuer"] == BASE_URL
