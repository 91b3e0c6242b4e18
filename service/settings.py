"""The only reader of the environment. Everything else receives values."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import ServiceError


class SettingsError(ServiceError):
    """A setting is missing or cannot be used; the service does not start."""

    code = "bad_setting"


def _is_ip_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


class Settings(BaseSettings):
    """Settings from ``GOODSTANDING_*`` or ``.env``; see docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="GOODSTANDING_", env_file=".env", extra="ignore", frozen=True)

    base_url: str = "http://localhost:8000"
    data_dir: Path = Path("data")
    database_url: str = ""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    key_passphrase: SecretStr | None = None
    wallet_passphrase: SecretStr | None = None
    fetch_allow: Annotated[tuple[str, ...], NoDecode] = ()
    admin_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    log_level: str = "INFO"

    @field_validator("fetch_allow", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        parts = urlsplit(value.rstrip("/"))
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host or parts.path or parts.query or parts.fragment:
            raise ValueError("must be http(s)://host[:port] without a path")
        if _is_ip_address(host):
            raise ValueError("must name a host, not an IP address: did:web and WebAuthn refuse addresses")
        if parts.scheme == "http" and host != "localhost" and not host.endswith(".localhost"):
            raise ValueError("plain http is allowed for localhost only")
        return value.rstrip("/")

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
        if not self.database_url.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
            raise ValueError("database_url must start with sqlite+aiosqlite:/// or postgresql+asyncpg://")
        return self


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
