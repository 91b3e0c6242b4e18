"""A commit that fails is never answered 2xx, and leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from tests.deployment import Deployment

NEW = {"name": "Sample Broker", "slug": "sample-broker", "roles": ["issuer"]}


@contextmanager
def failing_commits(deployment: Deployment) -> Iterator[None]:
    """Make the database lose its connection at every COMMIT."""
    engine = deployment.context.database.engine.sync_engine

    def lose_connection(_connection: Connection) -> None:
        raise OperationalError("COMMIT", None, ConnectionResetError("gone"))

    event.listen(engine, "commit", lose_connection)
    try:
        yield
    finally:
        event.remove(engine, "commit", lose_connection)


async def test_a_failed_commit_is_a_503_and_a_retry_with_the_same_key_works(deployment: Deployment) -> None:
    operator = await deployment.add_organization("operator", "operator")
    headers = await deployment.headers(operator, "admin") | {"Idempotency-Key": "retry-me"}
    with failing_commits(deployment):
        failed = await deployment.http.post("/v1/organizations", json=NEW, headers=headers)
    assert (failed.status_code, failed.json()["code"]) == (503, "storage_unavailable")
    assert failed.headers["retry-after"] == "1"
    listed = await deployment.http.get("/v1/organizations", headers=headers)
    assert [row["slug"] for row in listed.json()["data"]] == ["operator"]
    again = await deployment.http.post("/v1/organizations", json=NEW, headers=headers)
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers


async def test_a_client_is_not_acknowledged_without_a_commit(deployment: Deployment) -> None:
    operator = await deployment.add_organization("operator", "operator")
    headers = await deployment.headers(operator, "admin")
    path = f"/v1/organizations/{operator.org_id}/clients"
    with failing_commits(deployment):
        failed = await deployment.http.post(path, json={"name": "x", "scopes": ["admin"]}, headers=headers)
    assert failed.status_code == 503
    assert "client_secret" not in failed.text
