"""DIDs: documents that we write read back, and identifiers or documents that must be refused."""

import copy
import time
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.did import (
    RELATIONSHIPS,
    DidKey,
    MalformedDidError,
    UnknownKeyError,
    build_did_document,
    did_jwk_from_jwk,
    did_key_from_jwk,
    did_web_from_url,
    did_web_url,
    resolve_did_jwk,
    resolve_did_key,
    select_verification_key,
)
from service.credentials.jose import MalformedJoseError, b64url_encode, write_json
from service.credentials.multikey import decode_base58, decode_multikey, encode_base58, encode_multikey
from service.errors import ServiceError
from tests.unit.jose_support import SIGNERS

ES256, ES384, EDDSA = SIGNERS["ES256"], SIGNERS["ES384"], SIGNERS["EdDSA"]
DID = "did:web:issuer.example:issuers:kyc"
DOCUMENT = build_did_document(
    DID,
    [
        DidKey("sign-1", ES256.jwk, ["assertionMethod"]),
        DidKey("login-1", EDDSA.jwk, ["authentication"]),
    ],
)


@pytest.mark.parametrize("alg", SIGNERS)
def test_did_key_and_did_jwk_give_the_key_back(alg: str) -> None:
    signer = SIGNERS[alg]
    did_key, did_jwk = did_key_from_jwk(signer.jwk), did_jwk_from_jwk({**signer.jwk, "kid": "k", "use": "sig"})
    for relationship in RELATIONSHIPS:
        by_key = select_verification_key(
            resolve_did_key(did_key), f"{did_key}#{did_key.removeprefix('did:key:')}", relationship=relationship
        )
        by_jwk = select_verification_key(resolve_did_jwk(did_jwk), f"{did_jwk}#0", relationship=relationship)
        assert by_key.jwk == by_jwk.jwk == signer.jwk
        assert by_key.alg == by_jwk.alg == alg
    assert did_jwk_from_jwk(dict(reversed(signer.jwk.items()))) == did_jwk_from_jwk(signer.jwk)


def multibase(prefix: str, key: bytes) -> str:
    return "z" + encode_base58(bytes.fromhex(prefix) + key)


GENERATOR_X = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")

GENERATOR_Y = bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")


@pytest.mark.parametrize(
    "key",
    [
        multibase("ed01", b"\x11" * 31),
        multibase("ed01", b"\x11" * 33),
        multibase("ed01", b"\x01" + bytes(31)),
        multibase("8024", b"\x02" + GENERATOR_X + b"\0"),
        multibase("8024", b"\x02" + GENERATOR_X[1:]),
        multibase("8024", b"\x04" + GENERATOR_X),
        multibase("8024", b"\x04" + GENERATOR_X + GENERATOR_Y),
        "m" + multibase("8024", b"\x02" + GENERATOR_X)[1:],
        multibase("8024", b"\x00" + GENERATOR_X),
        multibase("8024", b"\x02" + b"\xff" * 32),
        multibase("8024", b"\x02" + bytes(31) + b"\x01"),
        multibase("8124", b"\x02" + GENERATOR_X),
        multibase("ed01", b"\x02" + GENERATOR_X),
        multibase("8024", b"\x11" * 32),
        multibase("ec01", b"\x11" * 32),
        multibase("8524", b"\x11" * 32),
        "z",
        multibase("ed01", (2).to_bytes(32, "little")),  # no point has this y
        "z1",
        "",
        "m7QER",
        "u7QER",
        multibase("8024", b"\x02" + GENERATOR_X)[1:],
        multibase("8024", b"\x02" + GENERATOR_X) + " ",
        "z1" + multibase("8024", b"\x02" + GENERATOR_X)[1:],
        multibase("8024", b"\x02" + GENERATOR_X) + "#" + multibase("8024", b"\x02" + GENERATOR_X),
        "z0OIl",
        "z" + "2" * 200_000,
    ],
    ids=lambda key: key[:16],
)
def test_did_keys_with_another_codec_length_or_point_are_refused(key: str) -> None:
    with pytest.raises(MalformedJoseError):
        decode_multikey(key)
    with pytest.raises(ServiceError):
        resolve_did_key(f"did:key:{key}")


def test_a_compressed_point_is_expanded_to_the_generator() -> None:
    jwk = decode_multikey(multibase("8024", b"\x03" + GENERATOR_X))
    assert jwk["x"] == b64url_encode(GENERATOR_X)
    assert jwk["y"] == b64url_encode(GENERATOR_Y)


def test_a_long_multibase_text_costs_nothing() -> None:
    started = time.process_time()
    with pytest.raises(MalformedJoseError):
        decode_multikey("z" + "2" * 1_000_000)
    assert time.process_time() - started < 0.1


def test_a_did_jwk_of_a_good_key_can_still_be_too_long() -> None:
    with pytest.raises(MalformedDidError):
        resolve_did_jwk("did:jwk:" + b64url_encode(write_json(ES256.jwk) + b" " * 2000))


@given(st.binary(max_size=60))
def test_base58_round_trips(data: bytes) -> None:
    assert decode_base58(encode_base58(data)) == data


def test_base58_vectors_of_the_draft() -> None:
    assert encode_base58(b"Hello World!") == "2NEpo7TZRRrLZSi2U"
    assert encode_base58(b"\0\0\x28\x7f\xb4\xcd") == "11233QC4"


@pytest.mark.parametrize(
    "jwk",
    [
        {**ES256.jwk, "d": "AAAA"},
        {**ES256.jwk, "use": "enc"},
        {**ES256.jwk, "y": ES256.jwk["x"]},
        {"kty": "oct", "k": "AAAA"},
        ["jwk"],
        None,
    ],
    ids=count(),  # the keys are new in every run, so their text is no name for a test
)
def test_did_jwks_of_unfit_keys_are_refused(jwk: Any) -> None:
    with pytest.raises(ServiceError):
        resolve_did_jwk("did:jwk:" + b64url_encode(write_json(jwk)))


@pytest.mark.parametrize(
    "did", ["did:jwk:", "did:jwk:e30=", "did:jwk:!", "did:jwk:e30#0", "did:JWK:e30", "did:jwk:" + "A" * 4000]
)
def test_did_jwks_that_are_no_strict_json_are_refused(did: str) -> None:
    with pytest.raises(ServiceError):
        resolve_did_jwk(did)


@pytest.mark.parametrize(
    ("url", "did"),
    [
        ("https://issuer.example", "did:web:issuer.example"),
        ("https://issuer.example/", "did:web:issuer.example"),
        ("https://issuer.example/issuers/kyc", DID),
        ("https://issuer.example:8443/a", "did:web:issuer.example%3A8443:a"),
        ("http://localhost:8000/issuers/kyc", "did:web:localhost%3A8000:issuers:kyc"),
        ("http://a.localhost", "did:web:a.localhost"),
        ("https://xn--bcher-kva.example/a.b_c-d", "did:web:xn--bcher-kva.example:a.b_c-d"),
    ],
)
def test_did_web_and_url_map_to_each_other(url: str, did: str) -> None:
    assert did_web_from_url(url) == did
    base = url.removesuffix("/")
    expected = f"{base}/did.json" if ":" in did.removeprefix("did:web:") else f"{base}/.well-known/did.json"
    assert did_web_url(did) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example",
        "https://localhost",
        "http://localhost.example",
        "http://notlocalhost",
        "ftp://issuer.example",
        "HTTPS://issuer.example",
        "https://Issuer.example",
        "https://user@issuer.example",
        "https://user:pass@issuer.example",
        "https://issuer.example?x=1",
        "https://issuer.example/#a",
        "https://issuer.example//a",
        "https://issuer.example/a//b",
        "https://issuer.example/a//",
        "https://issuer.example/../a",
        "https://issuer.example/./a",
        "https://issuer.example/a:b",
        "https://issuer.example/a%2Fb",
        "https://issuer.example%3A80/a",
        "https://issuer.example:/a",
        "https://issuer.example:0",
        "https://issuer.example:080",
        "https://issuer.example:65536",
        "https://issuer.example:１",
        "https://127.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.0.0.1",
        "https://a.0x7f",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]:80",
        "https://issuer.example.",
        "https://.example",
        "https://a..b",
        "https://-a.example",
        "https://a_b.example",
        "https://" + "a" * 64 + ".example",
        "https://" + "a." * 130 + "example",
        "https://issuer.example/\n",
        "https://issuer.example\n",
        "https://issuer.example\\@attacker.example",
        "https://issuér.example",
        "https://",
        "",
    ],
)
def test_urls_without_a_safe_did_web_are_refused(url: str) -> None:
    with pytest.raises(MalformedDidError):
        did_web_from_url(url)


@pytest.mark.parametrize(
    "did",
    [
        "did:web:",
        "did:web::a",
        "did:web:issuer.example:",
        "did:web:issuer.example::a",
        "did:web:issuer.example:..",
        "did:web:issuer.example:.",
        "did:web:issuer.example:a:..:b",
        "did:web:issuer.example:%2e%2e",
        "did:web:issuer.example:a%2Fb",
        "did:web:issuer.example:a/b",
        "did:web:issuer.example:a?b",
        "did:web:issuer.example#key",
        "did:web:issuer.example/a",
        "did:web:issuer.example%3A",
        "did:web:issuer.example%3A80%3A80",
        "did:web:issuer.example%3a80",
        "did:web:issuer.example%3A99999",
        "did:web:issuer.example%3A-1",
        "did:web:user%40issuer.example",
        "did:web:user@issuer.example",
        "did:web:127.0.0.1",
        "did:web:127.1",
        "did:web:2130706433",
        "did:web:0x7f000001",
        "did:web:%5B%3A%3A1%5D",
        "did:web:[::1]",
        "did:web:ISSUER.example",
        "did:web:issuer.example\n",
        "did:web:issuer.example:a\n",
        "did:key:issuer.example",
        "DID:WEB:issuer.example",
        " did:web:issuer.example",
        "did:web:issuer.example:" + "a" * 1100,
    ],
)
def test_did_webs_without_a_safe_url_are_refused(did: str) -> None:
    with pytest.raises(MalformedDidError):
        did_web_url(did)


@given(st.text() | st.from_regex(r"(did:(web|key|jwk):|https://)[A-Za-z0-9.%:/_-]{0,40}", fullmatch=True))
def test_no_text_raises_anything_but_a_service_error(text: str) -> None:
    for read in (did_web_url, did_web_from_url, resolve_did_key, resolve_did_jwk):
        try:
            read(text)
        except ServiceError:
            continue


@given(st.from_regex(r"did:web:[a-z0-9.%A-]{1,20}(:[a-zA-Z0-9._-]{0,4}){0,3}", fullmatch=True))
def test_an_accepted_did_web_comes_back_from_its_url(did: str) -> None:
    try:
        url = did_web_url(did)
    except MalformedDidError:
        return
    assert did_web_from_url(url.removesuffix("/did.json").removesuffix("/.well-known")) == did or ":.well-known" in did


def test_a_document_names_each_key_under_its_relationships_only() -> None:
    assert DOCUMENT["id"] == DID
    assert DOCUMENT["assertionMethod"] == [f"{DID}#sign-1"]
    assert DOCUMENT["authentication"] == [f"{DID}#login-1"]
    assert "capabilityInvocation" not in DOCUMENT
    assert {method["controller"] for method in DOCUMENT["verificationMethod"]} == {DID}


def test_a_document_never_shows_private_members() -> None:
    document = build_did_document(DID, [DidKey("k", {**ES256.jwk, "d": "secret"}, ["assertionMethod"])])
    assert document["verificationMethod"][0]["publicKeyJwk"] == ES256.jwk


@pytest.mark.parametrize(
    "methods",
    [
        [DidKey("a", ES256.jwk, []), DidKey("a", ES384.jwk, [])],
        [DidKey("a#b", ES256.jwk, [])],
        [DidKey("", ES256.jwk, [])],
        [DidKey("a", ES256.jwk, ["keyAgreement"])],
    ],
    ids=["repeated", "sign", "empty", "relationship"],
)
def test_a_document_that_we_would_not_read_is_not_written(methods: list[DidKey]) -> None:
    with pytest.raises(ValueError):
        build_did_document(DID, methods)


@pytest.mark.parametrize("kid", [f"{DID}#sign-1", "#sign-1"])
def test_a_key_is_found_by_its_did_url_or_fragment(kid: str) -> None:
    key = select_verification_key(DOCUMENT, kid, relationship="assertionMethod")
    assert (key.alg, key.kid, key.jwk) == ("ES256", f"{DID}#sign-1", ES256.jwk)


@pytest.mark.parametrize(
    ("kid", "relationship"),
    [
        (f"{DID}#sign-1", "authentication"),
        (f"{DID}#login-1", "assertionMethod"),
        (f"{DID}#sign-1", "keyAgreement"),
        (f"{DID}#SIGN-1", "assertionMethod"),
        ("did:web:other.example#sign-1", "assertionMethod"),
        ("sign-1", "assertionMethod"),
        (DID, "assertionMethod"),
        ("", "assertionMethod"),
        ("../../etc/passwd", "assertionMethod"),
        ("' OR 1=1 --", "assertionMethod"),
        ("\ud83d\ude00", "assertionMethod"),
    ],
)
def test_a_key_is_found_only_exactly_and_for_its_use(kid: str, relationship: str) -> None:
    with pytest.raises(UnknownKeyError):
        select_verification_key(DOCUMENT, kid, relationship=relationship)


def test_a_document_cannot_speak_for_a_key_under_another_did() -> None:
    document = changed(id="did:web:other.example#k")
    document["assertionMethod"] = ["did:web:other.example#k"]
    with pytest.raises(UnknownKeyError):
        select_verification_key(document, "did:web:other.example#k", relationship="assertionMethod")


def select(document: Any) -> Any:
    return select_verification_key(document, f"{DID}#sign-1", relationship="assertionMethod")


def test_foreign_documents_may_embed_use_relative_ids_and_multikeys() -> None:
    method = {"id": "#sign-1", "type": "Multikey", "controller": DID, "publicKeyMultibase": encode_multikey(ES384.key)}
    assert select({"id": DID, "assertionMethod": [method]}).jwk == ES384.jwk
    relative = {"id": DID, "verificationMethod": [method], "assertionMethod": ["#sign-1"]}
    assert select(relative).jwk == ES384.jwk


def changed(**members: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["verificationMethod"][0].update(members)
    return document


@pytest.mark.parametrize(
    "document",
    [
        changed(controller="did:web:attacker.example"),
        changed(controller=None),
        changed(id="did:web:attacker.example#sign-1"),
        {**DOCUMENT, "verificationMethod": DOCUMENT["verificationMethod"] * 2},
        {**DOCUMENT, "verificationMethod": []},
        {**DOCUMENT, "assertionMethod": [*DOCUMENT["assertionMethod"], DOCUMENT["verificationMethod"][0]]},
        {**DOCUMENT, "id": "did:web:attacker.example"},
        {"id": DID},
    ],
)
def test_an_ambiguous_or_foreign_controlled_key_is_refused(document: Any) -> None:
    with pytest.raises(UnknownKeyError):
        select(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {**DOCUMENT, "id": 1},
        {**DOCUMENT, "assertionMethod": f"{DID}#sign-1"},
        {**DOCUMENT, "verificationMethod": {"id": f"{DID}#sign-1"}},
        changed(publicKeyJwk=None),
        changed(publicKeyJwk="text"),
        changed(publicKeyMultibase=encode_multikey(ES256.key)),
        changed(publicKeyJwk={**ES256.jwk, "d": "AAAA"}),
        changed(publicKeyJwk={**ES256.jwk, "use": "enc"}),
        changed(publicKeyJwk={}),
    ],
)
def test_a_misshapen_document_is_refused(document: Any) -> None:
    with pytest.raises((MalformedDidError, MalformedJoseError)):
        select(document)


def test_secp256k1_is_read_but_verifies_nothing() -> None:
    did = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"
    with pytest.raises(MalformedJoseError):
        select_verification_key(
            resolve_did_key(did), f"#{did.removeprefix('did:key:')}", relationship="assertionMethod"
        )
