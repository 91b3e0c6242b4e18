"""The W3C data model: what a credential and a presentation may be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.credentials.sd_jwt_errors import CredentialExpiredError, CredentialNotYetValidError
from service.credentials.vc_data_model import (
    check_credential,
    check_envelope,
    check_presentation,
)
from service.credentials.w3c_document import V1_CONTEXT
from service.credentials.w3c_errors import W3cDocumentError
from tests.unit.linked_data_support import EXAMPLES, NOW, V2, make_credential

ENVELOPE = {"@context": V2, "type": "EnvelopedVerifiableCredential", "id": "data:application/vc+jwt,a.b.c"}
SUBJECT = {"id": "did:example:a"}


def make_presentation(**more: Any) -> dict[str, Any]:
    return {"@context": [V2], "type": ["VerifiablePresentation"], "verifiableCredential": [make_credential()]} | more


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"id": "did:example:a"},
        {"type": "VerifiableCredential"},
        {"type": ["https://example.org/T", "VerifiableCredential"]},
        {"issuer": {"id": "https://example.org/i", "name": {"@value": "a", "@language": "en", "@direction": "ltr"}}},
        {"name": [{"@value": "a", "@language": "en"}, {"@value": "b", "@language": "de"}], "description": "c"},
        {"credentialSubject": [SUBJECT, {"name": "x"}]},
        {"credentialStatus": {"type": "A"}},
        {"credentialSchema": [{"id": "https://example.org/s", "type": "JsonSchema"}]},
        {"evidence": [{"type": ["A", "B"]}], "termsOfUse": {"type": "A", "id": "urn:a:b"}},
        {"relatedResource": {"id": "urn:a:b", "digestSRI": "sha384-x"}},
        {"validFrom": "2026-01-01T00:00:00.123-05:00", "validUntil": "2027-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_credentials_of_the_model_are_taken(members: dict[str, Any]) -> None:
    check_credential(make_credential(**members))


@pytest.mark.parametrize(
    "members",
    [
        {"@context": V2},
        {"@context": []},
        {"@context": [EXAMPLES, V2]},
        {"@context": [V2, 7]},
        {"@context": [V2, "https ://not-a-url"]},
        {"type": []},
        {"type": "Other"},
        {"type": ["VerifiableCredential", 7]},
        {"type": ["VerifiableCredential", ""]},
        {"id": None},
        {"id": "no url"},
        {"id": ["urn:a:b"]},
        {"issuer": "nobody"},
        {"issuer": {"name": "a"}},
        {"issuer": None},
        {"issuer": {"id": "urn:a:b", "name": 7}},
        {"credentialSubject": []},
        {"credentialSubject": {}},
        {"credentialSubject": [SUBJECT, {}]},
        {"credentialSubject": "did:example:a"},
        {"credentialSubject": {"id": ["urn:a:b", "urn:a:c"]}},
        {"validFrom": "2026-01-01"},
        {"validFrom": "2026-01-01T00:00:00"},
        {"validFrom": "2026-02-30T00:00:00Z"},
        {"validFrom": 1},
        {"validUntil": "2025-12-31T23:59:59Z"},
        {"credentialStatus": {"id": "urn:a:b"}},
        {"credentialStatus": {"type": 2}},
        {"credentialStatus": {"type": "A", "id": "no url"}},
        {"credentialStatus": None},
        {"credentialSchema": {"type": "A"}},
        {"credentialSchema": {"id": "urn:a:b"}},
        {"termsOfUse": {}},
        {"evidence": [{}]},
        {"refreshService": {"id": "urn:a:b"}},
        {"proof": {"proofValue": "z"}},
        {"name": {"@value": "a", "url": "urn:a:b"}},
        {"name": {"@language": "en"}},
        {"description": [7]},
        {"relatedResource": ["urn:a:b"]},
        {"relatedResource": {"digestSRI": "x"}},
        {"relatedResource": {"id": "urn:a:b"}},
        {"relatedResource": [{"id": "urn:a:b", "digestSRI": "x"}] * 2},
    ],
    ids=str,
)
def test_other_documents_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(W3cDocumentError):
        check_credential(make_credential(**members))


@pytest.mark.parametrize("name", ["@context", "type", "issuer", "credentialSubject"])
def test_no_required_member_may_be_missing(name: str) -> None:
    credential = make_credential()
    del credential[name]
    with pytest.raises(W3cDocumentError):
        check_credential(credential)


def test_version_1_has_other_dates() -> None:
    old = make_credential(**{"@context": [V1_CONTEXT]})
    with pytest.raises(W3cDocumentError):
        check_credential(old)
    validity = check_credential(
        old | {"issuanceDate": "2026-01-01T00:00:00Z", "expirationDate": "2026-02-01T00:00:00Z"}
    )
    assert validity.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert validity.valid_until == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_credential_holds_within_its_period() -> None:
    validity = check_credential(make_credential(validUntil="2026-11-23T15:00:00Z"))
    validity.check(NOW)
    with pytest.raises(CredentialExpiredError):
        validity.check(NOW + timedelta(seconds=61))
    with pytest.raises(CredentialNotYetValidError):
        validity.check(datetime(2025, 12, 31, tzinfo=UTC))


def test_presentations_of_the_model_are_taken() -> None:
    for members in (
        {},
        {"holder": "did:example:a"},
        {"holder": {"id": "did:example:a", "name": "x"}},
        {"id": "urn:a:b"},
    ):
        check_presentation(make_presentation(**members))
    check_presentation(make_presentation(verifiableCredential=ENVELOPE))
    check_presentation({"@context": [V2], "type": "VerifiablePresentation"})


@pytest.mark.parametrize(
    "members",
    [
        {"@context": [EXAMPLES]},
        {"type": ["Other"]},
        {"holder": "nobody"},
        {"holder": {"name": "x"}},
        {"verifiableCredential": ["a.b.c"]},
        {"verifiableCredential": []},
        {"verifiableCredential": [make_credential(type=[])]},
        {"verifiableCredential": [make_credential()] * 21},
        {"verifiableCredential": {**ENVELOPE, "@context": []}},
        {"verifiableCredential": {**ENVELOPE, "id": "a.b.c"}},
        {"proof": {"proofValue": "z"}},
    ],
    ids=lambda members: str(members)[:60],
)
def test_other_presentations_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(W3cDocumentError):
        check_presentation(make_presentation(**members))


@pytest.mark.parametrize("members", [{"@context": EXAMPLES}, {"type": "Other"}, {"id": 7}, {"id": "data:nothing"}])
def test_other_envelopes_are_refused(members: dict[str, Any]) -> None:
    assert check_envelope(ENVELOPE, "EnvelopedVerifiableCredential") == ENVELOPE["id"]
    with pytest.raises(W3cDocumentError):
        check_envelope({**ENVELOPE, **members}, "EnvelopedVerifiableCredential")


@pytest.mark.parametrize("document", [None, [], "text", {}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    for check in (check_credential, check_presentation):
        with pytest.raises(W3cDocumentError):
            check(document)
