"""Backups of a running deployment, and their way back: on the same machine, on another, and too late."""

import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.log.history import PUBLISHED_FILE
from tests.flows.test_cli import Commands, Here, free_port, here, serving
from tests.postgres import PostgresServer
from tests.requirements_support import require_program

__all__ = ["here"]
PATIENCE_S = 20


class Site:
    """A deployment, seen from outside and from its files."""

    def __init__(self, data_dir: Path, port: int, database_url: str = "") -> None:
        self.commands = Commands(data_dir, port)
        self.commands.environment |= {
            "GOODSTANDING_KEY_PASSPHRASE": "correct horse",
            "GOODSTANDING_DATABASE_URL": database_url,
        }
        self.data_dir = data_dir
        self.database = data_dir / "goodstanding.sqlite3"

    def moved(self, data_dir: Path, database_url: str = "") -> "Site":
        """The same deployment on another machine."""
        return Site(data_dir, self.commands.port, database_url)

    def add_entries(self, name: str) -> int:
        """Have something recorded and published; return the size of the log."""
        before = self.published_size()
        self.commands.succeed("org", "create", name, "--slug", name, "--role", "issuer")
        deadline = time.monotonic() + PATIENCE_S
        while (size := self.published_size()) <= before:
            assert time.monotonic() < deadline, "nothing was published"
            time.sleep(0.05)
        return size

    def published_size(self) -> int:
        try:
            return int((self.data_dir / PUBLISHED_FILE).read_text().split("\n")[1])
        except FileNotFoundError:
            return 0

    def run(self, expected_code: int, *arguments: str | Path) -> str:
        code, output, errors = self.commands.run(*map(str, arguments))
        assert code == expected_code, output + errors
        return output if code == 0 else output + errors

    def read(self, *arguments: str | Path) -> Any:
        return json.loads(self.run(0, *arguments, "--json"))

    def list_organizations(self) -> set[str]:
        return {each["slug"] for each in self.read("org", "list")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A deployment that was backed up while it ran; nothing runs on it now."""
    folder = tmp_path_factory.mktemp("made")
    site = Site(folder / "data", free_port())
    site.commands.succeed("init")
    with serving(site.commands):
        size = site.add_entries("before")
        made = site.read("backup", folder / "backup")
    assert made == {"backup": str(folder / "backup"), "database": "sqlite", "log_size": size}
    return site


@pytest.fixture
def backup(made: Site, tmp_path: Path) -> Path:
    """A copy of its backup."""
    return Path(shutil.copytree(made.data_dir.parent / "backup", tmp_path / "backup"))


@pytest.fixture
def site(made: Site, tmp_path: Path) -> Site:
    """A copy of it."""
    return made.moved(Path(shutil.copytree(made.data_dir, tmp_path / "data")))


def go_on(site: Site) -> int:
    with serving(site.commands):
        return site.add_entries("after")


def test_a_backup_is_brought_to_another_machine(site: Site, backup: Path, tmp_path: Path) -> None:
    assert sorted(path.name for path in backup.iterdir()) == ["backup.json", "database.sqlite3", "keys", PUBLISHED_FILE]
    assert all(path.stat().st_mode & 0o077 == 0 for path in [backup, *backup.rglob("*")])
    there = site.moved(tmp_path / "there")
    done = there.read("restore", backup)
    assert (done["log_size"], done["published_log_known"]) == (site.published_size(), False)
    assert there.list_organizations() == {"before"}
    seen = tmp_path / "seen"
    with serving(there.commands):
        there.run(0, "log", "verify", "--state", seen)
        there.add_entries("on-another-machine")
        there.run(0, "log", "verify", "--state", seen)
    there.run(0, "log", "verify", "--database")


def test_a_backup_that_lost_nothing_is_restored_in_place(site: Site, backup: Path) -> None:
    site.database.write_bytes(b"gone wrong")
    assert site.read("restore", backup)["published_log_known"]
    assert site.list_organizations() == {"before"}
    assert [path.read_bytes() for path in site.data_dir.glob("*.before-*")] == [b"gone wrong"]
    go_on(site)
    site.run(0, "log", "verify", "--database")


def test_an_old_backup_is_not_restored(site: Site, backup: Path) -> None:
    size = go_on(site)
    refused = site.run(2, "restore", backup)
    assert f"; {size} were published" in refused
    assert site.list_organizations() == {"before", "after"}
    assert [path.name for path in site.data_dir.iterdir() if ".before-" in path.name or path.name[0] == "."] == []
    site.run(0, "log", "verify", "--database")


def test_an_old_backup_that_is_put_there_by_hand_signs_nothing(site: Site, backup: Path) -> None:
    size = go_on(site)
    for left in site.data_dir.glob("goodstanding.sqlite3*"):
        left.unlink()
    shutil.copy(backup / "database.sqlite3", site.database)
    with closing(sqlite3.connect(site.database)) as connection:
        kept = connection.execute("SELECT max(tree_size) FROM log_checkpoint").fetchone()
    with serving(site.commands) as url:
        site.commands.succeed("org", "create", "second", "--slug", "second", "--role", "issuer")
        deadline = time.monotonic() + PATIENCE_S
        while httpx2.get(f"{url}/readyz").status_code == 200:
            assert time.monotonic() < deadline, "nobody noticed"
            time.sleep(0.2)
    assert site.published_size() == size
    with closing(sqlite3.connect(site.database)) as connection:
        assert connection.execute("SELECT max(tree_size) FROM log_checkpoint").fetchone() == kept
    assert f"{size} entries were published" in site.run(1, "log", "verify", "--database")


def test_a_running_service_keeps_its_database(site: Site, backup: Path) -> None:
    with serving(site.commands):
        assert "stop the service" in site.run(2, "restore", backup)
    assert site.list_organizations() == {"before"}


def test_what_cannot_be_restored_is_named(site: Site, backup: Path, here: Here, tmp_path: Path) -> None:
    commands, elsewhere = site.commands, Commands(tmp_path / "elsewhere", site.commands.port)
    assert "exists already" in here.refuse(commands, "backup", str(backup))
    assert "is not a backup" in here.refuse(commands, "restore", str(tmp_path))
    assert "passphrase" in here.refuse(elsewhere, "restore", str(backup), GOODSTANDING_KEY_PASSPHRASE="")
    assert "Wrong passphrase" in here.refuse(elsewhere, "restore", str(backup), GOODSTANDING_KEY_PASSPHRASE="other")
    other = site.moved(tmp_path / "other")
    other.commands.succeed("init")
    assert "another deployment" in here.refuse(other.commands, "restore", str(backup))
    postgres = "postgresql+asyncpg://u@127.0.0.1:1/x"
    assert "sqlite" in here.refuse(commands, "restore", str(backup), GOODSTANDING_DATABASE_URL=postgres)
    with (backup / "database.sqlite3").open("r+b") as file:
        file.seek(5000)
        file.write(b"x")
    assert "not those that were backed up" in here.refuse(commands, "restore", str(backup))
    assert not (tmp_path / "elsewhere" / "goodstanding.sqlite3").exists()


def test_postgresql_is_copied_by_its_own_programs(postgres_server: PostgresServer, tmp_path: Path) -> None:
    require_program("pg_dump", package="postgresql-client-15")
    with postgres_server.temporary_database() as url, postgres_server.temporary_database() as other:
        site, backup = Site(tmp_path / "data", free_port(), url), tmp_path / "backup"
        site.commands.succeed("init")
        with serving(site.commands):
            size = site.add_entries("before")
            assert site.read("backup", backup)["database"] == "postgresql"
            site.add_entries("after")
        assert "not empty" in site.run(2, "restore", backup)
        there = site.moved(tmp_path / "there", other)
        assert there.read("restore", backup)["log_size"] == size
        assert there.list_organizations() == {"before"}
        there.run(0, "log", "verify", "--database")
        with postgres_server.temporary_database() as third:
            refused = site.moved(site.data_dir, third).run(2, "restore", backup)
            assert "were published" in refused
