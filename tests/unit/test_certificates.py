"""Certificate chains: what leads to an anchor, and every way in which one may seem to."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from service.credentials.certificates import (
    MAX_ANCHORS,
    MAX_CERTIFICATES,
    MAX_DER_BYTES,
    CertificateInvalidError,
    CertificateNameError,
    CertificateUntrustedError,
    Chain,
    check_names,
    hash_certificate,
    load_leaf_key,
    read_alternative_names,
    read_pem_certificates,
    read_x5c,
    verify_chain,
    write_x5c,
)
from tests.certificate_support import CA_USAGE, SIGN_USAGE, Authority, new_root, to_pem
from tests.unit.sd_jwt_support import ISSUER, ISSUER_KEYS, NOW

ROOT = new_root(NOW)
INTERMEDIATE = ROOT.delegate()
KEY = ISSUER_KEYS.private.public_key()
HOST = "issuer.example"


def leaf(authority: Authority = INTERMEDIATE, **changes: Any) -> x509.Certificate:
    return authority.certify(KEY, **({"dns": [HOST]} | changes))


GOOD: Chain = (leaf(), INTERMEDIATE.certificate)


def refuse(chain: Chain, anchors: Chain = (ROOT.certificate,), now: Any = NOW) -> None:
    with pytest.raises(CertificateUntrustedError):
        verify_chain(chain, anchors, now=now)


def test_a_chain_leads_to_its_anchor() -> None:
    other = new_root(NOW, "Other")
    anchors = (other.certificate, ROOT.certificate)
    assert verify_chain(read_x5c(write_x5c(GOOD)), anchors, now=NOW) == ROOT.certificate
    assert verify_chain((leaf(ROOT),), anchors, now=NOW) == ROOT.certificate
    assert load_leaf_key(GOOD).jwk == ISSUER_KEYS.jwk


def test_an_intermediate_may_be_the_anchor() -> None:
    assert verify_chain(GOOD[:1], (INTERMEDIATE.certificate,), now=NOW) == INTERMEDIATE.certificate


def test_no_anchor_trusts_nothing() -> None:
    refuse(GOOD, ())
    refuse(GOOD, (new_root(NOW, "Root").certificate,))  # the same name, another key


def test_the_anchor_stays_at_home() -> None:
    refuse((*GOOD, ROOT.certificate))
    refuse((ROOT.certificate,))


def test_a_self_signed_leaf_is_refused_even_as_an_anchor() -> None:
    lonely = new_root(NOW, "Lonely", extensions=((SIGN_USAGE, True),)).certificate
    refuse((lonely,))
    refuse((lonely,), (lonely,))


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 0, 2), (2, 1, 0), (0, 1, 2, 2), (0, 1, 2, 3)])
def test_the_order_is_the_order_of_certification(order: tuple[int, ...]) -> None:
    second = INTERMEDIATE.delegate("second")
    chain = (leaf(second), second.certificate, INTERMEDIATE.certificate)
    stray = ROOT.delegate("stray").certificate
    assert verify_chain(chain, (ROOT.certificate,), now=NOW) == ROOT.certificate
    refuse(tuple([*chain, stray][number] for number in order))


def test_every_certificate_must_be_valid_at_the_time() -> None:
    for now in (NOW - timedelta(days=2), NOW + timedelta(days=91)):
        refuse(GOOD, now=now)
    old = ROOT.delegate(valid=(timedelta(days=-30), timedelta(days=-1)))
    refuse((leaf(old), old.certificate))
    past = new_root(NOW, valid=(timedelta(days=-30), timedelta(days=-1)))
    refuse((leaf(past),), (past.certificate,))


def _below(*authorities: Authority) -> Chain:
    return (leaf(authorities[-1]), *(each.certificate for each in reversed(authorities)))


def _too_deep() -> Chain:
    first = ROOT.delegate(path_length=0)
    return _below(first, first.delegate("second"))


def _no_constraints() -> Chain:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = ROOT.certify(key.public_key(), common_name="plain", extensions=((CA_USAGE, True),))
    return _below(Authority(certificate, key, NOW))


def _leaf_as_ca() -> Chain:
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = ((x509.BasicConstraints(False, None), True), (SIGN_USAGE, True))
    return _below(Authority(ROOT.certify(key.public_key(), extensions=extensions), key, NOW))


def _ca_without_signing_certificates() -> Chain:
    return _below(ROOT.delegate(extensions=((SIGN_USAGE, True),)))


def _other_domain() -> Chain:
    constraints = x509.NameConstraints([x509.DNSName("elsewhere.example")], None)
    return _below(ROOT.delegate(extensions=((CA_USAGE, True), (constraints, True))))


def _forged_signature() -> Chain:
    impostor = Authority(INTERMEDIATE.certificate, ec.generate_private_key(ec.SECP256R1()), NOW)
    return (leaf(impostor), INTERMEDIATE.certificate)


def _unknown_critical() -> Chain:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    return (leaf(extensions=((unknown, True),)), INTERMEDIATE.certificate)


def _with(*extensions: x509.ExtensionType) -> Chain:
    return (leaf(extensions=[(each, True) for each in extensions]), INTERMEDIATE.certificate)


@pytest.mark.parametrize(
    "build",
    [
        _too_deep,
        _no_constraints,
        _leaf_as_ca,
        _ca_without_signing_certificates,
        _other_domain,
        _forged_signature,
        _unknown_critical,
        lambda: _with(x509.BasicConstraints(True, None)),
        lambda: _with(CA_USAGE),
        lambda: _with(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])),
        lambda: _with(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING, ExtendedKeyUsageOID.TIME_STAMPING])),
    ],
    ids=[
        "path length",
        "no basic constraints",
        "leaf as ca",
        "no keyCertSign",
        "name constraints",
        "forged",
        "unknown critical extension",
        "leaf is a ca",
        "leaf may not sign",
        "leaf signs code",
        "leaf signs time",
    ],
)
def test_a_path_that_breaks_a_rule_is_none(build: Callable[[], Chain]) -> None:
    refuse(build())


@pytest.mark.parametrize(
    "purposes",
    [
        [ExtendedKeyUsageOID.SERVER_AUTH],
        [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.CODE_SIGNING],
        [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE],
        [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")],
    ],
)
def test_purposes_that_fit_are_accepted(purposes: list[x509.ObjectIdentifier]) -> None:
    assert verify_chain(_with(SIGN_USAGE, x509.ExtendedKeyUsage(purposes)), (ROOT.certificate,), now=NOW)


@pytest.mark.parametrize("identifier", [ISSUER, ISSUER.upper().replace("HTTPS", "https"), f"https://{HOST}:8443"])
def test_a_dns_name_stands_for_its_host(identifier: str) -> None:
    check_names(GOOD, ROOT.certificate, expected_names=[identifier])


@pytest.mark.parametrize(
    "identifier",
    [
        "https://other.example/issuers/broker",
        f"https://sub.{HOST}",
        f"https://{HOST}.evil.example",
        f"https://{HOST}@evil.example",
        f"ftp://{HOST}",
        f"did:web:{HOST}",
        HOST,
        "https://[",
        "",
    ],
)
def test_a_certificate_stands_for_nobody_else(identifier: str) -> None:
    with pytest.raises(CertificateNameError):
        check_names(GOOD, ROOT.certificate, expected_names=[identifier])


def test_no_wildcard_and_no_common_name_stands_for_a_host() -> None:
    for changes in ({"dns": ["*.example"]}, {"dns": [], "common_name": HOST}, {"dns": [], "uris": [f"{ISSUER}/x"]}):
        with pytest.raises(CertificateNameError):
            check_names((leaf(**changes),), ROOT.certificate, expected_names=[ISSUER])


def test_an_empty_dns_name_stands_for_nobody() -> None:
    for identifier in ("did:web:issuer.example", "https://[", ""):
        with pytest.raises(CertificateNameError):
            check_names((leaf(dns=[""]),), ROOT.certificate, expected_names=[identifier])


def test_a_uri_stands_for_the_whole_identifier() -> None:
    certificate = leaf(dns=[], uris=[ISSUER, "did:web:issuer.example"])
    check_names((certificate,), ROOT.certificate, expected_names=[ISSUER])
    check_names((certificate,), ROOT.certificate, expected_names=["did:web:issuer.example"])
    assert read_alternative_names(certificate).dns == frozenset()


def test_a_uri_is_no_way_round_name_constraints() -> None:
    constraints = x509.NameConstraints([x509.DNSName("elsewhere.example")], None)
    below = ROOT.delegate(extensions=((CA_USAGE, True), (constraints, True)))
    chain = (leaf(below, dns=["elsewhere.example"], uris=[ISSUER]), below.certificate)
    anchor = verify_chain(chain, (ROOT.certificate,), now=NOW)
    with pytest.raises(CertificateNameError):
        check_names(chain, anchor, expected_names=[ISSUER])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        {},
        [],
        [None],
        [1],
        [""],
        ["A"],
        ["é"],
        [to_pem(GOOD[0])],
        [base64.urlsafe_b64encode(GOOD[0].public_bytes(Encoding.DER)).decode().rstrip("=") + "-"],
        [write_x5c(GOOD)[0] + "\n"],
        [base64.b64encode(GOOD[0].public_bytes(Encoding.DER) + b"\0").decode()],
        [base64.b64encode(GOOD[0].public_bytes(Encoding.DER)[:-1]).decode()],
        ["A" * (MAX_DER_BYTES * 2)],
        write_x5c(GOOD[:1]) * (MAX_CERTIFICATES + 1),
    ],
)
def test_x5c_that_cannot_be_read_is_refused(value: Any) -> None:
    with pytest.raises(CertificateInvalidError):
        read_x5c(value)


def test_a_certificate_of_any_size_is_refused_unread() -> None:
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(MAX_DER_BYTES))
    with pytest.raises(CertificateInvalidError):
        read_x5c(write_x5c([leaf(extensions=((padding, False),))]))


def test_keys_that_we_do_not_verify_with_are_refused() -> None:
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP521R1())):
        with pytest.raises(CertificateInvalidError):
            load_leaf_key((ROOT.certify(key.public_key()),))
    for supported in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        assert load_leaf_key((ROOT.certify(supported.public_key()),)).alg in ("EdDSA", "ES384")


def test_pem_files_are_read_in_order() -> None:
    assert read_pem_certificates(to_pem(*GOOD)) == GOOD
    for pem in ("", "x", to_pem(GOOD[0])[:-40], to_pem(GOOD[0]) * (MAX_ANCHORS + 1), "x" * 1_000_000):
        with pytest.raises(CertificateInvalidError):
            read_pem_certificates(pem)


def test_the_hash_is_of_the_der_form() -> None:
    assert len(hash_certificate(GOOD[0])) == 43
    assert hash_certificate(GOOD[0]) != hash_certificate(GOOD[1])
