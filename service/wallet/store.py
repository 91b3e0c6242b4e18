"""The wallet's directory: every file sealed by the keystore, written whole, readable by its owner only."""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from service.credentials.jose import SignFunction
from service.errors import NotFoundError
from service.keys import FileKeystore, PublicKey
from service.keys.files import create_private_file, read_or_create_passphrase, replace_private_file
from service.wallet.errors import NoWalletError, UsageError
from service.wallet.records import HistoryEntry, PendingCredential, StoredCredential
from service.wallet.trust import VerifierTrust

DEFAULT_HOME = Path("~/.goodstanding/wallet")
HOLDER_KEY_ALGORITHM = "ES256"

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class UnknownCredentialError(NotFoundError):
    """No credential of that id in this wallet."""

    code = "unknown_credential"


def create_wallet(home: Path, passphrase: str | None) -> "Wallet":
    """Create a wallet, or open the one that is there.

    Args:
        home: Its directory.
        passphrase: Protects the keys; ``None`` keeps a random one in the directory itself.

    Raises:
        UsageError: The wallet was made with a passphrase and none is given.
        KeystoreError: Another passphrase.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys, kept = home / "keys", home / "passphrase"
    if passphrase is None:
        if (keys / "keystore.json").exists() and not kept.exists():
            raise UsageError("This wallet has a passphrase of its own; set GOODSTANDING_WALLET_PASSPHRASE.")
        passphrase = read_or_create_passphrase(kept)
    return Wallet(home, FileKeystore(keys, passphrase))


def open_wallet(home: Path, passphrase: str | None) -> "Wallet":
    """Open an existing wallet; errors as ``create_wallet``, and NoWalletError."""
    if not (home / "keys" / "keystore.json").exists():
        raise NoWalletError("There is no wallet in this directory; make one with wallet init.")
    return create_wallet(home, passphrase)


class Wallet:
    """Holder keys, credentials and history of one holder."""

    def __init__(self, home: Path, keystore: FileKeystore) -> None:
        self._home = home
        self._keystore = keystore
        for folder in ("holder", "credentials", "history", "pending"):
            (home / folder).mkdir(exist_ok=True, mode=0o700)

    def create_key(self) -> PublicKey:
        """Make a holder key that no other credential is bound to."""
        return self._keystore.create_key(HOLDER_KEY_ALGORITHM)

    def signing_function(self, kid: str) -> SignFunction:
        """Return what signs with the holder key ``kid``; raises UnknownKeyError."""
        return self._keystore.signing_function(kid)

    def delete_key(self, kid: str) -> None:
        """Destroy a key that was made for one errand."""
        self._keystore.delete_key(kid)

    def shared_key(self, index: int) -> PublicKey:
        """Return the holder key for the copies number ``index`` of all credentials, made on first use.

        Credentials that are shown together must be bound to one key, so copies of one number share one.
        """
        path = self._home / "holder" / f"{index:04}.sealed"
        if not path.exists():
            self._create_shared_key(path)
        return PublicKey(**self._read(path))

    def add_credential(self, credential: StoredCredential, *, stem: str) -> StoredCredential:
        """Store a new credential under a short id that starts with ``stem``; returns it with that id."""
        while True:
            named = replace(credential, id=f"{stem}-{secrets.token_hex(2)}")
            path = self._credential_path(named.id)
            if create_private_file(path, self._seal(path, named.to_json())):
                return named

    def list_credentials(self) -> list[StoredCredential]:
        """Return all credentials, newest first."""
        found = [StoredCredential.from_json(raw) for raw in self._read_all("credentials")]
        return sorted(found, key=lambda item: (item.received_at, item.id), reverse=True)

    def get_credential(self, credential_id: str) -> StoredCredential:
        """Return one credential; raises UnknownCredentialError."""
        path = self._credential_path(credential_id)
        if not path.exists():
            raise UnknownCredentialError("There is no such credential in this wallet.")
        return StoredCredential.from_json(self._read(path))

    def delete_credential(self, credential_id: str) -> None:
        """Forget one credential, and the keys that only it was bound to; raises UnknownCredentialError."""
        credential = self.get_credential(credential_id)
        self._credential_path(credential_id).unlink()
        kept = {copy.kid for item in self.list_credentials() for copy in item.copies}
        kept |= {raw["kid"] for raw in self._read_all("holder")}
        for kid in {copy.kid for copy in credential.copies} - kept:
            self._keystore.delete_key(kid)

    def create_decryption_key(self) -> tuple[dict[str, Any], bytes]:
        """Make a key for one encrypted answer; its public JWK and its private half, sealed."""
        return self._keystore.create_decryption_key()

    def decrypt(self, token: str, sealed_key: bytes, *, max_bytes: int) -> bytes:
        """Open an encrypted answer; raises DecryptionError."""
        return self._keystore.decrypt_jwe(token, sealed_key, max_bytes=max_bytes)

    def write_pending(self, pending: PendingCredential) -> PendingCredential:
        """Store a credential to come back for, under an id if it has none yet; returns it with that id."""
        named = pending if pending.id else replace(pending, id=f"pending-{secrets.token_hex(4)}")
        path = self._home / "pending" / f"{named.id}.sealed"
        replace_private_file(path, self._seal(path, named.to_json()))
        return named

    def list_pending(self) -> list[PendingCredential]:
        """Return the credentials to come back for, the most urgent first."""
        found = [PendingCredential.from_json(raw) for raw in self._read_all("pending")]
        return sorted(found, key=lambda item: (item.next_at, item.id))

    def delete_pending(self, pending: PendingCredential) -> None:
        """Stop waiting for a credential, and destroy the key of its access token."""
        (self._home / "pending" / f"{pending.id}.sealed").unlink(missing_ok=True)
        if pending.dpop_key is not None:
            self._keystore.delete_key(pending.dpop_key.kid)

    def write_history(self, entry: HistoryEntry) -> None:
        """Store a history entry, or replace the one of its id."""
        path = self._home / "history" / f"{entry.id}.sealed"
        replace_private_file(path, self._seal(path, entry.to_json()))

    def list_history(self) -> list[HistoryEntry]:
        """Return who saw what, newest first."""
        found = [HistoryEntry.from_json(raw) for raw in self._read_all("history")]
        return sorted(found, key=lambda entry: entry.id, reverse=True)

    def read_trust(self) -> VerifierTrust:
        """Return who may vouch for verifiers."""
        path = self._home / "trust.sealed"
        return VerifierTrust(**self._read(path)) if path.exists() else VerifierTrust()

    def write_trust(self, trust: VerifierTrust) -> None:
        """Keep who may vouch for verifiers."""
        path = self._home / "trust.sealed"
        replace_private_file(path, self._seal(path, asdict(trust)))

    def _create_shared_key(self, path: Path) -> None:
        key = self.create_key()
        content = {"kid": key.kid, "alg": key.alg, "jwk": dict(key.jwk)}
        if not create_private_file(path, self._seal(path, content)):
            self._keystore.delete_key(key.kid)  # another process was first

    def _credential_path(self, credential_id: str) -> Path:
        if not _ID.fullmatch(credential_id):
            raise UnknownCredentialError("There is no such credential in this wallet.")
        return self._home / "credentials" / f"{credential_id}.sealed"

    # The place is part of the seal, so that no file can be passed off as another.
    def _purpose(self, path: Path) -> str:
        return f"wallet {path.relative_to(self._home).as_posix()}"

    def _seal(self, path: Path, content: Mapping[str, Any]) -> bytes:
        return self._keystore.seal(json.dumps(content).encode(), purpose=self._purpose(path))

    def _read(self, path: Path) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._keystore.unseal(path.read_bytes(), purpose=self._purpose(path)))
        return content

    def _read_all(self, folder: str) -> Iterator[dict[str, Any]]:
        return (self._read(path) for path in sorted((self._home / folder).glob("*.sealed")))
