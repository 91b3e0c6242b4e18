"""What the rest of the service may ask of a key holder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from service.keys.data_key import DataKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a stored key; ``kid`` is its thumbprint (RFC 7638), ``alg`` ES256, ES384, EdDSA or ECDH-ES."""

    kid: str
    alg: str
    jwk: Mapping[str, Any]


class Signer(Protocol):
    """Keys that never leave their holder: a file keystore today."""

    def create_key(self, alg: str) -> PublicKey:
        """Make and store a key: alg ES256, ES384 or EdDSA signs, ECDH-ES decrypts, and neither does the other."""

    def signing_function(self, kid: str) -> Callable[[bytes], bytes]:
        """Return a function from a JWS signing input to its raw signature.

        Raises:
            UnknownKeyError: No such key here.
        """

    def create_certificate_request(self, kid: str, *, common_name: str, dns_name: str, uri: str) -> str:
        """Ask for a certificate of a signing key; returns PKCS #10 as PEM.

        Args:
            kid: The key.
            common_name: Of the subject; cut at 64 characters.
            dns_name: Subject alternative name: the host that the owner answers at.
            uri: Subject alternative name: the owner's identifier.

        Raises:
            UnknownKeyError: No such key here.
        """

    def create_decryption_key(self) -> tuple[dict[str, Any], bytes]:
        """Make an ephemeral P-256 key; return its public JWK and the private half, sealed."""

    def decrypt_jwe(self, token: str, sealed_key: bytes, *, max_bytes: int) -> bytes:
        """Open a compact ECDH-ES JWE (A128GCM or A256GCM) with a sealed key.

        Raises:
            DecryptionError: Not for this key, malformed, or larger than ``max_bytes`` inside.
        """

    def decrypt_jwe_with(self, kid: str, token: str, *, max_bytes: int) -> bytes:
        """Open such a JWE with a stored ECDH-ES key; errors as ``decrypt_jwe``.

        Raises:
            UnknownKeyError: No such key here.
        """

    def seal(self, data: bytes, *, purpose: str) -> bytes:
        """Encrypt a small value for storage; only ``unseal`` with the same purpose opens it."""

    def unseal(self, sealed: bytes, *, purpose: str) -> bytes:
        """Open what ``seal`` made.

        Raises:
            KeystoreError: Altered, or sealed for another purpose or by another keystore.
        """

    def authenticate(self, data: bytes, *, purpose: str) -> bytes:
        """Return a 32-byte keyed digest of ``data``, the same in every process of the deployment."""

    def create_data_key(self, *, purpose: str) -> bytes:
        """Make a random key for one subject's data; return it wrapped, for storage."""

    def open_data_key(self, wrapped: bytes, *, purpose: str) -> DataKey:
        """Open what ``create_data_key`` made for the same purpose.

        Raises:
            KeystoreError: Altered, made for another purpose, or its wrapping key is gone.
        """

    def rewrap_data_key(self, wrapped: bytes, *, purpose: str) -> bytes | None:
        """Wrap the same data key under the newest wrapping key; None if it is already. Errors as opening it."""

    def list_wrapping_keys(self) -> list[int]:
        """Return the numbers of the keys that wrap data keys, oldest first."""

    def create_wrapping_key(self) -> int:
        """Make the next wrapping key, and return its number."""

    def wrapping_key_superseded_at(self, number: int) -> float:
        """Return when the key after this one was made, in seconds of the epoch."""

    def destroy_wrapping_key(self, number: int) -> None:
        """Destroy a wrapping key: what only it opens is lost, in every copy of the database."""
