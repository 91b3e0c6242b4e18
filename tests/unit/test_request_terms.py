"""Queries are read once, and still each for itself."""

from typing import Any

import pytest

from service.credentials.dcql_query import DcqlSyntaxError, parse_dcql_query
from service.verifier.purposes import build_query, find_purpose
from service.verifier.request_terms import NewRequest, read_kept_query, read_query


def _ask_for(*values: Any) -> dict[str, Any]:
    claims = [{"path": ["country"], "values": list(values)}]
    return {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["x"]}, "claims": claims}]}


def test_query_of_a_purpose_is_what_it_says() -> None:
    query = read_query(NewRequest(purpose="us.506c"))
    assert query == parse_dcql_query(build_query(find_purpose("us.506c")))
    assert read_query(NewRequest(purpose="us.506c")) is query
    assert read_query(NewRequest(purpose="us.506c", formats=("jwt_vc_json",))) != query


@pytest.mark.parametrize("values", [("US",), (1,), (True,), (10**30,)])
def test_kept_query_is_read_as_ever(values: tuple[Any, ...]) -> None:
    read = read_kept_query(_ask_for(*values))
    assert repr(read) == repr(parse_dcql_query(_ask_for(*values)))  # 1 and True are equal as Python sees them


def test_kept_query_that_is_none_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(DcqlSyntaxError):
            read_kept_query({"credentials": []})
