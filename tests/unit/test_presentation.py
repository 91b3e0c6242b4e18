"""Presentations: only the holder, for this verifier, for this request, of exactly these disclosures, now."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from sd_jwt.holder import SDJWTHolder
from sd_jwt.verifier import SDJWTVerifier

from service.credentials.credential import VerifiedCredential
from service.credentials.jose import sign_jws
from service.credentials.presentation import hash_transaction_data, present_sd_jwt, verify_presentation
from service.credentials.sd_jwt import UnverifiedCredential, disclose, parse_sd_jwt, read_credential
from service.errors import VerificationError
from tests.unit.sd_jwt_support import (
    HOLDER_KEYS,
    ISSUER_KEYS,
    NOW,
    NOW_SECONDS,
    KeyPair,
    base_claims,
    digest_of,
    issue,
    make_disclosure,
    new_key_pair,
)

AUDIENCE = "x509_san_dns:venue.example"
NONCE = "n-0S6_WzA2Mj"


def present(compact: str | None = None, *, names: Sequence[str] = ("given_name",), **options: Any) -> str:
    return present_sd_jwt(
        compact or issue(),
        names=names,
        **{"audience": AUDIENCE, "nonce": NONCE, "issued_at": NOW, "sign": HOLDER_KEYS.sign, **options},
    )


def verify(presentation: str | UnverifiedCredential, **options: Any) -> VerifiedCredential:
    expected = {"expected_audience": AUDIENCE, "expected_nonce": NONCE, "now": NOW, **options}
    return verify_presentation(presentation, ISSUER_KEYS.key, **expected)


def refusal(presentation: str | UnverifiedCredential, **options: Any) -> tuple[str, str]:
    with pytest.raises(VerificationError) as caught:
        verify(presentation, **options)
    return caught.value.code, caught.value.check


def test_what_was_read_before_verifies_alike() -> None:
    presentation = present()
    assert verify(read_credential(presentation)) == verify(presentation)
    for wrong in (present(nonce="other"), issue(), bind(issue(exp=NOW_SECONDS - 999)), bind(issue(), aud="other")):
        assert refusal(read_credential(wrong)) == refusal(wrong)


def bind(sd_jwt: str, *, keys: KeyPair = HOLDER_KEYS, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Append a key binding JWT; a change to ``None`` takes a claim away."""
    claims = {"iat": NOW_SECONDS, "aud": AUDIENCE, "nonce": NONCE, "sd_hash": digest_of(sd_jwt), **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return sd_jwt + sign_jws(header or {"alg": "ES256", "typ": "kb+jwt"}, kept, keys.sign)


def test_presentation_shows_what_was_named_and_proves_the_holder() -> None:
    credential = verify(present())

    assert credential.holder_bound
    assert credential.claims == base_claims(given_name="Ada")
    assert credential.disclosed == {"given_name"}


def test_key_binding_is_needed() -> None:
    assert refusal(issue()) == ("holder_binding_missing", "holder_binding")
    assert refusal(bind(issue(cnf=None))) == ("holder_binding_missing", "holder_binding")


def test_unbound_credential_cannot_be_presented() -> None:
    with pytest.raises(VerificationError, match="holder key"):
        present(issue(cnf=None))


def test_credential_itself_is_verified() -> None:
    assert refusal(bind(issue(exp=NOW_SECONDS - 60))) == ("credential_expired", "validity")
    assert refusal(bind(f"{issue()}{make_disclosure('s', 'admin', True)}~"))[0] == "disclosure_unreferenced"
    assert verify(bind(issue(aud=AUDIENCE)))
    assert refusal(bind(issue(aud="someone else"))) == ("audience_mismatch", "audience")


@pytest.mark.parametrize(
    "presentation",
    [
        bind(issue(), keys=new_key_pair()),
        bind(issue(), keys=ISSUER_KEYS),
        bind(issue(), header={"alg": "ES256", "typ": "dc+sd-jwt"}),
        bind(issue(), header={"alg": "ES256", "typ": "openid4vci-proof+jwt"}),
        bind(issue(), header={"alg": "ES256"}),
        bind(issue(), header={"alg": "ES384", "typ": "kb+jwt"}),
        bind(issue(), header={"alg": "none", "typ": "kb+jwt"}),
        bind(issue(), header={"alg": "ES256", "typ": "kb+jwt", "crit": ["exp"]}),
        bind(issue(), keys=(other := new_key_pair()), header={"alg": "ES256", "typ": "kb+jwt", "jwk": other.jwk}),
        issue() + "garbage",
        issue() + "e30.e30.",
    ],
)
def test_key_binding_by_anyone_or_anything_else_is_refused(presentation: str) -> None:
    assert refusal(presentation) == ("holder_binding_invalid", "holder_binding")


@pytest.mark.parametrize(
    "jwk",
    [
        HOLDER_KEYS.private_jwk,
        {**HOLDER_KEYS.jwk, "use": "enc"},
        {**HOLDER_KEYS.jwk, "x": HOLDER_KEYS.jwk["y"]},
        {"kty": "oct", "k": "c2VjcmV0"},
        {},
    ],
)
def test_unusable_holder_key_is_refused(jwk: dict[str, Any]) -> None:
    assert refusal(bind(issue(cnf={"jwk": jwk}))) == ("holder_key_invalid", "holder_binding")


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": NOW_SECONDS - 301},
        {"iat": NOW_SECONDS + 61},
        {"iat": NOW_SECONDS - 365 * 86_400},
        {"iat": None},
        {"iat": str(NOW_SECONDS)},
        {"iat": True},
        {"exp": NOW_SECONDS - 60},
        {"exp": "soon"},
        {"nbf": NOW_SECONDS + 61},
    ],
)
def test_key_binding_must_be_recent(changes: dict[str, Any]) -> None:
    assert refusal(bind(issue(), **changes)) == ("holder_binding_stale", "holder_binding")


@pytest.mark.parametrize("seconds", [-300, 0, 60])
def test_key_binding_within_the_window_is_accepted(seconds: int) -> None:
    assert verify(bind(issue(), iat=NOW_SECONDS + seconds, exp=NOW_SECONDS + 1, nbf=NOW_SECONDS))


def test_window_is_the_callers() -> None:
    assert (
        refusal(present(), now=NOW + timedelta(seconds=11), max_age=timedelta(seconds=10))[0] == "holder_binding_stale"
    )


@pytest.mark.parametrize("audience", ["venue.example", AUDIENCE.upper(), AUDIENCE + "/", "", [AUDIENCE], None, 1])
def test_audience_is_compared_in_full(audience: Any) -> None:
    assert refusal(bind(issue(), aud=audience)) == ("audience_mismatch", "audience")


@pytest.mark.parametrize("nonce", ["", NONCE[:-1], NONCE + "x", NONCE.lower(), [NONCE], None, 1, "ü"])
def test_nonce_is_compared_exactly(nonce: Any) -> None:
    assert refusal(bind(issue(), nonce=nonce)) == ("nonce_mismatch", "nonce")


def test_disclosures_cannot_be_added_removed_or_reordered_after_signing() -> None:
    whole = present(names=["given_name", "birthdate"])
    jwt, first, second, kb_jwt = whole.split("~")
    fewer = present()

    assert verify(whole)
    for changed in ([jwt, first, kb_jwt], [jwt, second, kb_jwt], [jwt, kb_jwt], [jwt, second, first, kb_jwt]):
        assert refusal("~".join(changed)) == ("sd_hash_mismatch", "holder_binding")
    assert refusal("~".join([jwt, first, second, parse_sd_jwt(fewer).kb_jwt or ""])) == (
        "sd_hash_mismatch",
        "holder_binding",
    )


@pytest.mark.parametrize("sd_hash", [None, "", 1, digest_of("x")])
def test_hash_of_the_presentation_is_needed(sd_hash: Any) -> None:
    assert refusal(bind(issue(), sd_hash=sd_hash)) == ("sd_hash_mismatch", "holder_binding")


ORDER, TERMS = "eyJ0eXBlIjoib3JkZXIifQ", "eyJ0eXBlIjoidGVybXMifQ"
ORDER_HASH, TERMS_HASH = hash_transaction_data(ORDER), hash_transaction_data(TERMS)


def test_agreed_transaction_data_is_accepted_in_any_order() -> None:
    presentation = present(transaction_data_hashes=[TERMS_HASH, ORDER_HASH], transaction_data_hashes_alg="sha-256")

    assert digest_of(ORDER) == ORDER_HASH
    assert verify(presentation, expected_transaction_data=[ORDER, TERMS])


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"transaction_data_hashes": [TERMS_HASH]}, [ORDER]),
        ({"transaction_data_hashes": [ORDER_HASH]}, [ORDER, TERMS]),
        ({"transaction_data_hashes": [ORDER_HASH, ORDER_HASH]}, [ORDER]),
        ({"transaction_data_hashes": [ORDER_HASH, TERMS_HASH]}, [ORDER]),
        ({"transaction_data_hashes": []}, [ORDER]),
        ({}, [ORDER]),
        ({"transaction_data_hashes": ORDER_HASH}, [ORDER]),
        ({"transaction_data_hashes": 1}, [ORDER]),
        ({"transaction_data_hashes": [1, ORDER_HASH]}, [ORDER]),
        ({"transaction_data_hashes": [[ORDER_HASH]]}, [ORDER]),
        ({"transaction_data_hashes": [ORDER_HASH], "transaction_data_hashes_alg": "sha-512"}, [ORDER]),
        ({"transaction_data_hashes": [ORDER_HASH], "transaction_data_hashes_alg": ["sha-256"]}, [ORDER]),
        ({"transaction_data_hashes": [ORDER_HASH]}, None),
        ({"transaction_data_hashes": [ORDER_HASH]}, []),
        ({"transaction_data_hashes": []}, None),
        ({"transaction_data_hashes_alg": "sha-256"}, None),
    ],
)
def test_any_other_transaction_data_is_refused(claims: dict[str, Any], expected: list[str] | None) -> None:
    refused = refusal(bind(issue(), **claims), expected_transaction_data=expected)

    assert refused == ("transaction_data_mismatch", "transaction_data")


@given(st.text() | st.text(alphabet="ab.~-_"))
def test_any_text_is_refused_cleanly(text: str) -> None:
    for presentation in (text, issue() + text):
        with pytest.raises(VerificationError):
            verify(presentation)


@given(
    st.dictionaries(
        st.sampled_from(["iat", "aud", "nonce", "sd_hash", "exp", "nbf", "transaction_data_hashes"]),
        st.booleans() | st.integers() | st.text(alphabet="aé") | st.lists(st.integers() | st.text(alphabet="a")),
        min_size=1,
    )
)
def test_any_signed_key_binding_is_verified_or_refused_cleanly(changes: dict[str, Any]) -> None:
    try:
        credential = verify(bind(issue(), **changes))
    except VerificationError:
        return
    assert credential.holder_bound
    assert changes.keys() <= {"iat", "exp", "nbf"}


def test_independent_verifier_accepts_what_we_present() -> None:
    verifier = SDJWTVerifier(present(), lambda _issuer, _header: JWK(**ISSUER_KEYS.jwk), AUDIENCE, NONCE)

    assert verifier.get_verified_payload() == base_claims(given_name="Ada")


def test_we_accept_what_an_independent_holder_presents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sd_jwt.holder.time", lambda: NOW.timestamp(), raising=False)
    holder = SDJWTHolder(issue())
    holder.create_presentation({"birthdate": True}, NONCE, AUDIENCE, JWK(**HOLDER_KEYS.private_jwk))

    assert verify(holder.sd_jwt_presentation).claims == base_claims(birthdate="1990-01-31")


def test_disclosing_again_drops_the_key_binding() -> None:
    assert refusal(disclose(present(), ["given_name"])) == ("holder_binding_missing", "holder_binding")
