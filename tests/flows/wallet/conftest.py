"""A wallet, and an issuer and a verifier on loopback ports. Keystores are opened once: scrypt is meant to be slow."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.fetch import Fetcher
from service.keys import FileKeystore
from service.wallet.store import Wallet
from tests.loopback import serving
from tests.wallet_parties import FakeIssuer, FakeVerifier


@pytest.fixture(scope="session")
def party_signer(tmp_path_factory: pytest.TempPathFactory) -> FileKeystore:
    return FileKeystore(tmp_path_factory.mktemp("parties") / "keys", "p")


@pytest.fixture(scope="session")
def holder_keystore(tmp_path_factory: pytest.TempPathFactory) -> FileKeystore:
    return FileKeystore(tmp_path_factory.mktemp("holder") / "keys", "p")


@pytest.fixture
def issuer(party_signer: FileKeystore) -> Iterator[FakeIssuer]:
    made: list[FakeIssuer] = []

    def make(base_url: str) -> FakeIssuer:
        made.append(FakeIssuer(base_url, party_signer))
        return made[0]

    with serving(make):
        yield made[0]


@pytest.fixture
def verifier(party_signer: FileKeystore) -> Iterator[FakeVerifier]:
    made: list[FakeVerifier] = []

    def make(base_url: str) -> FakeVerifier:
        made.append(FakeVerifier(base_url, party_signer))
        return made[0]

    with serving(make):
        yield made[0]


@pytest.fixture
def wallet(tmp_path: Path, holder_keystore: FileKeystore) -> Wallet:
    home = tmp_path / "wallet"
    home.mkdir()
    return Wallet(home, holder_keystore)


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(allow_loopback=True)
    yield fetcher
    await fetcher.close()
