"""What is read of a secured credential is what its proof covers, whatever is changed and however it is written."""

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.credentials.credential import VerifiedCredential
from service.credentials.data_integrity import add_proof
from service.credentials.ldp_vc import CLAIMS_CONTEXT, read_ldp, verify_ldp_vc
from service.credentials.linked_data_errors import ContextUnknownError
from service.credentials.rdf import canonicalize_rdf
from service.errors import MalformedError, VerificationError
from service.linked_data.bundled_contexts import load_contexts, load_example_contexts
from tests.unit.linked_data_support import NOW, V2, make_signer

CONTEXTS = load_contexts()
METHOD, KEY, SIGN = make_signer()
DID = METHOD.partition("#")[0]
CREDENTIAL = {
    "@context": [V2, CLAIMS_CONTEXT],
    "id": "urn:uuid:7b1c2f4e-0000-4000-8000-000000000001",
    "type": ["VerifiableCredential", "KycCredential"],
    "name": "identity",
    "issuer": {"id": DID, "name": {"@value": "Issuer", "@language": "en"}},
    "validFrom": "2026-01-01T00:00:00Z",
    "validUntil": "2027-01-01T00:00:00Z",
    "evidence": [{"type": "KycCredential", "name": "paper"}],
    "credentialSubject": {
        "id": "did:example:holder",
        "given_name": "Canary",
        "age_over_18": True,
        "tax_years": [2024, 2025],
        "address": {"locality": "Brno", "lines": ["a", "b"]},
    },
}


def _sign(suite: str) -> dict[str, Any]:
    options = {"cryptosuite": suite, "verificationMethod": METHOD, "proofPurpose": "assertionMethod"}
    return add_proof(CREDENTIAL, options | {"created": "2026-11-23T14:00:00Z"}, KEY, SIGN, CONTEXTS)


def _verify(document: dict[str, Any]) -> VerifiedCredential:
    (read,) = read_ldp(document)
    return verify_ldp_vc(read, KEY, CONTEXTS, now=NOW)


@pytest.mark.parametrize(
    "types", [["urn:goodstanding:vct:kyc:1"], ["urn:goodstanding:vct:kyc:1", "JsonSchemaCredential"]]
)
def test_a_type_of_ours_under_its_iri_needs_our_context_too(types: list[str]) -> None:
    with pytest.raises(ContextUnknownError):
        read_ldp(_sign("eddsa-rdfc-2022") | {"@context": [V2], "type": ["VerifiableCredential", *types]})


def _change(value: Any) -> Iterator[Any]:
    """Yield other values, some of which a JSON-LD processor might take for the same."""
    yield from ([value], {"@value": value}, {"id": "urn:x:y"}, None, "", "other", 7, [], {})
    if isinstance(value, dict):
        yield from ({**value, "more": "1"}, {**value, "name": "more"}, {**value, "@id": "urn:x:y"})
        yield from ({name: member for name, member in value.items() if name != gone} for gone in value)
    if isinstance(value, list):
        yield from ([*value, value[0]], [*value, "other"], value[1:], value[::-1])
    if isinstance(value, str):
        yield from (f"{value} ", value.upper(), [value, value])


def _walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for name, member in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _walk(member, (*path, name))


def _replace(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


# Ways of writing that mean the same to every reader: sets of one, or in another order; languages in other letters.
SAME = {("type",), ("evidence",), ("credentialSubject",), ("proof",), ("evidence", 0, "type"), ("name",)}
SAME |= {("evidence", 0, "name"), ("evidence", 0), ("issuer", "name"), ("issuer", "name", "@language")}


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
def test_no_change_is_believed(suite: str) -> None:
    signed = _sign(suite)
    expected, tried = _verify(signed), 0
    for path in _walk(signed):
        member: Any = signed
        for step in path:
            member = member[step]
        for value in _change(member) if path else ():
            document = _replace(signed, path, value)
            tried += 1
            try:
                found = _verify(document)
            except (VerificationError, MalformedError):
                continue
            assert document == signed or path in SAME, (path, value)
            assert (found.claims, found.issuer, found.vct) == (expected.claims, expected.issuer, expected.vct)
            assert (found.not_before, found.expires_at) == (expected.not_before, expected.expires_at)
    assert tried > 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "type", "@context", "@value", "@type", "@id", "@list", "name", "proof", "issuer", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON, st.sampled_from(["credentialSubject", "evidence", "issuer", "@context", "proof", "type", "x"]))
def test_any_document_is_read_or_refused(value: Any, name: str) -> None:
    document = {**_SIGNED, name: value}
    for work in (_verify, lambda each: canonicalize_rdf(each, load_example_contexts())):
        with suppress(VerificationError, MalformedError):
            work(document)


_SIGNED = _sign("eddsa-rdfc-2022")
