"""SD-JWT VC: what we issue, and every departure that verification must refuse, each by its own code."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from service.credentials.disclosures import NEVER_DISCLOSABLE
from service.credentials.jose import parse_json, parse_jws
from service.credentials.sd_jwt import (
    MAX_DISCLOSURES,
    StatusReference,
    VerifiedCredential,
    disclose,
    issue_sd_jwt,
    parse_sd_jwt,
    read_credential,
    read_holder_jwk,
    read_issuer,
    verify_sd_jwt_vc,
)
from service.credentials.sd_jwt_errors import SdJwtMalformedError, StatusReferenceError
from service.errors import VerificationError
from tests.unit.sd_jwt_support import (
    HOLDER_KEYS,
    ISSUER,
    ISSUER_KEYS,
    NOW,
    NOW_SECONDS,
    VCT,
    base_claims,
    digest_of,
    issue,
    make_disclosure,
    new_key_pair,
    sign_payload,
)


def verify(compact: str, **options: Any) -> VerifiedCredential:
    return verify_sd_jwt_vc(compact, ISSUER_KEYS.key, now=NOW, **options)


def refusal(compact: str, **options: Any) -> tuple[str, str]:
    with pytest.raises(VerificationError) as caught:
        verify(compact, **options)
    return caught.value.code, caught.value.check


def payload_of(compact: str) -> dict[str, Any]:
    payload = parse_json(parse_jws(parse_sd_jwt(compact).issuer_jwt).payload)
    assert isinstance(payload, dict)
    return payload


# Issuing


def test_issued_credential_verifies_with_all_its_parts() -> None:
    credential = verify(issue())

    assert (credential.issuer, credential.vct, credential.kid) == (ISSUER, VCT, "key-1")
    assert credential.claims == base_claims(given_name="Ada", birthdate="1990-01-31")
    assert credential.disclosed == {"given_name", "birthdate"}
    assert credential.holder_jwk == HOLDER_KEYS.jwk
    assert credential.statuses == (StatusReference("https://issuer.example/status-lists/1", 7),)
    assert credential.issued_at == NOW - timedelta(seconds=1_000)
    assert credential.expires_at == NOW + timedelta(seconds=1_000)
    assert credential.not_before is None
    assert not credential.holder_bound
    assert credential.digest.startswith("sha256:")
    assert len(credential.digest) == len("sha256:") + 64


def test_issued_payload_hides_names_and_values_and_their_order() -> None:
    for _ in range(5):
        compact = issue({f"claim{number}": number for number in range(20)})
        payload = payload_of(compact)

        assert payload["_sd"] == sorted(map(digest_of, parse_sd_jwt(compact).disclosures))
        assert payload["_sd_alg"] == "sha-256"
        assert not any(name.startswith("claim") for name in payload)
    assert parse_jws(parse_sd_jwt(compact).issuer_jwt).header == {"alg": "ES256", "kid": "key-1", "typ": "dc+sd-jwt"}


def test_credential_without_disclosable_claims_has_no_sd_members() -> None:
    assert payload_of(issue({})).keys() == base_claims().keys()


@pytest.mark.parametrize("name", sorted(NEVER_DISCLOSABLE | {"_sd", "...", "_sd_alg"}))
def test_issuing_refuses_to_hide_what_must_stay_in_plain(name: str) -> None:
    with pytest.raises(ValueError, match="not selectively disclosable"):
        issue({name: "x"})


@pytest.mark.parametrize("value", [{"_sd": []}, {"a": [{"...": "x"}]}, [[{"_sd_alg": "sha-256"}]]])
def test_issuing_refuses_reserved_names_in_claims(value: Any) -> None:
    with pytest.raises(ValueError, match="reserved"):
        issue({"claim": value})


def test_issuing_refuses_a_salt_source_that_repeats() -> None:
    with pytest.raises(ValueError, match="salt"):
        issue_sd_jwt(
            base_claims(a=1, b=2),
            disclosable={"a", "b"},
            header={"alg": "ES256"},
            sign=ISSUER_KEYS.sign,
            new_salt=lambda: "salt",
        )


# Reading without verification


def test_issuer_and_holder_key_are_read_for_look_up() -> None:
    assert read_issuer(issue()) == (ISSUER, "key-1", VCT, None)
    assert read_holder_jwk(issue()) == HOLDER_KEYS.jwk
    assert read_holder_jwk(issue(cnf=None)) is None


def test_where_the_status_will_be_is_read_for_look_up() -> None:
    assert read_credential(issue()).read_statuses() == verify(issue()).statuses != ()
    assert read_credential(issue(status=None)).read_statuses() == ()
    with pytest.raises(StatusReferenceError):
        read_credential(issue(status={"other": {}})).read_statuses()


@given(st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_disclosing_shows_exactly_the_named_claims(names: set[str]) -> None:
    hidden = {"a": 1, "b": {"x": [1, None]}, "c": "ü", "d": False}

    credential = verify(disclose(issue(hidden) + "kb.jwt.part", {*names, "absent", "iss"}))

    assert credential.claims == base_claims(**{name: hidden[name] for name in names})
    assert credential.disclosed == names


def nested_credential() -> str:
    """``address`` is hidden member by member; ``list`` as a whole and element by element."""
    street, city = make_disclosure("s1", "street", "1 Main St"), make_disclosure("s2", "city", "Oslo")
    first, second = make_disclosure("s3", "one"), make_disclosure("s4", {"deep": "two"})
    whole = make_disclosure("s5", "list", [{"...": digest_of(first)}, "plain", {"...": digest_of(second)}])
    payload = base_claims(address={"_sd": [digest_of(street), digest_of(city)], "country": "NO"})
    payload["_sd"] = [digest_of(whole), digest_of("a decoy")]
    return sign_payload(payload, [street, city, first, second, whole])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], {"address": {"country": "NO"}}),
        (["address"], {"address": {"country": "NO", "street": "1 Main St", "city": "Oslo"}}),
        ([("address", "city")], {"address": {"country": "NO", "city": "Oslo"}}),
        ([("address", None)], {"address": {"country": "NO"}}),
        ([("list", 2, "deep")], {"address": {"country": "NO"}, "list": ["plain", {"deep": "two"}]}),
        ([("list", None)], {"address": {"country": "NO"}, "list": ["one", "plain", {"deep": "two"}]}),
    ],
)
def test_nested_and_recursive_disclosures_show_only_what_was_selected(paths: list[Any], expected: Any) -> None:
    assert verify(disclose(nested_credential(), paths)).claims == base_claims(**expected)


def test_undisclosed_array_element_leaves_no_gap() -> None:
    element = make_disclosure("s", "hidden")
    payload = base_claims(items=[{"...": digest_of(element)}, "shown", {"...": digest_of("a decoy")}])

    assert verify(sign_payload(payload)).claims["items"] == ["shown"]
    assert verify(sign_payload(payload, [element])).claims["items"] == ["hidden", "shown"]


# Refusals: form


@pytest.mark.parametrize(
    "mangle",
    [
        lambda compact: "",
        lambda compact: "~",
        lambda compact: compact.rstrip("~").split("~")[0],
        lambda compact: compact.replace("~", "~~", 1),
        lambda compact: "~" + compact,
        lambda compact: compact[1:],
        lambda compact: " " + compact,
        lambda compact: compact.replace(".", "", 1),
        lambda compact: compact + "x~" * 600,
        lambda compact: compact + "x" * 300_000,
        lambda compact: sign_payload(b"[]"),
        lambda compact: sign_payload(b'{"iss":1,"iss":2}'),
        lambda compact: sign_payload(b'{"iss":NaN}'),
    ],
)
def test_malformed_credential_is_refused(mangle: Callable[[str], str]) -> None:
    assert refusal(mangle(issue())) == ("sd_jwt_malformed", "format")


@pytest.mark.parametrize("typ", ["JWT", "kb+jwt", "statuslist+jwt", "openid4vci-proof+jwt", ""])
def test_other_token_types_are_refused(typ: str) -> None:
    assert refusal(sign_payload(base_claims(), header={"alg": "ES256", "typ": typ})) == (
        "sd_jwt_type_invalid",
        "format",
    )


def test_older_type_is_accepted_inbound() -> None:
    assert verify(sign_payload(base_claims(), header={"alg": "ES256", "typ": "vc+sd-jwt"})).kid is None


def test_signature_of_another_key_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        verify_sd_jwt_vc(issue(), new_key_pair().key, now=NOW)
    assert (caught.value.code, caught.value.check) == ("invalid_signature", "signature")


@pytest.mark.parametrize("name", ["iss", "vct"])
@pytest.mark.parametrize("value", [None, "", 1, ["x"]])
def test_issuer_and_type_are_needed(name: str, value: Any) -> None:
    assert refusal(sign_payload(base_claims(**{name: value}))) == ("credential_claims_invalid", "format")
    with pytest.raises(VerificationError, match=name):
        read_issuer(sign_payload(base_claims(**{name: value})))


# Refusals: disclosures


def in_object(*parts: Any, **payload: Any) -> str:
    disclosure = make_disclosure(*parts)
    return sign_payload(base_claims(**payload, _sd=[digest_of(disclosure)]), [disclosure])


@pytest.mark.parametrize("parts", [("s", "v"), ("s",), ("s", "n", "v", "x"), (), (1, "n", "v"), ("s", 1, "v")])
def test_wrong_disclosure_in_an_object_is_refused(parts: tuple[Any, ...]) -> None:
    assert refusal(in_object(*parts)) == ("disclosure_malformed", "disclosures")


@pytest.mark.parametrize("parts", [("s", "n", "v"), ("s",), ("s", "n", "v", "x"), (), (1, "v")])
def test_wrong_disclosure_in_an_array_is_refused(parts: tuple[Any, ...]) -> None:
    disclosure = make_disclosure(*parts)
    compact = sign_payload(base_claims(items=[{"...": digest_of(disclosure)}]), [disclosure])

    assert refusal(compact) == ("disclosure_malformed", "disclosures")


@pytest.mark.parametrize("disclosure", ["x", "e30", "bm8", "WyJzIiwibiIsMV0=", "WyJzIiwibiIsTmFOXQ", "ü", "\ud800"])
def test_unreadable_disclosure_is_refused(disclosure: str) -> None:
    assert refusal(sign_payload(base_claims(), [disclosure])) == ("disclosure_malformed", "disclosures")


@pytest.mark.parametrize("name", sorted(NEVER_DISCLOSABLE | {"_sd", "...", "_sd_alg"}))
def test_claim_that_must_stay_in_plain_is_refused_in_a_disclosure(name: str) -> None:
    disclosure = make_disclosure("s", name, "x")
    compact = sign_payload({**base_claims(**{name: None}), "_sd": [digest_of(disclosure)]}, [disclosure])

    assert refusal(compact) == ("disclosure_forbidden", "disclosures")


def test_issuance_time_may_be_disclosed() -> None:
    assert verify(in_object("s", "iat", NOW_SECONDS - 5, iat=None)).issued_at == NOW - timedelta(seconds=5)


MEMBER, ELEMENT = make_disclosure("s", "extra", "x"), make_disclosure("s", "urn:b")
STATUS_LIST = {"idx": 7, "uri": "https://issuer.example/status-lists/1"}


@pytest.mark.parametrize(
    ("partly_hidden", "disclosure"),
    [
        ({"cnf": {"jwk": HOLDER_KEYS.jwk, "_sd": [digest_of(MEMBER)]}}, MEMBER),
        ({"status": {"status_list": {**STATUS_LIST, "_sd": [digest_of(MEMBER)]}}}, MEMBER),
        ({"aka_vcts": ["urn:a", {"...": digest_of(ELEMENT)}]}, ELEMENT),
    ],
)
def test_parts_of_claims_that_must_stay_in_plain_are_refused_too(partly_hidden: Any, disclosure: str) -> None:
    compact = sign_payload(base_claims(**partly_hidden))

    assert verify(compact)
    assert refusal(f"{compact}{disclosure}~") == ("disclosure_forbidden", "disclosures")


def test_names_below_the_top_level_are_free() -> None:
    inner = make_disclosure("s", "iss", "x")

    assert verify(sign_payload(base_claims(address={"_sd": [digest_of(inner)]}), [inner])).claims["address"] == {
        "iss": "x"
    }


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
def test_reserved_names_are_refused_at_every_level(name: str) -> None:
    inner = make_disclosure("s", name, [])
    compact = sign_payload(base_claims(address={"_sd": [digest_of(inner)]}), [inner])

    assert refusal(compact) == ("disclosure_forbidden", "disclosures")


def test_disclosure_cannot_replace_a_claim() -> None:
    one, two = make_disclosure("s1", "name", "x"), make_disclosure("s2", "name", "y")
    both = base_claims(_sd=[digest_of(one), digest_of(two)])

    assert refusal(in_object("s", "name", "x", name="y")) == ("disclosure_conflict", "disclosures")
    assert refusal(sign_payload(both, [one, two])) == ("disclosure_conflict", "disclosures")
    assert verify(sign_payload(both, [two])).claims["name"] == "y"


def test_unreferenced_and_repeated_disclosures_are_refused() -> None:
    compact = issue()
    foreign, own = make_disclosure("s", "admin", True), parse_sd_jwt(compact).disclosures[0]

    assert refusal(f"{compact}{foreign}~") == ("disclosure_unreferenced", "disclosures")
    assert refusal(f"{compact}{own}~") == ("disclosure_duplicate", "disclosures")


def test_inner_disclosure_needs_its_outer_one() -> None:
    jwt, *disclosures = nested_credential().rstrip("~").split("~")

    assert refusal("~".join([jwt, *disclosures[:-1], ""])) == ("disclosure_unreferenced", "disclosures")


DIGEST = digest_of("a decoy")
SEEN_IN_DISCLOSURE = make_disclosure("s", "list", [{"...": DIGEST}])


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        ({"_sd": [DIGEST, DIGEST]}, []),
        ({"_sd": [DIGEST], "items": [{"...": DIGEST}]}, []),
        ({"items": [{"...": DIGEST}, {"...": DIGEST}]}, []),
        ({"_sd": [DIGEST], "a": {"b": {"_sd": [DIGEST]}}}, []),
        ({"_sd": [digest_of(SEEN_IN_DISCLOSURE), DIGEST]}, [SEEN_IN_DISCLOSURE]),
    ],
)
def test_digest_that_stands_twice_is_refused(payload: dict[str, Any], disclosures: list[str]) -> None:
    assert refusal(sign_payload(base_claims(**payload), disclosures)) == ("digest_duplicate", "disclosures")


@pytest.mark.parametrize(
    "payload",
    [
        {"_sd": {}},
        {"_sd": "x"},
        {"_sd": [1]},
        {"_sd": [None]},
        {"a": {"_sd": DIGEST}},
        {"...": DIGEST},
        {"a": {"...": DIGEST}},
        {"a": [{"...": DIGEST, "b": 1}]},
        {"a": [{"...": 1}]},
        {"a": [{"...": [DIGEST]}]},
    ],
)
def test_misplaced_digest_is_refused(payload: dict[str, Any]) -> None:
    assert refusal(sign_payload(base_claims(**payload))) == ("digest_malformed", "disclosures")


@pytest.mark.parametrize(
    "payload",
    [{"_sd_alg": "sha-512"}, {"_sd_alg": "SHA-256"}, {"_sd_alg": ["sha-256"]}, {"a": {"_sd_alg": "sha-256"}}],
)
def test_other_hash_algorithms_and_nested_ones_are_refused(payload: dict[str, Any]) -> None:
    assert refusal(sign_payload(base_claims(**payload))) == ("sd_alg_unsupported", "disclosures")


def test_disclosures_within_disclosures_are_bounded() -> None:
    value: Any = "bottom"
    disclosures = []
    for number in range(500):
        disclosures.append(make_disclosure(str(number), value))
        value = [{"...": digest_of(disclosures[-1])}]

    assert refusal(sign_payload(base_claims(a=value), disclosures)) == ("disclosure_malformed", "disclosures")


# Refusals: time, audience, holder key, status


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": NOW_SECONDS - 60}, "credential_expired"),
        ({"exp": NOW_SECONDS - 59}, None),
        ({"exp": None}, "credential_expiry_missing"),
        ({"nbf": NOW_SECONDS + 61}, "credential_not_yet_valid"),
        ({"nbf": NOW_SECONDS + 60}, None),
        ({"iat": NOW_SECONDS + 61}, "credential_not_yet_valid"),
    ],
)
def test_credential_is_good_only_within_its_times(changes: dict[str, Any], code: str | None) -> None:
    compact = issue(**changes)
    if code is None:
        assert verify(compact)
    else:
        assert refusal(compact) == (code, "validity")


def test_policy_may_do_without_expiry() -> None:
    assert verify(issue(exp=None), require_exp=False).expires_at is None


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["1", True, 1.5, -1, 2**63, [1]])
def test_times_are_whole_seconds(name: str, value: Any) -> None:
    assert refusal(issue(**{name: value})) == ("credential_claims_invalid", "format")


def test_credential_for_one_audience_is_refused_by_others() -> None:
    compact = issue(aud=["https://a.example", "https://b.example"])

    assert verify(compact, expected_audience="https://b.example")
    assert refusal(compact, expected_audience="https://c.example") == ("audience_mismatch", "audience")
    assert refusal(compact) == ("audience_mismatch", "audience")
    assert refusal(sign_payload({**base_claims(), "aud": None})) == ("audience_mismatch", "audience")


@pytest.mark.parametrize("cnf", ["x", {}, {"kid": "did:example:1"}, {"jwk": "x"}, {"jku": "https://a.example"}])
def test_holder_key_is_a_jwk(cnf: Any) -> None:
    assert refusal(issue(cnf=cnf)) == ("holder_key_invalid", "holder_binding")


@pytest.mark.parametrize(
    "status",
    [
        "x",
        {},
        {"other_mechanism": {}},
        {"status_list": []},
        {"status_list": {"idx": 1}},
        {"status_list": {"uri": "https://i.example"}},
        {"status_list": {"idx": "1", "uri": "https://i.example"}},
        {"status_list": {"idx": -1, "uri": "https://i.example"}},
        {"status_list": {"idx": 1.0, "uri": "https://i.example"}},
        {"status_list": {"idx": True, "uri": "https://i.example"}},
        {"status_list": {"idx": 1, "uri": ""}},
        {"status_list": {"idx": 1, "uri": "https://i.example/" + "x" * 2_048}},
    ],
)
def test_status_that_we_cannot_follow_is_refused(status: Any) -> None:
    assert refusal(issue(status=status)) == ("status_reference_invalid", "status")


# No input brings it down

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=4) | st.sampled_from(["_sd", "...", "_sd_alg", "iss", "vct", "cnf", "status", "exp"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.text() | st.text(alphabet="ab.~-_"))
def test_any_text_is_refused_cleanly(text: str) -> None:
    for call in (verify, read_issuer, read_holder_jwk, lambda compact: disclose(compact, ["a"])):
        with pytest.raises(VerificationError):
            call(text)


def encodable(value: Any) -> bool:
    try:
        sign_payload({"value": value})
    except UnicodeEncodeError:
        return False
    return True


@given(st.dictionaries(st.text(max_size=4), JSON.filter(encodable), max_size=5), st.lists(JSON, max_size=3))
def test_any_signed_payload_is_verified_or_refused_cleanly(payload: dict[str, Any], parts: list[Any]) -> None:
    disclosures = [make_disclosure("salt", *parts)] if encodable(parts) else []
    hidden = {"_sd": [digest_of(item) for item in disclosures], **payload}
    compact = sign_payload(base_claims(**{name: hidden[name] for name in hidden if encodable(name)}), disclosures)
    with contextlib.suppress(VerificationError):
        assert verify(compact).claims.keys().isdisjoint({"_sd", "_sd_alg", "..."})


# An independent implementation


def test_independent_verifier_accepts_what_we_issue() -> None:
    compact = disclose(issue({"a": "ä", "b": {"c": [1, 2]}, "d": 3}), {"a", "b"})

    verifier = SDJWTVerifier(compact, lambda _issuer, _header: JWK(**ISSUER_KEYS.jwk))

    assert verifier.get_verified_payload() == base_claims(a="ä", b={"c": [1, 2]})


def test_we_accept_what_an_independent_issuer_issues() -> None:
    claims = base_claims(cnf=None)
    nested = {SDObj("address"): {SDObj("city"): "Oslo", "country": "NO"}, "items": [SDObj("one"), "two"]}
    issuer = SDJWTIssuer(
        {**claims, **nested},
        JWK(**ISSUER_KEYS.private_jwk),
        JWK(**HOLDER_KEYS.jwk),
        add_decoy_claims=True,
        extra_header_parameters={"typ": "dc+sd-jwt"},
    )

    credential = verify(issuer.sd_jwt_issuance)

    assert credential.claims == base_claims(address={"city": "Oslo", "country": "NO"}, items=["one", "two"])
    assert credential.disclosed == {"address", "items"}


def test_the_number_of_disclosures_is_bounded() -> None:
    assert len(parse_sd_jwt("a" + "~b" * (MAX_DISCLOSURES - 1) + "~c").disclosures) == MAX_DISCLOSURES - 1
    with pytest.raises(SdJwtMalformedError, match="too long"):
        parse_sd_jwt("a" + "~b" * MAX_DISCLOSURES + "~c")
    with pytest.raises(SdJwtMalformedError, match="too long"):
        parse_sd_jwt("~" * 200_000)
