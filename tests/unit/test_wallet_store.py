"""The wallet's directory: sealed, private, and safe from its own ids."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.credentials.sd_jwt import issue_sd_jwt
from service.keys import FileKeystore, KeystoreError, UnknownKeyError
from service.wallet.errors import NoWalletError, UsageError
from service.wallet.records import CredentialCopy, HistoryEntry, StoredCredential
from service.wallet.store import UnknownCredentialError, Wallet, create_wallet, open_wallet

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> FileKeystore:
    return FileKeystore(tmp_path_factory.mktemp("holder"), "p")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def wallet(home: Path, keystore: FileKeystore) -> Wallet:
    return Wallet(home, keystore)


def credential(wallet: Wallet, *, kid: str, received_at: datetime = NOW) -> StoredCredential:
    claims = {"iss": "https://i.example", "vct": "t", "exp": int(NOW.timestamp()), "family_name": "Canary-Lee"}
    claims["status"] = {"status_list": {"idx": 3, "uri": "https://i.example/s"}}
    compact = issue_sd_jwt(
        claims,
        disclosable=("family_name",),
        header={"alg": "ES256"},
        sign=wallet.signing_function(kid),
        new_salt=lambda: secrets.token_urlsafe(16),
    )
    return StoredCredential(
        id="",
        issuer="https://i.example",
        issuer_name="I",
        vct="t",
        format="dc+sd-jwt",
        name="T",
        description="",
        labels={"family_name": "Family name"},
        received_at=received_at,
        copies=(CredentialCopy(kid, compact),),
    )


def entry(entry_id: str, outcome: str) -> HistoryEntry:
    return HistoryEntry(entry_id, NOW, "c", "Canary-Market", "h", outcome, ())


def test_credentials_come_back_newest_first(wallet: Wallet) -> None:
    kid = wallet.shared_key(0).kid
    old = wallet.add_credential(credential(wallet, kid=kid), stem="kyc")
    new = wallet.add_credential(credential(wallet, kid=kid, received_at=NOW + timedelta(hours=1)), stem="kyc")
    assert wallet.list_credentials() == [new, old]
    assert wallet.get_credential(old.id) == old
    assert dict(old.claims) == {"family_name": "Canary-Lee"}
    assert (old.expires_at, old.is_expired(NOW), old.is_expired(NOW - timedelta(seconds=1))) == (NOW, True, False)
    assert [status.index for status in old.statuses] == [3]


def test_nothing_personal_lies_open_and_only_the_owner_reads(home: Path, wallet: Wallet) -> None:
    kid = wallet.shared_key(0).kid
    wallet.add_credential(credential(wallet, kid=kid), stem="kyc")
    wallet.write_history(entry("1", "accepted"))
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        assert b"Canary" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_a_file_cannot_pass_for_another(home: Path, wallet: Wallet) -> None:
    kid = wallet.shared_key(0).kid
    kept = wallet.add_credential(credential(wallet, kid=kid), stem="kyc")
    path = home / "credentials" / f"{kept.id}.sealed"
    path.rename(path.with_name("kyc-other.sealed"))
    with pytest.raises(KeystoreError):
        wallet.list_credentials()


@pytest.mark.parametrize("credential_id", ["", "../holder/0000", "kyc", "KYC-1", "a/b", "\x00", "-x", "x" * 65])
def test_unknown_ids_are_not_paths(wallet: Wallet, credential_id: str) -> None:
    wallet.shared_key(0)
    with pytest.raises(UnknownCredentialError):
        wallet.get_credential(credential_id)
    with pytest.raises(UnknownCredentialError):
        wallet.delete_credential(credential_id)


def test_shared_keys_stay_and_are_distinct(home: Path, wallet: Wallet, keystore: FileKeystore) -> None:
    first, second = wallet.shared_key(0), wallet.shared_key(1)
    assert first.kid != second.kid
    assert Wallet(home, keystore).shared_key(0) == first


def test_deleting_forgets_the_keys_that_nothing_else_needs(wallet: Wallet) -> None:
    shared, own = wallet.shared_key(0).kid, wallet.create_key().kid
    first = wallet.add_credential(credential(wallet, kid=shared), stem="kyc")
    second = wallet.add_credential(credential(wallet, kid=own), stem="kyc")
    wallet.delete_credential(first.id)
    wallet.delete_credential(second.id)
    assert wallet.list_credentials() == []
    wallet.signing_function(shared)
    with pytest.raises(UnknownKeyError):
        wallet.signing_function(own)


def test_history_is_replaced_by_id_and_read_newest_first(wallet: Wallet) -> None:
    wallet.write_history(entry("1", "sending"))
    wallet.write_history(entry("2", "declined"))
    wallet.write_history(entry("1", "accepted"))
    assert [(item.id, item.outcome) for item in wallet.list_history()] == [("2", "declined"), ("1", "accepted")]


def test_wallet_without_passphrase_keeps_its_own(home: Path) -> None:
    with pytest.raises(NoWalletError):
        open_wallet(home, None)
    key = create_wallet(home, None).shared_key(0)
    assert (home / "passphrase").stat().st_mode & 0o077 == 0
    assert open_wallet(home, None).shared_key(0) == key


def test_wallet_with_passphrase_opens_with_no_other(home: Path) -> None:
    create_wallet(home, "right")
    with pytest.raises(KeystoreError):
        open_wallet(home, "wrong")
    with pytest.raises(UsageError):
        open_wallet(home, None)
    assert not (home / "passphrase").exists()
