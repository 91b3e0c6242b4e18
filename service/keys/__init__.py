"""The only place that holds private keys."""

from service.keys.keystore import FileKeystore, KeystoreError, UnknownKeyError
from service.keys.signer import PublicKey, Signer

__all__ = ["FileKeystore", "KeystoreError", "PublicKey", "Signer", "UnknownKeyError"]
