"""Issuers whose keys are certified: the platform's anchors decide, and nothing that a credential brings."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import AuthorityKeyIdentifier

from service.credentials.certificates import write_x5c
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.encoding import b64url_encode
from service.credentials.presentation import present_sd_jwt
from service.web.signing import ISSUER, get_active_key
from tests.certificate_support import SIGN_USAGE, Authority, load_public_key, new_root, to_pem
from tests.deployment import START, Deployment
from tests.foreign_issuer import LIST_PATH, METADATA_PATH, ForeignIssuer, running_platform
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Platform, Wallet, build_scene, failed

HOLDER = new_key_pair()
ROOT = new_root(START)
INTERMEDIATE = ROOT.delegate()


@pytest.fixture
async def platform(sqlite_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    async with running_platform(sqlite_url, tmp_path, abroad) as platform:
        await platform.trust(abroad.identifier, "kyc", x509_anchors=[ROOT.pem])
        certify(abroad)
        abroad.serve_list(platform.deployment.clock())
        yield platform


def certify(abroad: ForeignIssuer, authority: Authority = INTERMEDIATE, **changes: Any) -> None:
    certificate = authority.certify(abroad.keys.private.public_key(), **({"dns": ["localhost"]} | changes))
    above = () if authority.certificate.issuer == authority.certificate.subject else (authority.certificate,)
    abroad.x5c = write_x5c((certificate, *above))


async def verify(platform: Platform, abroad: ForeignIssuer, **changes: Any) -> dict[str, Any]:
    return await platform.verify(credential=abroad.issue(HOLDER, platform.deployment.clock(), **changes))


async def test_certified_credential_and_list_verify_without_asking_for_keys(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    for kid in ("k1", None, "any name"):
        verdict = await verify(platform, abroad, kid=kid)
        assert (verdict["outcome"], verdict["status"]) == ("verified", "valid"), verdict["checks"]
    assert abroad.asked == [LIST_PATH]


def _uncertified(abroad: ForeignIssuer) -> None:
    abroad.x5c = None


def _self_signed(abroad: ForeignIssuer) -> None:
    own = new_root(START, "Own", extensions=((SIGN_USAGE, True),))
    abroad.x5c = write_x5c((own.certificate,))


def _with_anchor(abroad: ForeignIssuer) -> None:
    certify(abroad)
    assert abroad.x5c is not None
    abroad.x5c += write_x5c((ROOT.certificate,))


def _another_key(abroad: ForeignIssuer) -> None:
    abroad.x5c = write_x5c((ROOT.certify(HOLDER.private.public_key(), dns=["localhost"]),))


@pytest.mark.parametrize(
    ("spoil", "check", "code"),
    [
        (_uncertified, "issuer", "issuer_certificate_missing"),
        (_self_signed, "issuer", "certificate_untrusted"),
        (_with_anchor, "issuer", "certificate_untrusted"),
        (lambda abroad: certify(abroad, new_root(START)), "issuer", "certificate_untrusted"),
        (
            lambda abroad: certify(abroad, valid=(timedelta(days=-9), timedelta(days=-1))),
            "issuer",
            "certificate_untrusted",
        ),
        (lambda abroad: certify(abroad, dns=["other.example"]), "issuer", "certificate_name_mismatch"),
        (lambda abroad: setattr(abroad, "x5c", ["AAAA"]), "issuer", "certificate_invalid"),
        (lambda abroad: setattr(abroad, "x5c", "AAAA"), "issuer", "certificate_invalid"),
        (_another_key, "signature", "invalid_signature"),
    ],
    ids=["none", "self-signed", "anchor", "other root", "expired", "other name", "no certificate", "no list", "key"],
)
async def test_a_chain_that_does_not_hold_is_refused_and_nothing_is_asked(
    platform: Platform, abroad: ForeignIssuer, spoil: Callable[[ForeignIssuer], None], check: str, code: str
) -> None:
    spoil(abroad)
    verdict = await verify(platform, abroad)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {(check, code)})
    assert abroad.asked == []


async def test_an_embedded_chain_without_anchors_proves_nothing(platform: Platform, abroad: ForeignIssuer) -> None:
    await platform.trust(abroad.identifier, "kyc")
    rogue = new_key_pair()
    published, abroad.keys = abroad.keys, rogue
    certify(abroad)
    assert failed((await verify(platform, abroad))["checks"]) == {("signature", "invalid_signature")}
    abroad.keys = published
    certify(abroad)
    assert (await verify(platform, abroad))["outcome"] == "verified"
    assert METADATA_PATH in abroad.asked


async def test_anchors_count_on_the_days_of_their_entry(platform: Platform, abroad: ForeignIssuer) -> None:
    yesterday = (platform.deployment.clock() - timedelta(days=1)).date().isoformat()
    await platform.trust(abroad.identifier, "kyc", valid_until=yesterday, x509_anchors=[ROOT.pem])
    await platform.trust(abroad.identifier, "kyc", entry_id="two", x509_anchors=[new_root(START).pem])
    assert failed((await verify(platform, abroad))["checks"]) == {("issuer", "certificate_untrusted")}
    await platform.trust(abroad.identifier, "kyc", entry_id="two")
    assert failed((await verify(platform, abroad))["checks"]) == {("issuer", "certificate_untrusted")}
    abroad.x5c = None
    assert failed((await verify(platform, abroad))["checks"]) == {("issuer", "issuer_certificate_missing")}


async def test_a_types_own_anchors_are_the_only_ones_for_it(platform: Platform, abroad: ForeignIssuer) -> None:
    await platform.trust(abroad.identifier, "aml-screening", entry_id="two", x509_anchors=[new_root(START).pem])
    assert (await verify(platform, abroad))["outcome"] == "verified"
    verdict = await verify(platform, abroad, vct=CREDENTIAL_TYPES["aml-screening"].vct)
    assert failed(verdict["checks"]) == {("issuer", "certificate_untrusted")}


async def test_authorities_are_those_of_verified_certificates(platform: Platform, abroad: ForeignIssuer) -> None:
    asked = AuthorityKeyIdentifier(b"0123456789", None, None)
    certify(abroad, ROOT, extensions=((asked, False),))
    abroad.serve_list(platform.deployment.clock())
    query = {"id": "kyc", "format": "dc+sd-jwt", "meta": {"vct_values": [CREDENTIAL_TYPES["kyc"].vct]}}
    authority = {"type": "aki", "values": [b64url_encode(b"0123456789")]}
    body = {"dcql_query": {"credentials": [query | {"trusted_authorities": [authority]}]}}
    found = []
    for anchors in ([ROOT.pem], None):
        await platform.trust(abroad.identifier, "kyc", x509_anchors=anchors)
        made, wallet = await platform.ask(**body), Wallet(platform.deployment, HOLDER)
        request = await wallet.open(made)
        credential = abroad.issue(HOLDER, platform.deployment.clock())
        shown = present_sd_jwt(
            credential,
            names=[],
            audience=request["client_id"],
            nonce=request["nonce"],
            issued_at=platform.deployment.clock(),
            sign=HOLDER.sign,
        )
        await wallet.send(request, {"kyc": [shown]})
        answered = await platform.read(made["id"])
        found.append((answered["state"], failed(answered["checks"])))
    assert found == [("verified", set()), ("rejected", {("query", "query_unsatisfied")})]


@pytest.mark.parametrize(
    ("certified", "anchor", "state"),
    [("own", ROOT, "verified"), ("own", None, "rejected"), ("own", new_root(START), "rejected")]
    + [(rest, ROOT, "rejected") for rest in ("other key", "other name", "junk", "none")],
)
async def test_authorities_of_issuers_here_are_those_of_certificates_of_their_keys(
    sqlite_deployment: Deployment, certified: str, anchor: Authority | None, state: str
) -> None:
    """Whatever comes as ``x5c``, the key that we keep verifies the credential; only an authority needs the chain."""
    scene = await build_scene(sqlite_deployment)
    anchors = None if anchor is None else [anchor.pem]
    await scene.platform.trust(scene.kyc.identifier, "kyc", entry_id="kyc", x509_anchors=anchors)
    async with sqlite_deployment.context.database.reading() as session:
        own = load_public_key((await get_active_key(session, scene.kyc.member.org_id, ISSUER)).public_jwk)
    key = HOLDER.private.public_key() if certified == "other key" else own
    names = {"uris": ["https://other.example"] if certified == "other name" else [scene.kyc.identifier]}
    asked = AuthorityKeyIdentifier(b"0123456789", None, None)
    chain = write_x5c((ROOT.certify(key, **names, extensions=((asked, False),)),))
    scene.kyc.x5c = {"junk": ["junk"], "none": None}.get(certified, chain)
    scene.wallet.held = [await scene.kyc.issue("kyc", scene.wallet.keys)]
    assert (await scene.platform.verify(credential=scene.wallet.held[0]))["outcome"] == "verified"
    query = {"id": "kyc", "format": "dc+sd-jwt", "meta": {"vct_values": [CREDENTIAL_TYPES["kyc"].vct]}}
    authority = {"type": "aki", "values": [b64url_encode(b"0123456789")]}
    made = await scene.platform.ask(dcql_query={"credentials": [query | {"trusted_authorities": [authority]}]})
    request = await scene.wallet.open(made)
    binding = {"audience": request["client_id"], "nonce": request["nonce"], "issued_at": sqlite_deployment.clock()}
    shown = present_sd_jwt(scene.wallet.held[0], names=[], sign=scene.wallet.keys.sign, **binding)
    await scene.wallet.send(request, {"kyc": [shown]})
    assert (await scene.platform.read(made["id"]))["state"] == state


async def test_a_credential_older_than_its_certificate_is_backdated(platform: Platform, abroad: ForeignIssuer) -> None:
    now = platform.deployment.clock()
    certify(abroad, valid=(timedelta(0), timedelta(days=90)))
    assert (await verify(platform, abroad, iat=int((now - timedelta(hours=23)).timestamp())))["outcome"] == "verified"
    verdict = await verify(platform, abroad, iat=int((now - timedelta(hours=25)).timestamp()))
    assert failed(verdict["checks"]) == {("issuer", "issuer_key_backdated")}


async def test_a_list_must_be_certified_too(platform: Platform, abroad: ForeignIssuer) -> None:
    abroad.x5c = None
    abroad.serve_list(platform.deployment.clock())
    certify(abroad)
    verdict = await verify(platform, abroad)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("undetermined", {("status", "status_unavailable")})


async def test_a_did_web_issuer_is_certified_by_its_host(platform: Platform, abroad: ForeignIssuer) -> None:
    did = f"did:web:localhost%3A{abroad.port}:issuers:abroad"
    assert (await verify(platform, abroad, iss=did))["outcome"] == "verified"


@pytest.mark.parametrize(
    ("issuer", "anchors"),
    [
        ("https://issuer.example", ["no certificate"]),
        ("https://issuer.example", [to_pem(ROOT.certificate, INTERMEDIATE.certificate)]),
        ("https://issuer.example", [to_pem(ROOT.certify(HOLDER.private.public_key()))]),
        ("did:jwk:e30", [ROOT.pem]),
    ],
    ids=["no certificate", "two in one", "no CA", "own key"],
)
async def test_anchors_that_cannot_be_meant_are_refused(platform: Platform, issuer: str, anchors: list[str]) -> None:
    body = {"issuer": issuer, "credential_types": ["kyc"], "x509_anchors": anchors}
    answer = await platform.call("PUT", "/v1/trusted-issuers/two", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "trusted_issuer_invalid")


async def test_anchors_are_shown_as_they_were_given(platform: Platform) -> None:
    assert (await platform.call("GET", "/v1/trusted-issuers/one")).json()["x509_anchors"] == [ROOT.pem]
