"""Calls in the order in which answers lead to them: what one call made is named in the next, whatever the rest says."""

import json
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.transport import Response

from tests.http.test_schemathesis import BASE_URL, CHECKS, DOCUMENT, Api, api
from tests.issuing_support import KYC_CLAIMS

__all__ = ["api"]  # a fixture

_MADE_WITH: dict[str, dict[str, Any]] = {
    "/v1/credential-offers": {
        "credential_configuration_id": "kyc",
        "subject_ref": "p-1",
        "claims": KYC_CLAIMS,
        "tx_code": False,
    },
    "/v1/presentation-requests": {"purpose": "us.506c"},
    "/v1/cases": {"credential_configuration_id": "qualified-investor", "subject_ref": "p-1"},
}
"""Where drawn bodies are hardly ever right: what something can be made with, so that there is a next call. The same
call makes another such thing each time, as it must: what is drawn next depends on whether something was made."""


def _select(source: str) -> dict[str, Any]:
    """Return the part of the document that leads from one call that makes something to that thing.

    What else can be done with it, most of it once only, would be drawn so often that nothing is ever read.
    """
    paths = json.loads(json.dumps(DOCUMENT["paths"]))
    [thing] = [path for path in paths if path.startswith(f"{source}/{{") and path.count("/") == source.count("/") + 1]
    left = {operation["operationId"] for operation in paths[thing].values()}
    for operation in (*paths[source].values(), *paths[thing].values()):
        for answer in operation["responses"].values():
            answer["links"] = {name: link for name, link in answer.get("links", {}).items() if name in left}
    return DOCUMENT | {"paths": {source: paths[source], thing: paths[thing]}}


EXAMPLES = {"max_examples": 10, "stateful_step_count": 6}


@pytest.mark.parametrize("source", sorted(_MADE_WITH))
def test_what_one_call_made_is_taken_by_the_next(api: Api, source: str) -> None:
    schema = schemathesis.openapi.from_dict(_select(source))
    followed: Counter[str] = Counter()

    class Calls(schema.as_state_machine()):
        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {}

        def call(self, case: schemathesis.Case[Any], **kwargs: Any) -> Response:
            request = case.as_transport_kwargs(base_url=BASE_URL, headers=api.headers_for(case.path))
            request.pop("cookies", None)
            request["headers"].pop("Idempotency-Key", None)  # whatever was drawn is mostly no key
            if case.method == "POST" and case.path in _MADE_WITH:
                request.pop("data", None)
                request["json"] = _MADE_WITH[case.path]
            if isinstance(request.get("data"), bytes | str):
                request["content"] = request.pop("data")
            answer = Response.from_httpx2(api.send(**request), verify=False)
            if "{" in case.path and answer.status_code < 300:
                followed[f"{case.method} {case.path}"] += 1
            return answer

        def validate_response(self, response: Response, case: schemathesis.Case[Any], **kwargs: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Calls.run(
        settings=settings(
            **EXAMPLES,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
    assert followed
