"""Our DCQL matching finds what an independent library finds, over queries and credentials drawn at random."""

import random
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import AuthorityKeyIdentifier

from service.credentials.certificates import write_x5c
from service.credentials.dcql import (
    HeldCredential,
    QueryUnsatisfiedError,
    match_query,
    parse_dcql_query,
)
from service.credentials.dcql_query import DcqlQuery
from tests.certificate_support import new_root
from tests.interop.support import Node

pytestmark = pytest.mark.asyncio(loop_scope="session")
CASES = 400
TYPES = ["urn:a", "urn:b"]
AKIS = ["AAAA", "BBBB"]
VALUES = ["x", "y", 1, 2, True, False]
CLAIMS: dict[str, Any] = {
    "name": "x",
    "count": 1,
    "flag": True,
    "address": {"city": "x", "lines": ["x", "y"]},
    "degrees": [{"type": "x"}, {"type": "y", "year": 2}],
    "list": [1, "y", False],
    "nested": [["x"], ["y", 1]],
    "empty": [],
}
PATHS: list[list[Any]] = [
    *([name] for name in CLAIMS),
    ["address", "city"],
    ["address", "lines", 0],
    ["address", "lines", 7],
    ["address", "lines", None],
    ["address", "nowhere"],
    ["degrees", None, "type"],
    ["degrees", None, "year"],
    ["degrees", 1, "year"],
    ["degrees", 0, "year"],
    ["degrees", "type"],
    ["list", None],
    ["list", 1],
    ["nested", None, 0],
    ["name", 0],
    ["name", "x"],
    ["absent"],
]
ROOT = new_root(datetime(2026, 11, 23, tzinfo=UTC))


def certify(aki: str) -> list[str]:
    """Return an x5c whose leaf names an authority key."""
    identifier = AuthorityKeyIdentifier(urlsafe_b64decode(aki), None, None)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return write_x5c([ROOT.certify(key, extensions=((identifier, False),))])


X5C = {aki: certify(aki) for aki in AKIS}


def draw_credential(draw: random.Random) -> dict[str, Any]:
    claims = {name: value for name, value in CLAIMS.items() if draw.random() < 0.7}
    vct = draw.choice(TYPES)
    holder = {"cnf": {"jwk": {}}} if draw.random() < 0.9 else {}
    akis = [draw.choice(AKIS)] if draw.random() < 0.5 else None
    return {"vct": vct, "claims": {"vct": vct, **holder, **claims}, "akis": akis}


def draw_query(draw: random.Random) -> dict[str, Any]:
    ids = ["one", "two", "three"][: draw.randint(1, 3)]
    query: dict[str, Any] = {"credentials": [draw_credential_query(draw, each) for each in ids]}
    if draw.random() < 0.4:
        query["credential_sets"] = [
            {
                "options": [draw.sample(ids, draw.randint(1, len(ids))) for _ in range(draw.randint(1, 2))],
                "required": draw.random() < 0.7,
            }
            for _ in range(draw.randint(1, 2))
        ]
    return query


def draw_credential_query(draw: random.Random, query_id: str) -> dict[str, Any]:
    query: dict[str, Any] = {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [draw.choice(TYPES)]}}
    if draw.random() < 0.2:
        query["require_cryptographic_holder_binding"] = False
    if draw.random() < 0.3:
        query["trusted_authorities"] = [{"type": "aki", "values": draw.sample(AKIS, draw.randint(1, 2))}]
    if draw.random() < 0.85:
        paths = draw.sample(PATHS, draw.randint(1, 3))
        query["claims"] = [{"id": f"c{n}", "path": path} for n, path in enumerate(paths)]
        for claim in query["claims"]:
            if draw.random() < 0.3:
                claim["values"] = draw.sample(VALUES, draw.randint(1, 3))
        if draw.random() < 0.4:
            names = [claim["id"] for claim in query["claims"]]
            query["claim_sets"] = [draw.sample(names, draw.randint(1, len(names))) for _ in range(2)]
    return query


def judge(query: dict[str, Any], credentials: list[dict[str, Any]]) -> dict[str, Any]:
    """Give our own verdict, in the form of the oracle's."""
    parsed = parse_dcql_query(query)
    held = [
        HeldCredential(
            str(n), each["vct"], each["claims"], "dc+sd-jwt", "", X5C[each["akis"][0]] if each["akis"] else None
        )
        for n, each in enumerate(credentials)
    ]
    matches = {}
    for item in parsed.credentials:
        try:
            found = match_query(DcqlQuery((item,)), held)[item.id]
        except QueryUnsatisfiedError:
            found = []
        matches[item.id] = [int(match.held_id) for match in found]
    try:
        match_query(parsed, held)
        satisfied = True
    except QueryUnsatisfiedError:
        satisfied = False
    return {"satisfied": satisfied, "matches": matches}


async def test_matches_are_those_of_an_independent_library(node: Node) -> None:
    draw = random.Random(9901)
    cases = [
        {"query": draw_query(draw), "credentials": [draw_credential(draw) for _ in range(draw.randint(1, 4))]}
        for _ in range(CASES)
    ]
    theirs = (await node.run("dcql.mjs", "judge", cases=cases))["results"]
    for case, expected in zip(cases, theirs, strict=True):
        assert judge(case["query"], case["credentials"]) == expected, case
    satisfied = sum(each["satisfied"] for each in theirs)
    assert CASES // 10 < satisfied < CASES  # both verdicts were drawn, and often
