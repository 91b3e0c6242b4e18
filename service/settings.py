"""The only reader of the environment. Everything else receives values."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.credentials.cosignature import parse_witness
from service.credentials.did_web import MalformedDidError, did_web_from_url
from service.credentials.signed_note import MalformedNoteError
from service.errors import ServiceError

_HOST_AND_PORT = re.compile(r"[^\s/@:]+:[0-9]{1,5}")
_FONTS = (b"\x00\x01\x00\x00", b"true", b"OTTO", b"ttcf")
_RESOLVER = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


class SettingsError(ServiceError):
    """A setting is missing or cannot be used; the service does not start."""

    code = "bad_setting"


class Settings(BaseSettings):
    """Settings from ``GOODSTANDING_*`` or ``.env``; see docs/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix="GOODSTANDING_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    base_url: str = "http://localhost:8000"
    data_dir: Path = Path("data")
    database_url: Annotated[str, Field(repr=False)] = ""  # may hold a password
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    key_passphrase: SecretStr | None = None
    wallet_passphrase: SecretStr | None = None
    fetch_allow: Annotated[tuple[str, ...], NoDecode] = ()
    did_resolver: str | None = None
    log_witnesses: Annotated[tuple[str, ...], NoDecode] = ()
    admin_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    letter_font: Path | None = None
    vc_api: bool = False
    event_retention_days: Annotated[int, Field(ge=7, le=3650)] = 90
    log_level: str = "INFO"

    @field_validator("fetch_allow", "log_witnesses", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("fetch_allow")
    @classmethod
    def _check_fetch_allow(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_HOST_AND_PORT.fullmatch, value)):
            raise ValueError("must be host:port, several separated by commas")
        return value

    @field_validator("log_witnesses")
    @classmethod
    def _check_log_witnesses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            keys = [parse_witness(each).key for each in value]
        except MalformedNoteError:
            keys = []
        if len({(key.name, key.key_id) for key in keys}) != len(value):
            raise ValueError("must be <vkey of a cosigner> <address>, several separated by commas, each once")
        return value

    @field_validator("did_resolver")
    @classmethod
    def _check_did_resolver(cls, value: str | None) -> str | None:
        if value is not None and not _RESOLVER.fullmatch(value):
            raise ValueError("must be an https address without a query, below which DIDs are resolved")
        return value.rstrip("/") if value else None

    @field_validator("letter_font")
    @classmethod
    def _check_letter_font(cls, value: Path | None) -> Path | None:
        try:
            begins = b"ttcf" if value is None else _read_start(value)
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        if begins not in _FONTS:
            raise ValueError("must be a TrueType or OpenType font, or a collection of them")
        return value

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        origin = value.rstrip("/")
        try:
            did_web_from_url(origin)
        except MalformedDidError:
            origin = ""
        if origin.count("/") != 2:
            # did:web and WebAuthn refuse IP addresses, and plain http anywhere but on localhost.
            raise ValueError("must be https://host[:port] with a lower-case host name, or http://localhost[:port]")
        return origin

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        try:  # by hand: the wallet reads settings too, and starts in half the time without SQLAlchemy
            parts = urlsplit(value)
            known = not value or (parts.scheme in ("sqlite+aiosqlite", "postgresql+asyncpg") and "://" in value)
            known = known and (parts.scheme.startswith("sqlite") or parts.port != 0)
        except ValueError:
            known = False
        if not known:
            raise ValueError(
                "must be sqlite+aiosqlite:///<path> or postgresql+asyncpg://<user>:<password>@<host>/<name>"
            )
        return value

    @field_validator("log_level")
    @classmethod
    def _check_log_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @model_validator(mode="after")
    def _default_database(self) -> "Settings":
        if not self.database_url:
            path = (self.data_dir / "goodstanding.sqlite3").absolute()
            object.__setattr__(self, "database_url", f"sqlite+aiosqlite:///{path}")
        return self


def _read_start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(4)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings once.

    Raises:
        SettingsError: One line that names the setting; its value is not repeated, it may be a secret.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        prefix = f"GOODSTANDING_{name}: " if name else ""
        raise SettingsError(prefix + str(first["msg"]).removeprefix("Value error, ")) from None


_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the name is the metrics library's


def share_metrics(folder: str) -> None:
    """Let the worker processes that are started from now on count into files in ``folder``."""
    os.environ[_METRICS_FOLDER] = folder


def read_metrics_folder() -> str | None:
    """Return where the workers' counts lie together; None if this process counts alone."""
    return os.environ.get(_METRICS_FOLDER)


def child_environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that we start: ours, with these values on top."""
    return {**os.environ, **values}
