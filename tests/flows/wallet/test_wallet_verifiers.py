"""Verifiers that a certificate or an attestation stands for: only as far as somebody vouches whom the holder trusts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.x509 import Certificate

from service.credentials.certificates import hash_certificate, write_x5c
from service.credentials.jose import sign_jws
from service.fetch import Fetcher
from service.wallet.errors import RejectedError, UnsupportedError
from service.wallet.presentation_request import PresentationRequest
from service.wallet.requests import fetch_request
from service.wallet.store import Wallet
from service.wallet.trust import VerifierTrust
from tests.certificate_support import Authority, load_public_key, new_root, to_pem
from tests.unit.sd_jwt_support import KeyPair, new_key_pair
from tests.wallet_parties import NOW, FakeVerifier

ROOT = new_root(NOW)
BELOW = ROOT.delegate()
ATTESTER = "https://attester.example"
ATTESTER_KEYS = new_key_pair()
TRUST = VerifierTrust().with_anchors(ROOT.pem).with_attester(ATTESTER, {"keys": [{**ATTESTER_KEYS.jwk, "kid": "a"}]})


async def fetch(verifier: FakeVerifier, fetcher: Fetcher, trust: VerifierTrust = TRUST) -> PresentationRequest:
    return await fetch_request(verifier.link(), wallet_nonce="n" * 24, fetcher=fetcher, now=NOW, trust=trust)


def rename(verifier: FakeVerifier, client_id: str, header: Mapping[str, Any]) -> None:
    verifier.client_id = verifier.parameters["client_id"] = client_id
    verifier.header = {"typ": "oauth-authz-req+jwt", "alg": "ES256", **header}


def certify(verifier: FakeVerifier, prefix: str, authority: Authority = BELOW, **changes: Any) -> Certificate:
    """Let the verifier ask under a certificate for its key."""
    key = changes.pop("key", load_public_key(verifier.key.jwk))
    leaf = authority.certify(key, **{"dns": ["localhost"]} | changes)
    name = "localhost" if prefix == "x509_san_dns" else hash_certificate(leaf)
    chain = [leaf] if authority is ROOT else [leaf, authority.certificate]
    rename(verifier, f"{prefix}:{name}", {"x5c": write_x5c(chain)})
    return leaf


@dataclass
class Attestation:
    """What an attester says; each test bends one thing."""

    claims: dict[str, Any]
    header: dict[str, Any]
    keys: KeyPair = ATTESTER_KEYS

    def sign(self) -> str:
        claims = {name: value for name, value in self.claims.items() if value is not None}
        return sign_jws(self.header, claims, self.keys.sign)


def attest(verifier: FakeVerifier, **changes: Any) -> Attestation:
    end = int((NOW + timedelta(days=1)).timestamp())
    claims = {"iss": ATTESTER, "sub": "venue", "exp": end, "cnf": {"jwk": dict(verifier.key.jwk)}} | changes
    return Attestation(claims, {"typ": "verifier-attestation+jwt", "alg": "ES256", "kid": "a"})


@pytest.mark.parametrize("prefix", ["x509_san_dns", "x509_hash"])
async def test_a_certified_verifier_is_known(verifier: FakeVerifier, fetcher: Fetcher, prefix: str) -> None:
    certify(verifier, prefix)
    request = await fetch(verifier, fetcher)
    assert (request.authenticated, request.client_id) == (True, verifier.client_id)
    with pytest.raises(RejectedError):  # nobody vouches by themselves
        await fetch(verifier, fetcher, VerifierTrust())
    with pytest.raises(RejectedError):
        await fetch(verifier, fetcher, VerifierTrust().with_anchors(new_root(NOW).pem))


async def test_certificates_that_stand_for_nobody_are_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    other = load_public_key(new_key_pair().jwk)
    for prefix in ("x509_san_dns", "x509_hash"):
        for changes in (
            {"valid": (timedelta(days=-2), timedelta(days=-1))},
            {"key": other},  # the request is signed with another key
        ):
            certify(verifier, prefix, **changes)
            with pytest.raises(RejectedError):
                await fetch(verifier, fetcher)
    certify(verifier, "x509_san_dns", dns=["other.example"])
    with pytest.raises(RejectedError, match="another host"):
        await fetch(verifier, fetcher)
    first = certify(verifier, "x509_hash")
    certify(verifier, "x509_hash")
    rename(verifier, f"x509_hash:{hash_certificate(first)}", {"x5c": verifier.header["x5c"]})
    with pytest.raises(RejectedError, match="another than its identifier"):
        await fetch(verifier, fetcher)
    certify(verifier, "x509_hash")
    verifier.header["x5c"].append(write_x5c([ROOT.certificate])[0])
    with pytest.raises(RejectedError):
        await fetch(verifier, fetcher)
    for x5c in (None, [], "text", ["AAAA"]):
        certify(verifier, "x509_hash")
        verifier.header["x5c"] = x5c
        with pytest.raises(RejectedError):
            await fetch(verifier, fetcher)
    assert verifier.answers() == []


async def test_an_answer_goes_to_the_certified_host_only(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    certify(verifier, "x509_san_dns")
    address = verifier.parameters["response_uri"]
    verifier.parameters["response_uri"] = address.replace("localhost", "127.0.0.1")
    assert urlsplit(verifier.parameters["response_uri"]).hostname == "127.0.0.1"
    with pytest.raises(RejectedError, match="another host"):
        await fetch(verifier, fetcher)


async def test_an_attested_verifier_is_known(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    address = verifier.parameters["response_uri"]
    for redirect_uris in (None, [address]):
        token = attest(verifier, redirect_uris=redirect_uris).sign()
        rename(verifier, "verifier_attestation:venue", {"jwt": token})
        assert (await fetch(verifier, fetcher)).authenticated
    with pytest.raises(RejectedError, match="don't trust"):
        await fetch(verifier, fetcher, VerifierTrust())


async def test_attestations_that_prove_nothing_are_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    past = int((NOW - timedelta(days=1)).timestamp())
    forged, retyped, rekeyed = attest(verifier), attest(verifier), attest(verifier)
    forged.keys = new_key_pair()
    retyped.header["typ"] = "jwt"
    rekeyed.header["kid"] = "b"
    bad = [
        *(each.sign() for each in (forged, retyped, rekeyed)),
        attest(verifier, iss="https://other.example").sign(),
        attest(verifier, iss=None).sign(),
        attest(verifier, sub="other").sign(),
        attest(verifier, exp=past).sign(),
        attest(verifier, exp=None).sign(),
        attest(verifier, cnf=None).sign(),
        attest(verifier, cnf={"jwk": new_key_pair().jwk}).sign(),
        attest(verifier, redirect_uris=["https://venue.example/"]).sign(),
        attest(verifier, redirect_uris="text").sign(),
        "not a token",
        None,
    ]
    for token in bad:
        rename(verifier, "verifier_attestation:venue", {"jwt": token})
        with pytest.raises(RejectedError):
            await fetch(verifier, fetcher)
    assert verifier.answers() == []


async def test_reserved_and_unknown_prefixes_are_refused(verifier: FakeVerifier, fetcher: Fetcher) -> None:
    for client_id in ("origin:https://venue.example", "openid_federation:https://venue.example", "venue"):
        rename(verifier, client_id, {"kid": "x"})
        with pytest.raises(UnsupportedError):
            await fetch(verifier, fetcher)


def test_trust_is_kept_with_the_wallet(wallet: Wallet, tmp_path: Path) -> None:
    assert wallet.read_trust() == VerifierTrust()
    wallet.write_trust(TRUST.with_anchors(to_pem(new_root(NOW, "Second").certificate)))
    kept = wallet.read_trust()
    assert len(kept.anchors) == 2
    assert json.loads(json.dumps(kept.attesters))[ATTESTER][0]["kid"] == "a"
    for pem in ("", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        with pytest.raises(RejectedError):
            VerifierTrust().with_anchors(pem)
    for jwks in ({}, {"keys": []}, []):
        with pytest.raises(RejectedError):
            TRUST.with_attester(ATTESTER, jwks)
