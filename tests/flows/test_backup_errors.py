"""What keeps a backup from being made or restored, without a process of its own for each."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from service.cli.backup import OtherKeysError, PassphraseMissingError, restore
from service.cli.backup_files import BackupDamagedError, BackupExistsError, new_backup_folder, read_manifest
from service.cli.backup_files import write_manifest as write
from service.storage.backup import (
    DatabaseCopyError,
    DatabaseInUseError,
    DatabaseProgramMissingError,
    copy_sqlite,
    dump_postgres,
    load_postgres,
    release_sqlite,
)

NOWHERE = "postgresql+asyncpg://u:hidden@127.0.0.1:1/x"


def make_database(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,) for _ in range(100)])
    return path


def make_backup(folder: Path) -> Path:
    with new_backup_folder(folder) as draft:
        (draft / "database.sqlite3").write_bytes(b"")
        (draft / "keys").mkdir()
        (draft / "keys" / "keystore.json").write_text("{}")
        write(draft, made_at="", base_url="", database="sqlite", schema="", log_size=0)
    return folder


def test_a_database_in_use_is_copied_and_not_replaced(tmp_path: Path) -> None:
    source = make_database(tmp_path / "source")
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM t")
        copy_sqlite(source, tmp_path / "copy")
        writer.execute("COMMIT")
        with pytest.raises(DatabaseInUseError):
            release_sqlite(source)
    release_sqlite(source)
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert copy.execute("SELECT count(*) FROM t").fetchone() == (100,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "source"]


@pytest.mark.parametrize("place", [0, 4096 + 3])
def test_a_damaged_database_is_not_copied(tmp_path: Path, place: int) -> None:
    source = make_database(tmp_path / "source")
    with source.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 64)
    with pytest.raises(DatabaseCopyError):
        copy_sqlite(source, tmp_path / "copy")


async def test_a_password_is_not_among_the_arguments(tmp_path: Path) -> None:
    """What every user of the machine can list must not hold it; the program gets it otherwise."""
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" "password=$PGPASSWORD" > {tmp_path}/told\n')
    program.chmod(0o755)
    await dump_postgres(NOWHERE, tmp_path / "dump", {"PATH": os.environ["PATH"]}, programs=str(tmp_path))
    told = (tmp_path / "told").read_text().splitlines()
    assert told[-1] == "password=hidden"
    assert "hidden" not in " ".join(told[:-1])


async def test_a_program_that_is_missing_or_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseProgramMissingError, match="pg_dump is not installed"):
        await dump_postgres(NOWHERE, tmp_path / "dump", {}, programs=str(tmp_path))
    program = tmp_path / "pg_restore"
    program.write_text("#!/bin/sh\necho first >&2\necho 'cannot connect' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(DatabaseCopyError, match="pg_restore failed: cannot connect"):
        await load_postgres(NOWHERE, tmp_path / "dump", {"PATH": os.environ["PATH"]}, programs=str(tmp_path))


def test_a_backup_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "backup"
    with pytest.raises(FileNotFoundError), new_backup_folder(target) as draft:
        (draft / "not-there" / "half").write_bytes(b"")
    assert list(tmp_path.iterdir()) == []
    make_backup(target)
    with pytest.raises(BackupExistsError), new_backup_folder(target):
        pass


@pytest.mark.parametrize("damage", ["backup.json", "database.sqlite3", "keys/keystore.json"])
def test_a_backup_that_was_changed_is_refused(tmp_path: Path, damage: str) -> None:
    folder = make_backup(tmp_path / "backup")
    read_manifest(folder)
    (folder / damage).write_text("[]")
    with pytest.raises(BackupDamagedError):
        read_manifest(folder)
    (folder / damage).unlink()
    with pytest.raises(BackupDamagedError):
        read_manifest(folder)


def test_keys_are_never_replaced_nor_left_without_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, data_dir = make_backup(tmp_path / "backup"), tmp_path / "data"
    monkeypatch.setenv("GOODSTANDING_DATA_DIR", str(data_dir))
    with pytest.raises(PassphraseMissingError):
        restore(folder)
    assert list(data_dir.iterdir()) == []
    (data_dir / "passphrase").write_text("correct horse")
    (data_dir / "keys").mkdir()
    (data_dir / "keys" / "keystore.json").write_text("another")
    with pytest.raises(OtherKeysError):
        restore(folder)
    assert (data_dir / "keys" / "keystore.json").read_text() == "another"
