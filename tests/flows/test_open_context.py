"""What commands meet when they open a deployment."""

from pathlib import Path
from stat import S_IMODE

import pytest

from service.cli.support import DatabaseUnavailableError, open_context
from service.demo.seed import seed_deployment
from service.errors import ConflictError
from service.settings import Settings
from service.storage.tables import Organization
from tests.deployment import BASE_URL, PASSPHRASE, START


def _settings(database_url: str, data_dir: Path) -> Settings:
    return Settings(
        base_url=BASE_URL, database_url=database_url, data_dir=data_dir, key_passphrase=PASSPHRASE, _env_file=None
    )


def _read_modes(folder: Path) -> dict[str, int]:
    return {path.name: S_IMODE(path.stat().st_mode) for path in folder.glob("elsewhere*")}


async def _take_slug_twice(settings: Settings) -> None:
    async with open_context(settings) as context:
        for org_id in ("org_one", "org_two"):
            row = Organization(id=org_id, slug="taken", name="T", roles=[], did="did:web:x", created_at=START)
            async with context.database.transaction() as session:
                session.add(row)


async def _write_to_a_read_only_database(settings: Settings) -> None:
    async with open_context(settings) as context, context.database.reading() as session:
        await (await session.connection()).exec_driver_sql("PRAGMA query_only = 1")
        await (await session.connection()).exec_driver_sql("DELETE FROM organization")


async def test_only_the_owner_reads_the_database(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.sqlite3"
    settings = _settings(f"sqlite+aiosqlite:///{file}", tmp_path / "data")
    async with open_context(settings, with_schema=False) as context, context.database.transaction():
        made = _read_modes(tmp_path)
    assert file.name in made
    assert set(made.values()) == {0o600}  # also of the log beside it


async def test_the_slower_of_two_commands_is_told(migrated_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="run the command again"):
        await _take_slug_twice(_settings(migrated_url, tmp_path))


async def test_a_database_that_fails_is_said_in_one_line(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await _write_to_a_read_only_database(_settings(sqlite_url, tmp_path))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
async def test_a_damaged_seed_file_is_written_anew(sqlite_url: str, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "seed.json"
    async with open_context(_settings(sqlite_url, tmp_path)) as context:
        first = await seed_deployment(context, file)
        file.write_bytes(content)
        second = await seed_deployment(context, file)
        assert await seed_deployment(context, file) == second
    ids = [{name: org["org_id"] for name, org in each["organizations"].items()} for each in (first, second)]
    assert ids[0] == ids[1]
    assert S_IMODE(file.stat().st_mode) == 0o600
