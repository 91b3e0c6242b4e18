"""JWT VCs and JWT VPs: what passes, and that each way of saying two things at once does not."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.credential import Expected, StatusReference, VerifiedCredential
from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.formats import read_document, verify_document
from service.credentials.jose import b64url_encode, jwk_thumbprint, write_json
from service.credentials.sd_jwt_errors import HolderBindingInvalidError
from service.credentials.status_list import verify_status_list_token
from service.errors import VerificationError
from tests.unit.jwt_vc_support import (
    AUDIENCE,
    HOLDER,
    NONCE,
    STATUS,
    V1,
    V2,
    claims_v1,
    envelop,
    issue_v1,
    issue_v2,
    present_v1,
    present_v2,
    vc,
)
from tests.unit.sd_jwt_support import HOLDER_KEYS, ISSUER, ISSUER_KEYS, NOW, NOW_SECONDS, issue, new_key_pair

OTHER_KEYS = new_key_pair()
OTHER = did_jwk_from_jwk(OTHER_KEYS.jwk)
EXPECTED = Expected(NONCE, AUDIENCE)
SUBJECT = {"country": "US", "sub": "subject-one"}


def verify(document: Any, expected: Expected | None = None) -> VerifiedCredential:
    (read,) = read_document(document)
    read.read_issuer()
    return verify_document(read, ISSUER_KEYS.key, expected, now=NOW)


def fault(document: Any, expected: Expected | None = None) -> tuple[str, str]:
    with pytest.raises(VerificationError) as caught:
        verify(document, expected)
    return caught.value.code, caught.value.check


@pytest.mark.parametrize(("compact", "name"), [(issue_v1(), "jwt_vc_json"), (issue_v2(), "vc+jwt")])
def test_a_sound_credential_says_what_its_issuer_said(compact: str, name: str) -> None:
    credential = verify(compact)
    assert (credential.format, credential.issuer, credential.vct) == (name, ISSUER, "urn:goodstanding:vct:kyc:1")
    assert dict(credential.claims) == SUBJECT
    assert credential.statuses == (StatusReference("https://issuer.example/status-lists/1", 7),)
    assert credential.subject_id == HOLDER
    assert credential.holder_jwk is not None
    assert jwk_thumbprint(credential.holder_jwk) == jwk_thumbprint(HOLDER_KEYS.jwk)
    assert credential.digest == f"sha256:{hashlib.sha256(compact.encode()).hexdigest()}"
    assert not credential.holder_bound


def test_members_that_repeat_the_claims_change_nothing() -> None:
    claims = claims_v1()
    repeated = vc(
        id=claims["jti"],
        issuer={"id": ISSUER, "name": "Issuer"},
        issuanceDate="2026-03-02T11:43:20.750Z",
        expirationDate="2026-03-02T13:16:40+01:00",
        credentialSubject=[{"id": HOLDER, **SUBJECT}],
    )
    short, long = verify(issue_v1()), verify(issue_v1(vc=repeated))
    alone = verify(issue_v1(vc=repeated, jti=None, sub=None, nbf=None, exp=None, iss=None))
    for name in ("issuer", "claims", "subject_id", "not_before", "expires_at", "issued_at", "vct"):
        assert getattr(short, name) == getattr(long, name) == getattr(alone, name)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"vc": vc(issuer="https://other.example")}, ("jwt_vc_conflict", "format")),
        ({"vc": vc(issuer={"id": "https://other.example"})}, ("jwt_vc_conflict", "format")),
        ({"vc": vc(issuer={"name": "x"})}, ("w3c_document_invalid", "format")),
        ({"vc": vc(credentialSubject={"id": OTHER, **SUBJECT})}, ("jwt_vc_conflict", "format")),
        ({"vc": vc(credentialSubject=[SUBJECT, SUBJECT])}, ("w3c_document_invalid", "format")),
        ({"vc": vc(credentialSubject={})}, ("w3c_document_invalid", "format")),
        ({"vc": vc(credentialSubject={"id": ["x"]})}, ("w3c_document_invalid", "format")),
        ({"vc": vc(id="urn:uuid:other")}, ("jwt_vc_conflict", "format")),
        ({"vc": vc(issuanceDate="2026-03-02T11:43:21Z")}, ("jwt_vc_conflict", "format")),
        ({"vc": vc(issuanceDate="2026-03-02T11:43:20")}, ("w3c_document_invalid", "format")),
        ({"vc": vc(issuanceDate="2026-02-30T11:43:20Z")}, ("w3c_document_invalid", "format")),
        ({"vc": vc(expirationDate="2036-03-02T12:16:40Z")}, ("jwt_vc_conflict", "format")),
        ({"vc": vc(proof={"type": "DataIntegrityProof"})}, ("w3c_document_invalid", "format")),
        ({"vc": vc(credentialStatus={"type": "Unheard"})}, ("status_reference_invalid", "status")),
        ({"vc": vc(type=["KycCredential"])}, ("w3c_document_invalid", "format")),
        ({"vc": vc(type=["VerifiableCredential"] * 2)}, ("w3c_document_invalid", "format")),
        (
            {"vc": vc(type=["VerifiableCredential", "KycCredential", "AmlScreeningCredential"])},
            ("w3c_document_invalid", "format"),
        ),
        ({"vc": {**vc(), "@context": [V2]}}, ("w3c_document_invalid", "format")),
        ({"vc": {**vc(), "@context": ["https://a.example", V1]}}, ("w3c_document_invalid", "format")),
        ({"vc": "text"}, ("w3c_document_invalid", "format")),
        ({"vc": vc(), "vp": {}}, ("jwt_vc_malformed", "format")),
        ({"iss": None}, ("w3c_document_invalid", "format")),
        ({"iss": 7}, ("w3c_document_invalid", "format")),
        ({"iss": {"id": ISSUER}}, ("w3c_document_invalid", "format")),
        ({"sub": {"id": HOLDER}}, ("w3c_document_invalid", "format")),
        ({"nbf": None}, ("w3c_document_invalid", "format")),
        ({"nbf": "soon"}, ("credential_claims_invalid", "format")),
        ({"nbf": NOW_SECONDS + 100}, ("credential_not_yet_valid", "validity")),
        ({"exp": NOW_SECONDS - 100}, ("credential_expired", "validity")),
        ({"exp": None}, ("credential_expiry_missing", "validity")),
        ({"aud": "https://other.example"}, ("audience_mismatch", "audience")),
        ({"status": {"other": 1}}, ("status_reference_invalid", "status")),
        ({"cnf": {"jwk": OTHER_KEYS.jwk}}, ("holder_key_invalid", "holder_binding")),
        ({"cnf": {"kid": "x"}}, ("holder_key_invalid", "holder_binding")),
    ],
)
def test_a_credential_that_contradicts_itself_is_refused(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert fault(issue_v1(**changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": "https://other.example"}, ("jwt_vc_conflict", "format")),
        ({"sub": OTHER}, ("jwt_vc_conflict", "format")),
        ({"jti": "urn:a", "id": "urn:b"}, ("jwt_vc_conflict", "format")),
        ({"vc": {}}, ("jwt_vc_type_invalid", "format")),
        ({"@context": [V1]}, ("w3c_document_invalid", "format")),
        ({"proof": {}}, ("w3c_document_invalid", "format")),
        ({"issuer": None}, ("w3c_document_invalid", "format")),
        ({"validUntil": "2026-03-02T11:00:00Z"}, ("credential_expired", "validity")),
        ({"exp": NOW_SECONDS - 100}, ("credential_expired", "validity")),
        ({"validFrom": "2026-03-02T12:10:00Z"}, ("credential_not_yet_valid", "validity")),
        ({"nbf": NOW_SECONDS + 100}, ("credential_not_yet_valid", "validity")),
        ({"validUntil": None}, ("credential_expiry_missing", "validity")),
        ({"cnf": {"jwk": OTHER_KEYS.jwk}}, ("holder_key_invalid", "holder_binding")),
    ],
)
def test_a_credential_of_version_2_that_contradicts_itself_is_refused(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert fault(issue_v2(**changes)) == expected


OTHER_TOKENS = (
    *("at+jwt", "dc+sd-jwt", "vc+jwt", "vp+jwt", "statuslist+jwt", "kb+jwt", "dpop+jwt", "openid4vci-proof+jwt"),
    *("transfer-decision+jwt", "oauth-authz-req+jwt", "openidvci-issuer-metadata+jwt", "key-attestation+jwt"),
)


@pytest.mark.parametrize(
    ("make", "header"),
    [
        *((issue_v1, {"typ": typ}) for typ in OTHER_TOKENS),
        *((issue_v2, {"typ": typ}) for typ in ("at+jwt", "JWT", "vc+sd-jwt", "vc+ld+jwt", None)),
        (issue_v2, {"cty": "vp"}),
        (issue_v2, {"cty": 7}),
    ],
)
def test_another_kind_of_token_is_no_credential(make: Callable[..., str], header: dict[str, Any]) -> None:
    assert fault(make(header))[1] == "format"


def test_a_jwt_vc_is_no_sd_jwt_vc_and_the_reverse() -> None:
    assert fault(issue_v1(vct="urn:goodstanding:vct:kyc:1") + "~") == ("sd_jwt_type_invalid", "format")
    assert fault(issue().split("~")[0]) == ("jwt_vc_type_invalid", "format")


def test_neither_is_taken_for_another_token_of_the_same_key() -> None:
    uri = "https://issuer.example/status-lists/1"
    with pytest.raises(VerificationError):
        verify_status_list_token(issue_v1(sub=uri), ISSUER_KEYS.key, expected_uri=uri, now=NOW)
    shown = issue() + present_v1(issue_v1(), sd_hash="x")
    with pytest.raises(HolderBindingInvalidError):
        verify_document(read_document(shown)[0], ISSUER_KEYS.key, EXPECTED, now=NOW)


@pytest.mark.parametrize("alg", ["none", "NONE", "HS256", "ES384", "EdDSA"])
def test_the_header_does_not_choose_the_algorithm(alg: str) -> None:
    head, _, _ = issue_v1({"alg": alg}).rpartition(".")
    public = write_json(ISSUER_KEYS.jwk)
    forged = b64url_encode(hmac.digest(public, head.encode(), "sha256")) if alg == "HS256" else ""
    expected = ("jwt_vc_malformed" if alg.lower() == "none" else "invalid_signature", "format")
    assert fault(f"{head}.{forged}")[0] == expected[0]


def test_a_signature_of_somebody_else_is_refused() -> None:
    (read,) = read_document(issue_v1())
    with pytest.raises(VerificationError, match="verify"):
        verify_document(read, OTHER_KEYS.key, None, now=NOW)


@pytest.mark.parametrize(
    ("presentation", "name"),
    [
        (present_v1(issue_v1()), "jwt_vc_json"),
        (present_v1(issue_v1(), aud=[AUDIENCE], exp=NOW_SECONDS + 60, header={"kid": f"{HOLDER}#0"}), "jwt_vc_json"),
        (present_v2(issue_v2()), "vc+jwt"),
        (envelop(present_v2(issue_v2()), "EnvelopedVerifiablePresentation", "vp+jwt"), "vc+jwt"),
        (
            present_v2(issue_v2(credentialSubject=SUBJECT, cnf={"jwk": HOLDER_KEYS.jwk}), holder=None),
            "vc+jwt",
        ),
    ],
)
def test_a_sound_presentation_binds_its_credential_to_its_holder(presentation: Any, name: str) -> None:
    credential = verify(presentation, EXPECTED)
    assert (credential.format, credential.holder_bound) == (name, True)


def test_each_credential_of_a_presentation_is_read() -> None:
    reads = read_document(present_v1(issue_v1(), issue_v1(sub=OTHER)))
    assert verify_document(reads[0], ISSUER_KEYS.key, EXPECTED, now=NOW).holder_bound
    with pytest.raises(VerificationError) as caught:
        verify_document(reads[1], ISSUER_KEYS.key, EXPECTED, now=NOW)
    assert caught.value.code == "presentation_holder_invalid"


OLD = NOW_SECONDS - 400
HOLDERS_KEY = did_key_from_jwk(HOLDER_KEYS.jwk)


@pytest.mark.parametrize(
    ("presentation", "expected"),
    [
        (issue_v1(), ("holder_binding_missing", "holder_binding")),
        (present_v1(issue_v1(), keys=OTHER_KEYS), ("presentation_holder_invalid", "holder_binding")),
        (present_v1(issue_v1(), keys=OTHER_KEYS, iss=HOLDER), ("holder_binding_invalid", "holder_binding")),
        (present_v1(issue_v1(), iss=None), ("presentation_holder_invalid", "holder_binding")),
        (present_v1(issue_v1(), header={"kid": f"{OTHER}#0"}), ("presentation_holder_invalid", "holder_binding")),
        (present_v1(issue_v1(sub=None)), ("holder_binding_missing", "holder_binding")),
        (present_v1(issue_v1(sub="did:web:holder.example")), ("holder_binding_missing", "holder_binding")),
        (present_v1(issue_v1(sub=HOLDERS_KEY)), ("presentation_holder_invalid", "holder_binding")),
        (present_v1(issue_v1(), aud=[AUDIENCE, "https://other.example"]), ("audience_mismatch", "audience")),
        (present_v1(issue_v1(), aud=None), ("audience_mismatch", "audience")),
        (present_v1(issue_v1(), nonce="other"), ("nonce_mismatch", "nonce")),
        (present_v1(issue_v1(), nonce=None), ("nonce_mismatch", "nonce")),
        (present_v1(issue_v1(), iat=OLD), ("holder_binding_stale", "holder_binding")),
        (present_v1(issue_v1(), iat=OLD, nbf=NOW_SECONDS), ("holder_binding_stale", "holder_binding")),
        (present_v1(issue_v1(), iat=None), ("holder_binding_stale", "holder_binding")),
        (present_v1(issue_v1(), exp=NOW_SECONDS - 100), ("holder_binding_stale", "holder_binding")),
        (present_v1(issue_v1(), iat=NOW_SECONDS + 100), ("holder_binding_stale", "holder_binding")),
        (present_v1(), ("w3c_document_invalid", "format")),
        (present_v1({"type": "VerifiableCredential"}), ("w3c_document_invalid", "format")),
        (present_v1(present_v1(issue_v1())), ("jwt_vc_type_invalid", "format")),
        (present_v1(issue()), ("jwt_vc_malformed", "format")),
        (present_v1(issue_v1(), vp={"@context": [V1]}), ("w3c_document_invalid", "format")),
        (present_v1(issue_v1(), header={"typ": "vp+jwt"}), ("jwt_vc_type_invalid", "format")),
        (present_v2(issue_v2(), proof={}), ("w3c_document_invalid", "format")),
        (present_v2(issue_v2(), iss=OTHER), ("jwt_vc_conflict", "format")),
        (present_v2(issue_v2(), verifiableCredential=[issue_v2()]), ("w3c_document_invalid", "format")),
        (
            present_v2(verifiableCredential=[envelop(issue_v2(), media_type="vc+sd-jwt")]),
            ("w3c_document_invalid", "format"),
        ),
        (
            present_v2(verifiableCredential=[envelop(present_v2(issue_v2()), "EnvelopedVerifiablePresentation")]),
            ("w3c_document_invalid", "format"),
        ),
        (present_v2(present_v2(issue_v2())), ("jwt_vc_type_invalid", "format")),
        (present_v2(issue_v2(), header={"typ": "JWT"}), ("jwt_vc_type_invalid", "format")),
        (envelop(issue_v2(), media_type="jwt"), ("w3c_document_invalid", "format")),
    ],
)
def test_a_presentation_of_somebody_else_or_for_something_else_is_refused(
    presentation: Any, expected: tuple[str, str]
) -> None:
    assert fault(presentation, EXPECTED) == expected


def test_transaction_data_cannot_be_agreed_to_in_this_format() -> None:
    asked = Expected(NONCE, AUDIENCE, ["eyJ0eXBlIjoieCJ9"])
    assert fault(present_v1(issue_v1()), asked) == ("transaction_data_mismatch", "transaction_data")


def test_a_presentation_may_be_as_old_as_the_caller_allows() -> None:
    patient = Expected(NONCE, AUDIENCE, max_age=timedelta(seconds=500))
    assert verify(present_v1(issue_v1(), iat=OLD), patient).holder_bound


def test_a_presentation_is_no_credential() -> None:
    assert fault(present_v1(issue_v1())) == ("w3c_document_invalid", "format")


def test_an_enveloped_credential_is_opened() -> None:
    assert verify(envelop(issue_v2())).format == "vc+jwt"
    assert verify(issue_v1(status=STATUS | {"more": 1})).statuses


def test_the_subject_is_known_by_the_same_name_as_in_linked_data() -> None:
    named = vc(credentialSubject={"country": "US", "sub": "urn:goodstanding:subject:subject-one"})
    assert verify(issue_v1(vc=named)).claims == {"country": "US", "sub": "subject-one"}
