"""Canonical linked data: nothing is lost, nothing is fetched, nothing takes long."""

import time
import tracemalloc
from typing import Any

import pytest

from service.credentials.linked_data_errors import (
    ContextUnknownError,
    DataLossError,
    DocumentTooComplexError,
    LinkedDataInvalidError,
)
from service.credentials.rdf import canonicalize_rdf
from service.credentials.resource_digest import RelatedResourceError
from service.linked_data.bundled_contexts import load_contexts, load_example_contexts
from tests.unit.linked_data_support import EXAMPLES, V2, make_credential

LENIENT = load_example_contexts()
STRICT = load_contexts()
PLAIN = {"@context": [V2], "type": "VerifiableCredential", "issuer": "did:example:issuer"}


def _canonicalize(**members: Any) -> str:
    return canonicalize_rdf({**PLAIN, **members}, LENIENT).decode()


def test_order_of_members_and_of_an_unordered_array_makes_no_difference() -> None:
    first = _canonicalize(type=["VerifiableCredential", "VerifiablePresentation"])
    second = canonicalize_rdf(
        {"type": ["VerifiablePresentation", "VerifiableCredential"], "issuer": "did:example:issuer", "@context": [V2]},
        LENIENT,
    )
    assert first.encode() == second


def test_alike_nodes_without_identifier_get_the_same_names_in_any_order() -> None:
    evidence = [{"type": "A", "x": {"y": "1"}}, {"type": "A", "x": {"y": "2"}}]
    first = canonicalize_rdf(make_credential(evidence=evidence), LENIENT)
    assert first == canonicalize_rdf(make_credential(evidence=evidence[::-1]), LENIENT)
    assert b"_:c14n3" in first


@pytest.mark.parametrize(
    "members",
    [
        {"unknownTerm": "x"},
        {"credentialSubject": {"id": "did:example:a", "unknownTerm": "x"}},
        {"type": ["VerifiableCredential", "UnknownType"]},
        {"id": "relative"},
        {"id": "_:b0"},
        {"issuer": "relative"},
        {"issuer": "urn:x> <urn:p> <urn:o> .\n<urn:s"},
        {"issuer": "urn:x y"},
        {"credentialSchema": {"id": "../up", "type": "JsonSchema"}},
    ],
)
def test_what_would_not_be_signed_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(DataLossError):
        _canonicalize(**members)


@pytest.mark.parametrize(
    "members",
    [
        {"validFrom": None},
        {"evidence": []},
        {"evidence": [[{"type": "VerifiableCredential"}]]},
        {"@id": "urn:x:y"},
        {"@graph": [{"id": "urn:x:y"}]},
        {"name": {"@value": "a", "@index": "b"}},
        {"https://www.w3.org/2018/credentials#issuer": "did:example:other"},
        {"credentialSubject": {"@context": {"name": "urn:other"}, "name": "x"}},
        {"name": {"@value": "a", "@language": 'en" .\n<urn:s> <urn:p> "'}},
        {"name": "a\x01b"},
        {"name": 2**53},
    ],
)
def test_a_second_way_of_writing_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(LinkedDataInvalidError):
        _canonicalize(**members)


@pytest.mark.parametrize(
    "context",
    [
        [],
        None,
        [V2, 7],
        [V2, "https://example.org/unknown"],
        [V2, {"@base": "https://example.org/"}],
        [V2, {"@vocab": "https://example.org/"}],
        [V2, {"@import": V2}],
        [V2, {"alias": "@type"}],
        [V2, {"term": {"@id": "urn:x:y", "@context": {}}}],
        [V2, {"term": None}],
    ],
)
def test_contexts_are_known_or_define_plain_terms(context: Any) -> None:
    with pytest.raises(ContextUnknownError):
        canonicalize_rdf({**PLAIN, "@context": context}, LENIENT)


def test_documents_that_count_define_no_terms_and_use_no_examples() -> None:
    assert canonicalize_rdf(PLAIN, STRICT)
    for extra in (EXAMPLES, {"term": "urn:x:y"}):
        with pytest.raises(ContextUnknownError):
            canonicalize_rdf({**PLAIN, "@context": [V2, extra]}, STRICT)
        with pytest.raises(ContextUnknownError):
            canonicalize_rdf({**PLAIN, "verifiableCredential": {**PLAIN, "@context": [V2, extra]}}, STRICT)


def test_a_protected_term_keeps_its_meaning() -> None:
    for term in ("name", "VerifiableCredential", "id"):
        with pytest.raises(LinkedDataInvalidError):
            _canonicalize(**{"@context": [V2, {term: "https://example.org/other"}]})


def test_a_direction_is_signed() -> None:
    texts = [{"@value": "a", "@language": "ar", **more} for more in ({}, {"@direction": "rtl"})]
    assert _canonicalize(name=texts[0]) != _canonicalize(name=texts[1])


def _tree(depth: int, width: int) -> dict[str, Any]:
    return {"type": "A"} if depth == 0 else {"x": [_tree(depth - 1, width) for _ in range(width)]}


POISONS: dict[str, dict[str, Any]] = {
    "seven alike, twice": {"credentialSubject": [_tree(1, 7), _tree(1, 7)]},
    "six alike, twice": {"credentialSubject": [_tree(1, 6), _tree(1, 6)]},
    "five alike, five times": {"credentialSubject": [_tree(1, 5)] * 5},
    "alike trees": {"credentialSubject": [_tree(2, 4), _tree(2, 4)]},
    "many nodes": {"credentialSubject": [_tree(5, 2), _tree(5, 2)]},
    "deep": {"credentialSubject": _tree(19, 1)},
    "large": {"credentialSubject": {f"k{number}": "v" for number in range(600)}},
    "wide": {"credentialSubject": {"x": ["v"] * 101}},
    "long": {"credentialSubject": {"x": "v" * 200_000}},
    "many contexts": {"@context": [V2, *[EXAMPLES] * 10]},
    "many terms": {"@context": [V2, {f"t{number}": "urn:x:y" for number in range(21)}]},
}


@pytest.mark.parametrize("name", POISONS)
def test_poison_is_refused_soon_and_takes_little(name: str) -> None:
    canonicalize_rdf(make_credential(), LENIENT)  # the contexts are understood once
    tracemalloc.start()
    started = time.thread_time()
    with pytest.raises(DocumentTooComplexError):
        canonicalize_rdf(make_credential(**POISONS[name]), LENIENT)
    took, peak = time.thread_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 0.5
    assert peak < 16 * 2**20


def test_the_largest_documents_that_are_taken_take_little() -> None:
    started = time.thread_time()
    canonicalize_rdf(make_credential(credentialSubject={f"k{number}": "v" for number in range(450)}), LENIENT)
    canonicalize_rdf(make_credential(credentialSubject=[_tree(1, 4), _tree(1, 4)]), LENIENT)
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize(
    ("digest", "fits"),
    [
        ({"digestMultibase": "uWZVc7WaX1h4D8rJVb-tTCKsWhCRvW1htf38a3skidDQ"}, False),
        ({"digestMultibase": "x"}, False),
        ({"digestSRI": "sha384-l_HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4_Tje8Yyz"}, False),
        ({"digestSRI": "md5-AAAA"}, False),
        ({"digestSRI": "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"}, True),
        ({"digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}, True),
    ],
)
def test_digests_of_known_contexts_are_checked(digest: dict[str, str], fits: bool) -> None:
    document = {"relatedResource": [{"id": V2, **digest}, {"id": "https://example.org/other", "digestSRI": "any"}]}
    if fits:
        LENIENT.check_related(document)
    else:
        with pytest.raises(RelatedResourceError):
            LENIENT.check_related(document)
