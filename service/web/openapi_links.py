"""OpenAPI links: which calls take what another call made or named. Read off the document itself.

A POST that answers with an ``id`` leads to every call below its path that needs this id and nothing else that is new; a
PUT under an id of the client's leads to every other call about the same thing.

Source: OpenAPI 3.1.0, section 4.8.20.
"""

import re
from collections.abc import Iterator
from typing import Any

_PARAMETER = re.compile(r"\{(\w+)\}")
_MADE_ID = "$response.body#/id"


def link_operations(document: dict[str, Any]) -> None:
    """Put the links into the answers of a complete document."""
    for path, operations in document["paths"].items():
        for method in ("post", "put"):
            answer = _find_answer(operations.get(method, {}))
            is_source = method == "put" or _has_id(document, answer)
            if is_source and (links := dict(_list_links(document, path, method))):
                answer["links"] = links


def _find_answer(operation: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, dict[str, Any]] = operation.get("responses", {})
    return responses.get("201") or responses.get("200") or {}


def _has_id(document: dict[str, Any], answer: dict[str, Any]) -> bool:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return "id" in document["components"]["schemas"].get(name, {}).get("properties", {})


def _list_links(document: dict[str, Any], path: str, method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    given = {name: f"$request.path.{name}" for name in _PARAMETER.findall(path)}
    for target, operations in document["paths"].items():
        new = _PARAMETER.match(target.removeprefix(f"{path}/")) if method == "post" else None
        parameters = given | {new[1]: _MADE_ID} if new else given
        is_about_it = new is not None if method == "post" else f"{target}/".startswith(f"{path}/")
        if not (parameters and is_about_it and parameters.keys() == set(_PARAMETER.findall(target))):
            continue
        for other, operation in operations.items():
            if (target, other) != (path, method):
                name = operation["operationId"]
                yield name, {"operationId": name, "parameters": parameters}
