"""DCQL: the syntax, what a wallet may send, and what a verifier must not take on trust."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.x509 import AuthorityKeyIdentifier
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.certificates import write_x5c
from service.credentials.claims_path import select_claims
from service.credentials.credential import VerifiedCredential
from service.credentials.dcql import (
    DcqlSyntaxError,
    HeldCredential,
    QueryUnsatisfiedError,
    check_response,
    is_of_type,
    match_query,
    parse_dcql_query,
)
from service.credentials.encoding import b64url_encode
from tests.certificate_support import new_root

KYC, AML, OTHER = "urn:goodstanding:vct:kyc:1", "urn:goodstanding:vct:aml-screening:1", "urn:example:other"
ISSUER = "https://issuer.example"


def credential_query(query_id: str = "kyc", *, vct: str = KYC, **members: Any) -> dict[str, Any]:
    return {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, **members}


def query_of(*credentials: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"credentials": list(credentials), **members}


FULL_QUERY = query_of(
    credential_query(
        multiple=True,
        trusted_authorities=[{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}],
        require_cryptographic_holder_binding=False,
        claims=[
            {"id": "a", "path": ["age_over_18"], "values": [True]},
            {"id": "b", "path": ["address", "lines", None], "values": ["x", 1]},
            {"id": "c", "path": ["degrees", 0, "type"]},
        ],
        claim_sets=[["a"], ["b", "c"]],
    ),
    credential_query("aml", vct=AML),
    {"id": "mdoc", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"}},
    credential_sets=[{"options": [["kyc"], ["aml", "mdoc"]]}, {"options": [["aml"]], "required": False}],
)


# Syntax


def test_full_query_survives_reading_and_writing() -> None:
    assert parse_dcql_query(FULL_QUERY).to_json() == FULL_QUERY


def test_unknown_members_are_ignored_everywhere() -> None:
    claim = {"path": ["a"], "extra": 1}
    raw = query_of(
        credential_query(claims=[claim], extra=1), credential_sets=[{"options": [["kyc"]], "extra": 1}], extra=1
    )

    query = parse_dcql_query(raw)

    assert query.to_json() == query_of(
        credential_query(claims=[{"path": ["a"]}]), credential_sets=[{"options": [["kyc"]]}]
    )


def with_claims(*claims: Any, **members: Any) -> dict[str, Any]:
    return query_of(credential_query(claims=list(claims), **members))


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (None, ""),
        ([], ""),
        ({}, "/credentials"),
        ({"credentials": []}, "/credentials"),
        ({"credentials": {}}, "/credentials"),
        ({"credentials": ["x"]}, "/credentials/0"),
        (query_of(*(credential_query(f"c{number}") for number in range(101))), "/credentials"),
        (query_of({"format": "dc+sd-jwt", "meta": {"vct_values": [KYC]}}), "/credentials/0/id"),
        (query_of(credential_query("")), "/credentials/0/id"),
        (query_of(credential_query("a b")), "/credentials/0/id"),
        (query_of(credential_query("a\n")), "/credentials/0/id"),
        (query_of(credential_query("é")), "/credentials/0/id"),
        (query_of(credential_query(), credential_query()), "/credentials"),
        (query_of({"id": "a", "meta": {}}), "/credentials/0/format"),
        (query_of({"id": "a", "format": "dc+sd-jwt"}), "/credentials/0/meta"),
        (query_of({"id": "a", "format": "mso_mdoc"}), "/credentials/0/meta"),
        (query_of({"id": "a", "format": "dc+sd-jwt", "meta": {}}), "/credentials/0/meta/vct_values"),
        (query_of(credential_query(meta={"vct_values": []})), "/credentials/0/meta/vct_values"),
        (query_of(credential_query(meta={"vct_values": KYC})), "/credentials/0/meta/vct_values"),
        (query_of(credential_query(meta={"vct_values": [1]})), "/credentials/0/meta/vct_values/0"),
        (query_of(credential_query(multiple="true")), "/credentials/0/multiple"),
        (query_of(credential_query(multiple=None)), "/credentials/0/multiple"),
        (
            query_of(credential_query(require_cryptographic_holder_binding=0)),
            "/credentials/0/require_cryptographic_holder_binding",
        ),
        (query_of(credential_query(trusted_authorities=[])), "/credentials/0/trusted_authorities"),
        (
            query_of(credential_query(trusted_authorities=[{"type": "aki"}])),
            "/credentials/0/trusted_authorities/0/values",
        ),
        (
            query_of(credential_query(trusted_authorities=[{"values": ["x"]}])),
            "/credentials/0/trusted_authorities/0/type",
        ),
        (with_claims(), "/credentials/0/claims"),
        (with_claims("a"), "/credentials/0/claims/0"),
        (with_claims({}), "/credentials/0/claims/0/path"),
        (with_claims({"path": []}), "/credentials/0/claims/0/path"),
        (with_claims({"path": "a"}), "/credentials/0/claims/0/path"),
        (with_claims({"path": ["a", -1]}), "/credentials/0/claims/0/path/1"),
        (with_claims({"path": ["a", True]}), "/credentials/0/claims/0/path/1"),
        (with_claims({"path": ["a", 1.0]}), "/credentials/0/claims/0/path/1"),
        (with_claims({"path": ["a", ["b"]]}), "/credentials/0/claims/0/path/1"),
        (with_claims({"path": ["a"], "values": []}), "/credentials/0/claims/0/values"),
        (with_claims({"path": ["a"], "values": [None]}), "/credentials/0/claims/0/values/0"),
        (with_claims({"path": ["a"], "values": [1.5]}), "/credentials/0/claims/0/values/0"),
        (with_claims({"path": ["a"], "id": ""}), "/credentials/0/claims/0/id"),
        (with_claims({"path": ["a"], "id": "x"}, {"path": ["b"], "id": "x"}), "/credentials/0/claims"),
        (query_of(credential_query(claim_sets=[["a"]])), "/credentials/0/claim_sets"),
        (with_claims({"path": ["a"]}, claim_sets=[["a"]]), "/credentials/0/claim_sets"),
        (with_claims({"path": ["a"], "id": "a"}, {"path": ["b"]}, claim_sets=[["a"]]), "/credentials/0/claim_sets"),
        (with_claims({"path": ["a"], "id": "a"}, claim_sets=[["b"]]), "/credentials/0/claim_sets"),
        (with_claims({"path": ["a"], "id": "a"}, claim_sets=[]), "/credentials/0/claim_sets"),
        (with_claims({"path": ["a"], "id": "a"}, claim_sets=[[]]), "/credentials/0/claim_sets/0"),
        (with_claims({"path": ["a"], "id": "a"}, claim_sets=["a"]), "/credentials/0/claim_sets/0"),
        (query_of(credential_query(), credential_sets=[]), "/credential_sets"),
        (query_of(credential_query(), credential_sets=[{}]), "/credential_sets/0/options"),
        (query_of(credential_query(), credential_sets=[{"options": [[]]}]), "/credential_sets/0/options/0"),
        (query_of(credential_query(), credential_sets=[{"options": [["aml"]]}]), "/credential_sets"),
        (query_of(credential_query(), credential_sets=[{"options": [[1]]}]), "/credential_sets/0/options/0/0"),
        (
            query_of(credential_query(), credential_sets=[{"options": [["kyc"]], "required": "no"}]),
            "/credential_sets/0/required",
        ),
    ],
)
def test_departure_from_the_syntax_is_refused_with_its_place(raw: Any, path: str) -> None:
    with pytest.raises(DcqlSyntaxError) as caught:
        parse_dcql_query(raw)
    assert caught.value.code == "dcql_query_invalid"
    assert caught.value.errors[0]["path"] == path


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["credentials", "id", "format", "meta", "claims", "path", "claim_sets", "options"]), inner
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_refused_cleanly(raw: Any) -> None:
    with pytest.raises(DcqlSyntaxError):
        parse_dcql_query(raw)


# Claims paths

DEGREES = {
    "name": "A",
    "address": {"city": "Oslo"},
    "degrees": [{"type": "BSc", "year": 1}, {"type": "MSc"}],
    "mixed": [1, {"type": "x"}],
    "grid": [[1, 2], [3]],
    "nothing": None,
}


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        (("name",), ["A"]),
        (("address",), [{"city": "Oslo"}]),
        (("address", "city"), ["Oslo"]),
        (("degrees", None, "type"), ["BSc", "MSc"]),
        (("degrees", None, "year"), [1]),
        (("degrees", 1, "type"), ["MSc"]),
        (("grid", None, 1), [2]),
        (("grid", None, None), [1, 2, 3]),
        (("nothing",), [None]),
        (("absent",), []),
        (("degrees", 2), []),
        (("degrees", None, "absent"), []),
        (("name", "x"), []),
        (("name", 0), []),
        (("address", None), []),
        (("address", 0), []),
        (("degrees", "type"), []),
        (("mixed", None, "type"), []),
        ((0,), []),
        ((None,), []),
    ],
)
def test_claims_path_selects(path: tuple[Any, ...], selected: list[Any]) -> None:
    assert select_claims(DEGREES, path) == selected


# Wallet


def held(held_id: str, vct: str = KYC, **claims: Any) -> HeldCredential:
    bound = {"cnf": {"jwk": {}}, "given_name": "Ada", "age_over_18": True, "address": {"city": "Oslo"}, **claims}
    return HeldCredential(held_id, vct, bound, "dc+sd-jwt", ISSUER)


def match(raw: dict[str, Any], *credentials: HeldCredential, **options: Any) -> dict[str, list[tuple[str, set[str]]]]:
    found = match_query(parse_dcql_query(raw), credentials, **options)
    return {query_id: [(item.held_id, set(item.names)) for item in matches] for query_id, matches in found.items()}


def test_no_claims_means_no_disclosures() -> None:
    assert match(query_of(credential_query()), held("1")) == {"kyc": [("1", set())]}


def test_all_claims_are_selected_without_claim_sets() -> None:
    raw = with_claims({"path": ["given_name"]}, {"path": ["address", "city"]})

    assert match(raw, held("1")) == {"kyc": [("1", {"given_name", "address"})]}
    assert match_query(parse_dcql_query(raw), [held("1")])["kyc"][0].paths == (("given_name",), ("address", "city"))


def test_first_claim_set_that_can_be_met_is_selected() -> None:
    raw = with_claims(
        {"id": "adult", "path": ["age_over_21"]},
        {"id": "date", "path": ["birthdate"]},
        {"id": "name", "path": ["given_name"]},
        claim_sets=[["adult"], ["name", "date"]],
    )

    assert match(raw, held("1", age_over_21=True, birthdate="x")) == {"kyc": [("1", {"age_over_21"})]}
    assert match(raw, held("1", birthdate="x")) == {"kyc": [("1", {"given_name", "birthdate"})]}
    with pytest.raises(QueryUnsatisfiedError):
        match(raw, held("1"))


@pytest.mark.parametrize(
    ("claim", "values", "matches"),
    [
        ("US", ["DE", "US"], True),
        ("US", ["us"], False),
        (True, [True], True),
        (True, [1], False),
        (1, [True], False),
        (1, [1], True),
        (1.0, [1], False),
        ("1", [1], False),
        (["US"], ["US"], False),
        (None, ["US"], False),
    ],
)
def test_values_match_by_type_and_value(claim: Any, values: list[Any], matches: bool) -> None:
    raw = with_claims({"path": ["x"], "values": values})
    if matches:
        assert match(raw, held("1", x=claim)) == {"kyc": [("1", {"x"})]}
    else:
        with pytest.raises(QueryUnsatisfiedError):
            match(raw, held("1", x=claim))


def test_one_of_several_selected_elements_may_have_the_value() -> None:
    raw = with_claims({"path": ["nationalities", None], "values": ["NO"]})

    assert match(raw, held("1", nationalities=["US", "NO"]))
    with pytest.raises(QueryUnsatisfiedError):
        match(raw, held("1", nationalities=["US"]))


@pytest.mark.parametrize(
    "credential",
    [
        held("1", vct=OTHER),
        held("1", vct=KYC + "x"),
        HeldCredential("1", KYC, {"cnf": {}}, "vc+sd-jwt", ISSUER),
        HeldCredential("1", KYC, {}, "dc+sd-jwt", ISSUER),
    ],
)
def test_other_types_formats_and_unbound_credentials_do_not_match(credential: HeldCredential) -> None:
    with pytest.raises(QueryUnsatisfiedError):
        match(query_of(credential_query()), credential)


def test_unbound_credential_matches_where_binding_is_not_needed() -> None:
    raw = query_of(credential_query(require_cryptographic_holder_binding=False))

    assert match(raw, HeldCredential("1", KYC, {}, "dc+sd-jwt", ISSUER)) == {"kyc": [("1", set())]}


def test_other_formats_never_match() -> None:
    raw = query_of({"id": "mdoc", "format": "mso_mdoc", "meta": {}})
    with pytest.raises(QueryUnsatisfiedError):
        match(raw, HeldCredential("1", KYC, {"cnf": {}}, "mso_mdoc", ISSUER))


def test_all_candidates_are_offered_in_the_wallets_order() -> None:
    assert match(query_of(credential_query()), held("2"), held("1")) == {"kyc": [("2", set()), ("1", set())]}


def test_every_credential_is_needed_without_credential_sets() -> None:
    raw = query_of(credential_query(), credential_query("aml", vct=AML))

    assert match(raw, held("1"), held("2", AML)).keys() == {"kyc", "aml"}
    with pytest.raises(QueryUnsatisfiedError):
        match(raw, held("1"))


SETS = query_of(
    credential_query(),
    credential_query("aml", vct=AML),
    credential_query("other", vct=OTHER),
    credential_query("unasked", vct=KYC),
    credential_sets=[{"options": [["kyc", "aml"], ["other"]]}, {"options": [["aml"]], "required": False}],
)


def test_first_option_that_can_be_met_is_chosen_and_nothing_else() -> None:
    kyc, aml, other = held("1"), held("2", AML), held("3", OTHER)

    assert match(SETS, kyc, aml, other).keys() == {"kyc", "aml"}
    assert match(SETS, kyc, other).keys() == {"other"}
    assert match(SETS, aml, other).keys() == {"other"}
    assert match(SETS, aml, other, include_optional=True).keys() == {"other", "aml"}
    assert match(SETS, other, include_optional=True).keys() == {"other"}
    with pytest.raises(QueryUnsatisfiedError):
        match(SETS, kyc)


# Verifier


def shown(vct: str = KYC, *, holder_bound: bool = True, **claims: Any) -> VerifiedCredential:
    return VerifiedCredential(
        format="dc+sd-jwt",
        issuer=ISSUER,
        vct=vct,
        claims={"iss": ISSUER, "vct": vct, **claims},
        holder_jwk={},
        statuses=(),
        issued_at=None,
        not_before=None,
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        kid=None,
        disclosed=frozenset(claims),
        digest="sha256:00",
        holder_bound=holder_bound,
    )


def assert_unsatisfied(raw: dict[str, Any], presented: dict[str, list[VerifiedCredential]]) -> None:
    with pytest.raises(QueryUnsatisfiedError) as caught:
        check_response(parse_dcql_query(raw), presented)
    assert (caught.value.code, caught.value.check) == ("query_unsatisfied", "query")


def test_answer_that_meets_the_query_is_accepted() -> None:
    raw = with_claims({"path": ["age_over_18"], "values": [True]})

    check_response(parse_dcql_query(raw), {"kyc": [shown(age_over_18=True)]})
    check_response(parse_dcql_query(raw), {"kyc": [shown(age_over_18=True, more_than_asked="x")]})


@pytest.mark.parametrize(
    "presented",
    [
        {},
        {"kyc": []},
        {"kyc": [shown(age_over_18=True), shown(age_over_18=True)]},
        {"kyc": [shown(OTHER, age_over_18=True)]},
        {"kyc": [shown()]},
        {"kyc": [shown(age_over_18=False)]},
        {"kyc": [shown(age_over_18="true")]},
        {"kyc": [shown(age_over_18=True, holder_bound=False)]},
        {"KYC": [shown(age_over_18=True)]},
        {"kyc": [shown(age_over_18=True)], "more": [shown()]},
    ],
)
def test_answer_that_misses_the_query_is_refused(presented: dict[str, list[VerifiedCredential]]) -> None:
    assert_unsatisfied(with_claims({"path": ["age_over_18"], "values": [True]}), presented)


def test_several_credentials_answer_only_where_asked_and_all_must_fit() -> None:
    raw = query_of(credential_query(multiple=True))

    check_response(parse_dcql_query(raw), {"kyc": [shown(), shown()]})
    assert_unsatisfied(raw, {"kyc": []})
    assert_unsatisfied(raw, {"kyc": [shown(), shown(OTHER)]})


def test_unbound_credential_answers_only_where_binding_is_not_needed() -> None:
    raw = query_of(credential_query(require_cryptographic_holder_binding=False))

    check_response(parse_dcql_query(raw), {"kyc": [shown(holder_bound=False)]})


def test_any_claim_set_will_do_and_one_is_needed() -> None:
    raw = with_claims({"id": "a", "path": ["a"]}, {"id": "b", "path": ["b"]}, claim_sets=[["a"], ["b"]])

    check_response(parse_dcql_query(raw), {"kyc": [shown(b=1)]})
    assert_unsatisfied(raw, {"kyc": [shown(c=1)]})


def test_credential_sets_are_enforced() -> None:
    query = parse_dcql_query(SETS)

    check_response(query, {"kyc": [shown()], "aml": [shown(AML)]})
    check_response(query, {"other": [shown(OTHER)]})
    check_response(query, {"other": [shown(OTHER)], "aml": [shown(AML)]})
    assert_unsatisfied(SETS, {})
    assert_unsatisfied(SETS, {"kyc": [shown()]})
    assert_unsatisfied(SETS, {"aml": [shown(AML)]})
    assert_unsatisfied(SETS, {"other": [shown(OTHER)], "unasked": [shown()]})


def test_other_formats_are_never_taken_as_answered() -> None:
    assert_unsatisfied(query_of({"id": "mdoc", "format": "mso_mdoc", "meta": {}}), {"mdoc": [shown()]})


# Authorities


AUTHORITY = new_root(datetime(2026, 11, 23, tzinfo=UTC))
AKI = b64url_encode(b"0123456789")


def certified_by(key_identifier: bytes | None) -> list[str]:
    public = AUTHORITY.key.public_key()
    named = ((AuthorityKeyIdentifier(key_identifier, None, None), False),)
    return write_x5c([AUTHORITY.certify(public), AUTHORITY.certify(public, extensions=named)])


def test_a_credential_of_no_asked_authority_neither_matches_nor_answers() -> None:
    query = parse_dcql_query(query_of(credential_query(trusted_authorities=[{"type": "aki", "values": ["AA", AKI]}])))
    mine = certified_by(b"0123456789")
    assert match_query(query, [HeldCredential("a", KYC, {"cnf": {}}, "dc+sd-jwt", ISSUER, mine)])
    check_response(query, {"kyc": [shown()._replace(x5c=mine)]})
    for x5c in (None, [], "text", ["AAAA"], certified_by(b"other"), certified_by(None), mine[:1]):
        with pytest.raises(QueryUnsatisfiedError):
            match_query(query, [HeldCredential("a", KYC, {"cnf": {}}, "dc+sd-jwt", ISSUER, x5c)])
        with pytest.raises(QueryUnsatisfiedError):
            check_response(query, {"kyc": [shown()._replace(x5c=x5c)]})


def test_of_other_kinds_of_authority_nobody_here_can_tell() -> None:
    authority = {"type": "etsi_tl", "values": ["https://list.example"]}
    query = parse_dcql_query(query_of(credential_query(trusted_authorities=[authority])))
    mine = certified_by(b"0123456789")
    with pytest.raises(QueryUnsatisfiedError):
        match_query(query, [HeldCredential("a", KYC, {"cnf": {}}, "dc+sd-jwt", ISSUER, mine)])
    either = [authority, {"type": "aki", "values": [AKI]}]
    query = parse_dcql_query(query_of(credential_query(trusted_authorities=either)))
    assert match_query(query, [HeldCredential("a", KYC, {"cnf": {}}, "dc+sd-jwt", ISSUER, mine)])


# Formats of the W3C data model


def linked(*types: str) -> dict[str, Any]:
    return {"type": list(types), "credentialSubject": {"country": "US"}}


@pytest.mark.parametrize(
    ("wanted", "types", "fits"),
    [
        ([KYC], ["VerifiableCredential", "KycCredential"], True),
        (["https://www.w3.org/2018/credentials#VerifiableCredential"], ["VerifiableCredential", "KycCredential"], True),
        (["Passport", KYC], ["VerifiableCredential", "KycCredential"], False),
        (["Passport"], ["VerifiableCredential", "Passport"], True),
        ([KYC], ["VerifiableCredential", "AmlScreeningCredential"], False),
    ],
)
def test_linked_data_is_asked_for_by_the_iris_of_its_types(wanted: list[str], types: list[str], fits: bool) -> None:
    item = {"id": "kyc", "format": "ldp_vc", "meta": {"type_values": [wanted]}}
    (query,) = parse_dcql_query({"credentials": [item]}).credentials
    assert is_of_type(query, "", linked(*types)) is fits


def test_linked_data_is_no_answer_to_a_query_for_another_format() -> None:
    paths = [{"path": ["credentialSubject", "country"], "values": ["US"]}]
    for wanted, fits in (("ldp_vc", True), ("jwt_vc_json", False)):
        item = {"id": "kyc", "format": wanted, "meta": {"type_values": [["VerifiableCredential"]]}, "claims": paths}
        held = HeldCredential("1", "", linked("VerifiableCredential", "KycCredential"), "ldp_vc", ISSUER)
        if fits:
            assert match_query(parse_dcql_query({"credentials": [item]}), [held])["kyc"][0].held_id == "1"
        else:
            with pytest.raises(QueryUnsatisfiedError):
                match_query(parse_dcql_query({"credentials": [item]}), [held])
