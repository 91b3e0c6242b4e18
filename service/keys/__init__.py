"""The only place that holds private keys."""

from service.keys.data_key import DataKey, KeystoreError
from service.keys.keystore import FileKeystore, UnknownKeyError
from service.keys.signer import PublicKey, Signer

__all__ = ["DataKey", "FileKeystore", "KeystoreError", "PublicKey", "Signer", "UnknownKeyError"]
