"""Links of the OpenAPI document lead from what is made to what can be done with it."""

import json
from typing import Any

import pytest

from service.schema_files import SCHEMAS_DIR

DOCUMENT = json.loads((SCHEMAS_DIR / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    operation["operationId"]: (f"{method} {path}", operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def links_of(path: str, method: str, status: str) -> dict[str, dict[str, Any]]:
    links: dict[str, dict[str, Any]] = DOCUMENT["paths"][path][method]["responses"][status].get("links", {})
    return {OPERATIONS[link["operationId"]][0]: link["parameters"] for link in links.values()}


@pytest.mark.parametrize(
    ("made", "targets", "parameter"),
    [
        ("/v1/credential-offers", {"get ", "delete ", "post /release", "post /deny"}, "offer_id"),
        (
            "/v1/presentation-requests",
            {"get ", "post /dc-api-response", "post /return"},
            "request_id",
        ),
        ("/v1/cases", {"get ", "post /review", "post /approve", "post /decline"}, "case_id"),
        ("/v1/organizations", {"get ", "post /clients"}, "org_id"),
        ("/v1/transfers", {"get ", "get /bundle", "get /receipt", "post /settle", "post /void"}, "transfer_id"),
    ],
)
def test_what_was_made_is_named_where_it_is_taken(made: str, targets: set[str], parameter: str) -> None:
    found = links_of(made, "post", "200" if made == "/v1/transfers" else "201")
    place = f"{made}/{{{parameter}}}"
    assert found.keys() >= {each.replace(" ", f" {place}") for each in targets}
    assert all(parameters == {parameter: "$response.body#/id"} for parameters in found.values())


def test_what_was_put_under_an_id_is_found_under_it() -> None:
    found = links_of("/v1/securities/{security_id}/offerings/{offering_id}", "put", "201")
    place = "/v1/securities/{security_id}/offerings/{offering_id}"
    names = {"security_id": "$request.path.security_id", "offering_id": "$request.path.offering_id"}
    assert found == {f"get {place}": names, f"get {place}/offerees": names, f"post {place}/offerees": names}


def test_every_link_gives_its_call_all_that_stands_in_the_path() -> None:
    links = [
        link
        for _, operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert len(links) > 40
    for link in links:
        name, operation = OPERATIONS[link["operationId"]]
        wanted = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert link["parameters"].keys() == wanted, name
