"""Settings: what is accepted, and that a bad one is named in one line which never repeats its value."""

import re
from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, load_settings

DOCUMENTED = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GOODSTANDING_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> Settings:
    monkeypatch.setenv(f"GOODSTANDING_{name}", value)
    return load_settings()


def test_defaults_are_a_deployment_on_this_machine(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.base_url == "http://localhost:8000"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path / 'data' / 'goodstanding.sqlite3'}"
    assert (settings.workers, settings.admin_port, settings.fetch_allow) == (1, None, ())
    assert settings.key_passphrase is None


@pytest.mark.parametrize("name", [field.upper() for field in Settings.model_fields])
def test_empty_means_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert load(monkeypatch, name, "") == load_settings()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://id.example.com", "https://id.example.com"),
        ("https://id.example.com/", "https://id.example.com"),
        ("https://id.example.com:8443", "https://id.example.com:8443"),
        ("https://xn--exmple-cua.example", "https://xn--exmple-cua.example"),
        ("http://localhost", "http://localhost"),
        ("http://issuer.localhost:9000", "http://issuer.localhost:9000"),
    ],
)
def test_base_url_is_read(monkeypatch: pytest.MonkeyPatch, given: str, read: str) -> None:
    assert load(monkeypatch, "BASE_URL", given).base_url == read


def test_list_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, "FETCH_ALLOW", "issuer.internal:8443, 10.0.0.7:443,")
    assert settings.fetch_allow == ("issuer.internal:8443", "10.0.0.7:443")


def test_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GOODSTANDING_WORKERS=3\nGOODSTANDING_LOG_LEVEL=debug\nOTHER=1\n")
    settings = load(monkeypatch, "WORKERS", "4")
    assert (settings.workers, settings.log_level) == (4, "DEBUG")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_URL", "localhost:8000"),
        ("BASE_URL", "ftp://localhost"),
        ("BASE_URL", "http://example.com"),
        ("BASE_URL", "http://localhost.example.com"),
        ("BASE_URL", "https://192.0.2.1"),
        ("BASE_URL", "https://0x7f.1"),
        ("BASE_URL", "https://[::1]:8000"),
        ("BASE_URL", "https://[half"),
        ("BASE_URL", "https://EXAMPLE.com"),
        ("BASE_URL", "https://ex\N{LATIN SMALL LETTER A WITH DIAERESIS}mple.com"),
        ("BASE_URL", "https://example.com/path"),
        ("BASE_URL", "https://example.com?x"),
        ("BASE_URL", "https://example.com#x"),
        ("BASE_URL", "https://hidden@example.com"),
        ("BASE_URL", "http://localhost:99999"),
        ("DATABASE_URL", "mysql://hidden@db"),
        ("DATABASE_URL", "postgresql://u:hidden@db/x"),
        ("DATABASE_URL", "postgresql+asyncpg://u:hidden@db:port/x"),
        ("DATABASE_URL", "hidden"),
        ("WORKERS", "0"),
        ("WORKERS", "65"),
        ("WORKERS", "hidden"),
        ("ADMIN_PORT", "0"),
        ("ADMIN_PORT", "65536"),
        ("ADMIN_PORT", "hidden"),
        ("LOG_LEVEL", "hidden"),
        ("DID_RESOLVER", "hidden"),
        ("DID_RESOLVER", "ftp://hidden"),
        ("DID_RESOLVER", "https://a/?hidden"),
        ("DID_RESOLVER", "https://hidden@a/"),
        ("LETTER_FONT", "hidden.ttf"),
        ("LETTER_FONT", "/dev/null"),
        ("LETTER_FONT", "/"),
        ("FETCH_ALLOW", "hidden"),
        ("FETCH_ALLOW", "https://hidden:1"),
        ("FETCH_ALLOW", "a:1;hidden:2"),
    ],
)
def test_bad_setting_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, name, value)
    assert caught.value.detail.startswith(f"GOODSTANDING_{name}: ")
    assert "\n" not in caught.value.detail
    assert "hidden" not in caught.value.detail
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_PASSPHRASE", "hidden"),
        ("WALLET_PASSPHRASE", "hidden"),
        ("DATABASE_URL", "postgresql+asyncpg://u:hidden@db/x"),
    ],
)
def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert "hidden" not in repr(load(monkeypatch, name, value))


def test_every_setting_is_documented() -> None:
    documented = re.findall(r"^\| `GOODSTANDING_([A-Z_]+)` \|", DOCUMENTED.read_text(), flags=re.MULTILINE)
    assert documented == [name.upper() for name in Settings.model_fields]
