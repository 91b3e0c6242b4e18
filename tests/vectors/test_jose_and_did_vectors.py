"""Published vectors of the JOSE RFCs, the DID methods and the Token Status List draft, by specification."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.credentials.did import (
    did_key_from_jwk,
    did_web_from_url,
    did_web_url,
    resolve_did_jwk,
    resolve_did_key,
)
from service.credentials.dpop import DpopProof, InvalidDpopProofError, verify_dpop_proof
from service.credentials.jose import (
    InvalidSignatureError,
    MalformedJoseError,
    b64url_decode,
    b64url_encode,
    jwk_thumbprint,
    load_key,
    parse_jws,
    sign_jws,
    verify_jws,
)
from service.credentials.status_list import decode_status_list, encode_status_list, get_status, set_status


def load(name: str) -> Any:
    return json.loads((Path(__file__).parent / name).read_text())


JOSE, DID, STATUS = load("jose.json"), load("did.json"), load("token_status_list.json")


def test_rfc7515_a3_es256() -> None:
    vector = JOSE["RFC 7515, appendix A.3"]
    assert verify_jws(vector["token"], load_key(vector["jwk"]), expected_typ=[""]) == vector["claims"]


def test_rfc7515_a1_hs256_and_a5_unsecured_are_good_and_refused() -> None:
    vector, key = JOSE["RFC 7515, appendix A.1"], load_key(JOSE["RFC 7515, appendix A.3"]["jwk"])
    signing_input, _, mac = vector["token"].rpartition(".")
    made = hmac.digest(b64url_decode(vector["secret"]), signing_input.encode(), "sha256")
    assert b64url_encode(made) == mac
    with pytest.raises(InvalidSignatureError):
        verify_jws(vector["token"], key, expected_typ=["JWT"])
    with pytest.raises(MalformedJoseError):
        verify_jws(JOSE["RFC 7515, appendix A.5"]["token"], key, expected_typ=[""])


@pytest.mark.parametrize("section", ["RFC 9449, section 4.1", "RFC 9449, section 7.1"])
def test_rfc9449_dpop_proofs(section: str) -> None:
    vector = JOSE[section]
    now = datetime.fromtimestamp(vector["at"], UTC)

    def verify(**changes: Any) -> DpopProof:
        values = {
            "expected_method": vector["method"],
            "expected_url": vector["url"],
            "access_token": vector["access_token"],
            "now": now,
        }
        return verify_dpop_proof(vector["proof"], **(values | changes))

    proof = verify()
    assert (proof.thumbprint, proof.jti, proof.nonce) == (vector["thumbprint"], vector["jti"], None)
    for changes in (
        {"expected_method": "PUT"},
        {"expected_url": f"{vector['url']}/"},
        {"access_token": "another"},
        {"now": now + timedelta(minutes=6)},
    ):
        with pytest.raises(InvalidDpopProofError):
            verify(**changes)


def test_rfc8037_a1_to_a4_ed25519() -> None:
    vector = JOSE["RFC 8037, appendix A"]
    private = Ed25519PrivateKey.from_private_bytes(b64url_decode(vector["d"]))
    assert sign_jws({"alg": "EdDSA"}, vector["payload"].encode(), private.sign) == vector["token"]
    assert jwk_thumbprint(vector["jwk"]) == vector["thumbprint"]
    # The signature is good; the payload isn't a claims set, which is looked at only after the signature.
    with pytest.raises(MalformedJoseError):
        verify_jws(vector["token"], load_key(vector["jwk"]), expected_typ=[""])
    with pytest.raises(InvalidSignatureError):
        verify_jws(vector["token"][:-4] + "AAAA", load_key(vector["jwk"]), expected_typ=[""])
    assert parse_jws(vector["token"]).payload == vector["payload"].encode()


def test_rfc7638_3_1_rsa_thumbprint() -> None:
    vector = JOSE["RFC 7638, section 3.1"]
    assert jwk_thumbprint(vector["jwk"]) == vector["thumbprint"]


@pytest.mark.parametrize("vector", DID["did:key"], ids=lambda vector: vector["jwk"]["crv"])
def test_did_key(vector: Any) -> None:
    document = resolve_did_key(vector["did"])
    method = document["verificationMethod"][0]
    assert method["publicKeyJwk"] == vector["jwk"]
    assert method["id"] == f"{vector['did']}#{vector['did'].removeprefix('did:key:')}"
    if vector["jwk"]["crv"] != "secp256k1":
        assert did_key_from_jwk(vector["jwk"]) == vector["did"]


@pytest.mark.parametrize("vector", DID["did:jwk"])
def test_did_jwk(vector: Any) -> None:
    method = resolve_did_jwk(vector["did"])["verificationMethod"][0]
    assert method["publicKeyJwk"] == vector["jwk"]
    assert method["id"] == f"{vector['did']}#0"


@pytest.mark.parametrize(("url", "did", "document_url"), DID["did:web"])
def test_did_web(url: str, did: str, document_url: str) -> None:
    assert did_web_from_url(url) == did
    assert did_web_url(did) == document_url


@pytest.mark.parametrize("vector", STATUS["short"], ids=lambda vector: f"{vector['bits']}-bit")
def test_status_list_4_1_and_4_2(vector: Any) -> None:
    bits, packed = decode_status_list({"bits": vector["bits"], "lst": vector["lst"]})
    assert packed.hex() == vector["packed"]
    assert [get_status(packed, bits, index) for index in range(len(vector["statuses"]))] == vector["statuses"]
    assert encode_status_list(packed, bits) == {"bits": bits, "lst": vector["lst"]}
    assert b64url_decode(vector["lst"]).hex() == vector["compressed"]


@pytest.mark.parametrize("vector", STATUS["long"], ids=lambda vector: f"{vector['bits']}-bit")
def test_status_list_appendix(vector: Any) -> None:
    bits, packed = decode_status_list(vector)
    ours = bytearray(2**20 * bits // 8)
    for index, value in vector["statuses"].items():
        set_status(ours, bits, int(index), value)
    assert packed == ours
