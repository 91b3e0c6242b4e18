"""Errors that only commands, their processes and the operator meet."""

import importlib.util
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.cli.keys import CertificateFileError, KeyPurposeUnknownError, import_certificate, rotate
from service.cli.serve import AddressUnavailableError, serve
from service.cli.support import DatabaseUnavailableError, DataDirectoryError, open_context
from service.demo.processes import DemoError, Finished
from service.linked_data.client import LinkedDataUnavailableError, LinkedDataWorker
from service.organizations.throttle import MAX_FAILURES, WINDOW, FailureThrottle, TooManyFailuresError
from service.settings import Settings
from service.storage.migrate import SchemaOutdatedError
from tests.deployment import BASE_URL

START = datetime(2026, 11, 23, tzinfo=UTC)


def _settings(data_dir: Path, **more: Any) -> Settings:
    return Settings(base_url=BASE_URL, data_dir=data_dir, _env_file=None, **more)


async def test_a_data_directory_that_cannot_be_made() -> None:
    with pytest.raises(DataDirectoryError):
        async with open_context(_settings(Path("/proc/nowhere"))):
            pass


async def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    settings = _settings(tmp_path, database_url="postgresql+asyncpg://u:hidden@127.0.0.1:1/x")
    with pytest.raises(DatabaseUnavailableError) as caught:
        async with open_context(settings):
            pass
    assert "hidden" not in caught.value.detail


async def test_an_outdated_schema(tmp_path: Path) -> None:
    older = tmp_path / "older.sqlite3"
    with closing(sqlite3.connect(older)) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR)")
        database.commit()
    with pytest.raises(SchemaOutdatedError):
        async with open_context(_settings(tmp_path, database_url=f"sqlite+aiosqlite:///{older}")):
            pass


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, sqlite_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv("GOODSTANDING_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GOODSTANDING_DATABASE_URL", sqlite_url)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AddressUnavailableError):
        serve(host="127.0.0.1", port=taken.getsockname()[1], workers=1)


def test_a_key_for_no_purpose() -> None:
    with pytest.raises(KeyPurposeUnknownError):
        rotate(org="system", purpose="other")


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(CertificateFileError, match=r"chain\.pem cannot be read"):
        import_certificate(tmp_path / "chain.pem", org="system", purpose="issuer")


def test_output_that_is_not_the_expected_json() -> None:
    with pytest.raises(DemoError, match="No JSON but: it broke"):
        Finished(1, "", "it broke\n").json()


async def test_a_method_that_needs_didkit_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    worker = LinkedDataWorker()
    with pytest.raises(LinkedDataUnavailableError):
        await worker.resolve_did("did:pkh:eip155:1:0xb9c5714089478a327f09197987f16f9e5d936e8a")
    await worker.close()


def test_failures_are_counted_within_a_window() -> None:
    throttle = FailureThrottle()
    for second in range(MAX_FAILURES):
        throttle.check("client a", START + timedelta(seconds=second))
        throttle.record_failure("client a", START + timedelta(seconds=second))
    with pytest.raises(TooManyFailuresError) as caught:
        throttle.check("client a", START + timedelta(seconds=MAX_FAILURES))
    assert caught.value.retry_after == int(WINDOW.total_seconds()) - MAX_FAILURES
    throttle.check("client b", START)
    throttle.check("client a", START + timedelta(seconds=caught.value.retry_after + MAX_FAILURES))
