"""Certificate signing requests (PKCS #10, RFC 2986), which only the holder of the private key can make."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

COMMON_NAME_SIZE = 64  # RFC 5280, appendix A.1: ub-common-name


def sign_certificate_request(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, *, common_name: str, dns_name: str, uri: str
) -> str:
    """Return a request as PEM; arguments as ``Signer.create_certificate_request``."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:COMMON_NAME_SIZE])])
    names = x509.SubjectAlternativeName([x509.DNSName(dns_name), x509.UniformResourceIdentifier(uri)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()
