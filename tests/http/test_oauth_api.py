"""``POST /oauth/token`` and what /v1 makes of the token."""

import base64

import pytest

from service.organizations.throttle import MAX_FAILURES_PER_PEER
from tests.deployment import Deployment


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
