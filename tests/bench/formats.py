"""What one verification costs in the formats of the W3C data model, against a raw one by the same key."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from service.credentials.credential import StatusReference
from service.credentials.credential_types import type_named
from service.credentials.data_integrity import add_proof
from service.credentials.did import did_key_from_jwk
from service.credentials.encoding import b64url_encode
from service.credentials.formats import read_document, verify_document
from service.credentials.jose import SignFunction, sign_jws, verify_raw_signature
from service.credentials.jwk import VerificationKey, load_key
from service.credentials.jwt_vc import VC_JWT
from service.credentials.jwt_vc_issuing import JWT_TYP, CredentialTerms, build_jwt_vc_claims
from service.credentials.ldp_vc import UnverifiedLdpVc, verify_ldp_vc
from service.credentials.ldp_vc_issuing import PROOF_TYPE_1, build_ldp_vc, build_ldp_vc_1, build_proof_options
from service.linked_data.bundled_contexts import load_contexts
from tests.bench.in_process import repeat
from tests.bench.results import Row
from tests.bench.rounds import Pace, measure_in_turns, say

_CLAIMS = {"sub": "someone", "country": "US", "age_over_18": True, "loa": "high", "verified_on": "2026-11-20"}
_MESSAGE = bytes(600)
_ECDSA = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class _Issuer:
    key: VerificationKey
    sign: SignFunction

    @property
    def did(self) -> str:
        return did_key_from_jwk(self.key.jwk)

    @property
    def method(self) -> str:
        return f"{self.did}#{self.did.removeprefix('did:key:')}"

    @property
    def terms(self) -> dict[str, Any]:
        """What a credential of the issuer says, to its own key as holder."""
        now = datetime.now(UTC)
        status = StatusReference("https://issuer.example/status-lists/1", 1)
        ends = {"issued_at": now, "expires_at": now + timedelta(days=1)}
        return {"issuer": self.did, "holder_jwk": self.key.jwk, "status": status, **ends}


async def measure_formats(pace: Pace) -> AsyncIterator[Row]:
    """Yield a row for each format; linked data costs what its canonical form costs, so its aim is a guard only."""
    p256, ed25519_key = _make_p256(), _make_ed25519()
    for what, aim, issuer, verify in (
        ("in-process JWT VC verify", 0.3, p256, _verify_jwt_vc(p256)),
        ("in-process vc+jwt verify", 0.3, p256, _verify_vc_jwt(p256)),
        ("in-process eddsa-jcs-2022 verify", 0.15, ed25519_key, _verify_ldp_vc(ed25519_key, "eddsa-jcs-2022")),
        ("in-process ecdsa-jcs-2019 verify", 0.1, p256, _verify_ldp_vc(p256, "ecdsa-jcs-2019")),
        ("in-process eddsa-rdfc-2022 verify", 0.01, ed25519_key, _verify_ldp_vc(ed25519_key, "eddsa-rdfc-2022")),
        ("in-process ecdsa-rdfc-2019 verify", 0.01, p256, _verify_ldp_vc(p256, "ecdsa-rdfc-2019")),
        ("in-process JsonWebSignature2020 verify", 0.01, p256, _verify_ldp_vc(p256, PROOF_TYPE_1)),
    ):
        say(what)
        rounds = await measure_in_turns(repeat(verify), repeat(_verify_raw(issuer)), pace)
        yield Row(what, f"one {issuer.key.jwk['crv']} verification", aim, rounds, unit="verifications/s")


def _verify_jwt_vc(issuer: _Issuer) -> Callable[[], Any]:
    header = {"alg": "ES256", "typ": JWT_TYP, "kid": issuer.method}
    claims = build_jwt_vc_claims(CredentialTerms(type_named("kyc"), _CLAIMS, **issuer.terms))
    return _verify_jwt(issuer, sign_jws(header, claims, issuer.sign))


def _verify_vc_jwt(issuer: _Issuer) -> Callable[[], Any]:
    header = {"alg": "ES256", "typ": VC_JWT, "kid": issuer.method}
    claims = build_ldp_vc(CredentialTerms(type_named("kyc"), _CLAIMS, **issuer.terms))
    return _verify_jwt(issuer, sign_jws(header, claims, issuer.sign))


def _verify_jwt(issuer: _Issuer, compact: str) -> Callable[[], Any]:
    def verify() -> None:
        (read,) = read_document(compact)
        assert not isinstance(read, UnverifiedLdpVc)
        verify_document(read, issuer.key, None, now=datetime.now(UTC))

    return verify


def _verify_ldp_vc(issuer: _Issuer, suite: str) -> Callable[[], Any]:
    contexts = load_contexts()
    options = build_proof_options(suite, issuer.method, datetime.now(UTC))
    build = build_ldp_vc_1 if suite == PROOF_TYPE_1 else build_ldp_vc
    unsigned = build(CredentialTerms(type_named("kyc"), _CLAIMS, **issuer.terms))
    document = add_proof(unsigned, options, issuer.key, issuer.sign, contexts)

    def verify() -> None:
        (read,) = read_document(document)
        assert isinstance(read, UnverifiedLdpVc)
        verify_ldp_vc(read, issuer.key, contexts, now=datetime.now(UTC))

    return verify


def _verify_raw(issuer: _Issuer) -> Callable[[], Any]:
    """Return the floor: the check of one signature, its bytes brought into the form that the library takes."""
    signature = issuer.sign(_MESSAGE)
    return lambda: verify_raw_signature(signature, _MESSAGE, issuer.key)


def _make_p256() -> _Issuer:
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(data, _ECDSA))
        return r.to_bytes(32) + s.to_bytes(32)

    x, y = (b64url_encode(number.to_bytes(32)) for number in (numbers.x, numbers.y))
    return _Issuer(load_key({"kty": "EC", "crv": "P-256", "x": x, "y": y}), sign)


def _make_ed25519() -> _Issuer:
    private = ed25519.Ed25519PrivateKey.generate()
    x = b64url_encode(private.public_key().public_bytes_raw())
    return _Issuer(load_key({"kty": "OKP", "crv": "Ed25519", "x": x}), private.sign)
