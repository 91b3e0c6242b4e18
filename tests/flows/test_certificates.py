"""Certificates for our own keys: what is kept, and where it goes along."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from service.credentials.certificates import (
    CertificateInvalidError,
    CertificateNameError,
    CertificateUntrustedError,
    read_x5c,
    verify_chain,
)
from service.credentials.jose import parse_jws
from service.storage.tables import SigningKey
from service.web.certification import import_certificate, name_for_certificate, request_certificate
from service.web.signing import ISSUER, VERIFIER, get_active_key, get_x5c, rotate_signing_key
from tests.certificate_support import Authority, load_public_key, new_root, to_pem
from tests.deployment import BASE_URL, Deployment, Member
from tests.issuing_support import Wallet, add_issuer, make_offer
from tests.prepared import prepared


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


async def read_key(deployment: Deployment, member: Member, purpose: str = ISSUER) -> SigningKey:
    async with deployment.context.database.reading() as session:
        return await get_active_key(session, member.org_id, purpose)


async def keep(
    deployment: Deployment, member: Member, pem: str, anchor: str | None = None, purpose: str = ISSUER
) -> None:
    async with deployment.context.database.transaction() as session:
        import_certificate(
            session,
            await get_active_key(session, member.org_id, purpose),
            pem=pem,
            anchor_pem=anchor,
            expected_name=name_for_certificate(member.organization, purpose, BASE_URL),
            now=deployment.clock(),
        )


async def certify(deployment: Deployment, member: Member, authority: Authority, **changes: Any) -> x509.Certificate:
    """Certify the organisation's present key as its request asks."""
    key = await read_key(deployment, member)
    pem = request_certificate(deployment.context.signer, key, member.organization, BASE_URL)
    request = x509.load_pem_x509_csr(pem.encode())
    assert request.is_signature_valid
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    asked = {
        "dns": names.get_values_for_type(x509.DNSName),
        "uris": names.get_values_for_type(x509.UniformResourceIdentifier),
    }
    assert asked == {"dns": ["localhost"], "uris": [f"{BASE_URL}/issuers/kyc"]}
    return authority.certify(request.public_key(), **(asked | changes))


async def read_headers(deployment: Deployment, member: Member) -> list[dict[str, Any]]:
    """Return the headers of a fresh credential, its status list token and the signed metadata."""
    redeemed = await Wallet(deployment, member).redeem(await make_offer(deployment, member))
    (entry,) = redeemed.json()["credentials"]
    lists = await deployment.http.get("/issuers/kyc/status-lists")
    token = await deployment.http.get(lists.json()["status_lists"][0])
    metadata = await deployment.http.get(
        "/.well-known/openid-credential-issuer/issuers/kyc", headers={"Accept": "application/jwt"}
    )
    tokens = (entry["credential"].partition("~")[0], token.text, metadata.text)
    return [parse_jws(each, max_bytes=10**6).header for each in tokens]


async def test_what_a_certified_key_signs_carries_its_chain(sqlite_deployment: Deployment, member: Member) -> None:
    deployment = sqlite_deployment
    assert all("x5c" not in header for header in await read_headers(deployment, member))
    root = new_root(deployment.clock())
    below = root.delegate()
    certificate = await certify(deployment, member, below)
    await keep(deployment, member, to_pem(certificate, below.certificate, root.certificate))
    deployment.clock.advance(minutes=1)
    for header in await read_headers(deployment, member):
        chain = read_x5c(header["x5c"])
        assert chain == (certificate, below.certificate)
        assert verify_chain(chain, (root.certificate,), now=deployment.clock()) == root.certificate
        assert header["kid"] == (await read_key(deployment, member)).kid


async def test_a_certificate_that_ran_out_or_another_key_sends_none(
    sqlite_deployment: Deployment, member: Member
) -> None:
    deployment = sqlite_deployment
    root = new_root(deployment.clock())
    await keep(deployment, member, to_pem(await certify(deployment, member, root)), root.pem)
    key = await read_key(deployment, member)
    assert get_x5c(key, deployment.clock()) is not None
    assert get_x5c(key, deployment.clock() - timedelta(days=2)) is None
    deployment.clock.advance(days=90)
    assert all("x5c" not in header for header in await read_headers(deployment, member))
    deployment.clock.advance(days=-80)
    async with deployment.context.database.transaction() as session:
        await rotate_signing_key(
            session, deployment.context.signer, org_id=member.org_id, purpose=ISSUER, now=deployment.clock()
        )
    assert all("x5c" not in header for header in await read_headers(deployment, member))


async def test_a_chain_that_others_would_refuse_is_not_kept(sqlite_deployment: Deployment, member: Member) -> None:
    deployment = sqlite_deployment
    root = new_root(deployment.clock())
    below = root.delegate()
    good = await certify(deployment, member, below)
    stranger = below.certify(load_public_key(Wallet(deployment, member).new_key().jwk))
    elsewhere = await certify(deployment, member, below, dns=["elsewhere.example"], uris=[])
    expired = await certify(deployment, member, below, valid=(timedelta(days=-9), timedelta(days=-1)))
    for pem, anchor, error in (
        (to_pem(good, below.certificate), None, CertificateInvalidError),
        (to_pem(stranger, below.certificate), root.pem, CertificateInvalidError),
        ("no certificate", root.pem, CertificateInvalidError),
        (to_pem(good), root.pem, CertificateUntrustedError),
        (to_pem(good, below.certificate), new_root(deployment.clock()).pem, CertificateUntrustedError),
        (to_pem(expired, below.certificate), root.pem, CertificateUntrustedError),
        (to_pem(elsewhere, below.certificate), root.pem, CertificateNameError),
    ):
        with pytest.raises(error):
            await keep(deployment, member, pem, anchor)
    assert (await read_key(deployment, member)).x5c is None


async def test_a_verifiers_certificate_names_the_host_that_answers(sqlite_deployment: Deployment) -> None:
    deployment = sqlite_deployment
    venue = await deployment.add_organization("venue", "platform")
    root = new_root(deployment.clock())
    key = await read_key(deployment, venue, VERIFIER)
    for dns in (["elsewhere.example"], ["localhost"]):
        certificate = root.certify(load_public_key(key.public_jwk), dns=dns, uris=[venue.organization.did])
        if dns != ["localhost"]:
            with pytest.raises(CertificateNameError):
                await keep(deployment, venue, to_pem(certificate), root.pem, VERIFIER)
    await keep(deployment, venue, to_pem(certificate), root.pem, VERIFIER)
    assert get_x5c(await read_key(deployment, venue, VERIFIER), deployment.clock()) is not None
