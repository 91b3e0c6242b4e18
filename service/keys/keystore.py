"""An encrypted file keystore: one file a key, AES-256-GCM under a key derived from a passphrase (scrypt)."""

import base64
import hmac
import json
import os
import secrets
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from joserfc.jwk import ECKey

from service.credentials.jose import jwk_thumbprint
from service.keys import jwe
from service.keys.certificate_request import sign_certificate_request
from service.keys.data_key import DataKey, KeystoreError, WrappingKeys, read_number, seal, unseal
from service.keys.files import create_private_file
from service.keys.signer import PublicKey

SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1  # about 0.1 s and 32 MiB, once per process
_HEADER_FILE = "keystore.json"
_CHECK = b"goodstanding keystore"
_SIGNING, _DECRYPTING = b"key ", b"decryption key "  # part of the seal: a key of one use never does the other
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class UnknownKeyError(KeystoreError):
    """No key of that id is stored here."""

    code = "key_not_stored"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _b64url_uint(value: int, size: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode()


def _public_jwk(key: _PrivateKey) -> dict[str, Any]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}
    numbers, size = key.public_key().public_numbers(), key.key_size // 8
    return {
        "kty": "EC",
        "crv": f"P-{key.key_size}",
        "x": _b64url_uint(numbers.x, size),
        "y": _b64url_uint(numbers.y, size),
    }


def _signing_function(key: _PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign

    size = key.key_size // 8
    algorithm = ec.ECDSA(hashes.SHA256() if size == 32 else hashes.SHA384())

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, algorithm))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


class FileKeystore:
    """The ``Signer`` for one machine; several processes may share the directory.

    Args:
        directory: Created with mode 0700 if missing.
        passphrase: Protects every file in it.

    Raises:
        KeystoreError: The passphrase is wrong or the directory is not a keystore.
    """

    def __init__(self, directory: Path, passphrase: str) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        header_path = directory / _HEADER_FILE
        if not header_path.exists():
            self._create_header(header_path, passphrase)
        salt, check = self._read_header(header_path)
        root = self._derive_root(passphrase, salt)
        self._aead = AESGCM(self._subkey(root, b"seal"))
        self._mac_key = self._subkey(root, b"mac")
        self._signing: dict[str, Callable[[bytes], bytes]] = {}
        self._wrapping = WrappingKeys(directory, self._seal, self._open)
        if self._open(check, b"check") != _CHECK:
            raise KeystoreError("The keystore is damaged.")

    @staticmethod
    def _read_header(path: Path) -> tuple[bytes, bytes]:
        try:
            header = json.loads(path.read_bytes())
            return base64.b64decode(header["salt"]), base64.b64decode(header["check"])
        except (ValueError, KeyError, TypeError):
            raise KeystoreError(f"The keystore's {path.name} is damaged; restore it from a backup.") from None

    @staticmethod
    @lru_cache(maxsize=8)  # slow by design; a process that opens its keystore twice pays once
    def _derive_root(passphrase: str, salt: bytes) -> bytes:
        return Scrypt(salt=salt, length=32, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(passphrase.encode())

    @staticmethod
    def _subkey(root: bytes, label: bytes) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"goodstanding " + label).derive(root)

    def _create_header(self, path: Path, passphrase: str) -> None:
        salt = secrets.token_bytes(16)
        aead = AESGCM(self._subkey(self._derive_root(passphrase, salt), b"seal"))
        header = {"version": 1, "kdf": "scrypt", "salt": _b64(salt), "check": _b64(seal(aead, _CHECK, b"check"))}
        create_private_file(path, json.dumps(header).encode())

    def _seal(self, data: bytes, context: bytes) -> bytes:
        return seal(self._aead, data, context)

    def _open(self, sealed: bytes, context: bytes) -> bytes:
        return unseal(self._aead, sealed, context)

    def _path(self, kid: str) -> Path:
        if not kid or not all(c.isascii() and (c.isalnum() or c in "-_") for c in kid):
            raise UnknownKeyError("No such key.")
        return self._directory / f"{kid}.key"

    def create_key(self, alg: str) -> PublicKey:
        """See ``Signer.create_key``."""
        makers: dict[str, Callable[[], _PrivateKey]] = {
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
            jwe.ALGORITHM: lambda: ec.generate_private_key(ec.SECP256R1()),
        }
        key = makers[alg]()
        jwk = _public_jwk(key)
        kid = jwk_thumbprint(jwk)
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        use = _DECRYPTING if alg == jwe.ALGORITHM else _SIGNING
        create_private_file(self._path(kid), self._seal(der, use + kid.encode()))
        return PublicKey(kid=kid, alg=alg, jwk=jwk)

    def signing_function(self, kid: str) -> Callable[[bytes], bytes]:
        """See ``Signer.signing_function``. Reads the file on first use, so keys made by another process work."""
        if kid not in self._signing:
            self._signing[kid] = _signing_function(self._load(kid, _SIGNING))
        return self._signing[kid]

    def _load(self, kid: str, use: bytes) -> _PrivateKey:
        path = self._path(kid)
        if not path.exists():
            raise UnknownKeyError("No such key.")
        key = serialization.load_der_private_key(self._open(path.read_bytes(), use + kid.encode()), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise KeystoreError("The stored key is of an unknown kind.")
        return key

    def create_certificate_request(self, kid: str, *, common_name: str, dns_name: str, uri: str) -> str:
        """See ``Signer.create_certificate_request``."""
        key = self._load(kid, _SIGNING)
        return sign_certificate_request(key, common_name=common_name, dns_name=dns_name, uri=uri)

    def delete_key(self, kid: str) -> None:
        """Destroy a private key; signatures made with it stay verifiable."""
        self._signing.pop(kid, None)
        os.unlink(self._path(kid))

    def create_decryption_key(self) -> tuple[dict[str, Any], bytes]:
        """See ``Signer.create_decryption_key``."""
        key = ECKey.generate_key("P-256")
        private = json.dumps(key.as_dict(private=True)).encode()
        public = {name: str(value) for name, value in key.as_dict(private=False).items()}
        return public | {"kid": jwk_thumbprint(public)}, self.seal(private, purpose="decryption-key")

    def decrypt_jwe(self, token: str, sealed_key: bytes, *, max_bytes: int) -> bytes:
        """See ``Signer.decrypt_jwe``."""
        private = json.loads(self.unseal(sealed_key, purpose="decryption-key"))
        return jwe.decrypt(token, private | {"kid": jwk_thumbprint(private)}, max_bytes=max_bytes)

    def decrypt_jwe_with(self, kid: str, token: str, *, max_bytes: int) -> bytes:
        """See ``Signer.decrypt_jwe_with``."""
        key = self._load(kid, _DECRYPTING)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        private = _public_jwk(key) | {"d": _b64url_uint(key.private_numbers().private_value, 32)}
        return jwe.decrypt(token, private, max_bytes=max_bytes)

    def seal(self, data: bytes, *, purpose: str) -> bytes:
        """See ``Signer.seal``."""
        return self._seal(data, b"seal " + purpose.encode())

    def unseal(self, sealed: bytes, *, purpose: str) -> bytes:
        """See ``Signer.unseal``."""
        return self._open(sealed, b"seal " + purpose.encode())

    def authenticate(self, data: bytes, *, purpose: str) -> bytes:
        """See ``Signer.authenticate``."""
        return hmac.digest(self._mac_key, purpose.encode() + b"\x00" + data, "sha256")

    def create_data_key(self, *, purpose: str) -> bytes:
        """See ``Signer.create_data_key``."""
        return self._wrapping.wrap_new(purpose.encode())

    def open_data_key(self, wrapped: bytes, *, purpose: str) -> DataKey:
        """See ``Signer.open_data_key``."""
        return self._wrapping.open(wrapped, purpose.encode())

    def rewrap_data_key(self, wrapped: bytes, *, purpose: str) -> bytes | None:
        """See ``Signer.rewrap_data_key``."""
        if read_number(wrapped) == max(self._wrapping.list_numbers(), default=0):
            return None
        return self._wrapping.wrap_again(wrapped, purpose.encode())

    def list_wrapping_keys(self) -> list[int]:
        """See ``Signer.list_wrapping_keys``."""
        return self._wrapping.list_numbers()

    def create_wrapping_key(self) -> int:
        """See ``Signer.create_wrapping_key``."""
        return self._wrapping.create()

    def wrapping_key_superseded_at(self, number: int) -> float:
        """See ``Signer.wrapping_key_superseded_at``."""
        return self._wrapping.superseded_at(number)

    def destroy_wrapping_key(self, number: int) -> None:
        """See ``Signer.destroy_wrapping_key``."""
        self._wrapping.destroy(number)
