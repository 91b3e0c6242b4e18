"""A certification authority for tests, which also certifies what no honest one would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from service.credentials.jose import load_key

CA_USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
SIGN_USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def build_name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def load_public_key(jwk: Mapping[str, Any]) -> Any:
    return load_key(jwk).key


def to_pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


@dataclass(frozen=True)
class Authority:
    """A CA: its certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    now: datetime

    @property
    def pem(self) -> str:
        return to_pem(self.certificate)

    def certify(
        self,
        key: Any,
        *,
        common_name: str = "leaf",
        dns: Sequence[str] = (),
        uris: Sequence[str] = (),
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = ((SIGN_USAGE, True),),
        valid: tuple[timedelta, timedelta] = (timedelta(days=-1), timedelta(days=90)),
        algorithm: Any = None,
    ) -> x509.Certificate:
        """Certify a public key; ``valid`` is counted from the authority's ``now``."""
        names = [*map(x509.DNSName, dns), *map(x509.UniformResourceIdentifier, uris)]
        more = [(x509.SubjectAlternativeName(names), False)] if names else []
        builder = _start(build_name(common_name), self.certificate.subject, key, self.now, valid)
        for extension, critical in (*extensions, *more):
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, algorithm or hashes.SHA256())

    def delegate(
        self,
        common_name: str = "intermediate",
        *,
        path_length: int | None = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = ((CA_USAGE, True),),
        **more: Any,
    ) -> "Authority":
        """Make a CA below this one; ``extensions`` stand beside the basic constraints."""
        key = ec.generate_private_key(ec.SECP256R1())
        constraints = (x509.BasicConstraints(True, path_length), True)
        certificate = self.certify(
            key.public_key(), common_name=common_name, extensions=(constraints, *extensions), **more
        )
        return Authority(certificate, key, self.now)


def _start(
    subject: x509.Name, issuer: x509.Name, key: Any, now: datetime, valid: tuple[timedelta, timedelta]
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now + valid[0]).not_valid_after(now + valid[1])


def new_root(now: datetime, common_name: str = "Root", **more: Any) -> Authority:
    """Make a self-signed CA that is valid for a year before and after ``now``."""
    key = ec.generate_private_key(ec.SECP256R1())
    valid = more.pop("valid", (timedelta(days=-365), timedelta(days=365)))
    builder = _start(build_name(common_name), build_name(common_name), key.public_key(), now, valid)
    for extension, critical in more.pop("extensions", ((x509.BasicConstraints(True, None), True), (CA_USAGE, True))):
        builder = builder.add_extension(extension, critical)
    return Authority(builder.sign(key, hashes.SHA256()), key, now)
