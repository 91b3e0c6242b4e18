"""Deployments that start from what an earlier one was brought to: prepared once in a process, then copied.

A fixture under ``@prepared`` reads like any other that fills a deployment. It runs for the first test that asks for
it, once for each kind of database; every test, the first too, then has copies of the database, of the keys and of what
the fixture returned.
"""

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import make_url

from tests.deployment import Deployment, running_deployment

Made = TypeVar("Made")
Build = Callable[[Deployment], Awaitable[Any]]

_builds: dict[tuple[str, str], Build] = {}


@dataclass(frozen=True)
class Original:
    """A deployment that was closed once it was prepared.

    Attributes:
        made: What the build returned, bound to ``deployment``.
    """

    deployment: Deployment
    made: Any

    @property
    def database(self) -> str:
        """Path of the SQLite file, or name of the PostgreSQL database."""
        return make_url(self.deployment.settings.database_url).database or ""


def prepared(build: Callable[[Deployment], Awaitable[Made]]) -> Any:
    """Make a fixture of ``build``, whose parameter bears the name of one of the fixtures that give a deployment."""
    _builds[build.__module__, build.__name__] = build
    [parameter] = build.__annotations__.keys() - {"return"}

    # pytest tells by a fixture's parameters whether a test runs once or on each kind of database
    def read_made(deployment: Deployment) -> Any:
        return deployment.made

    def read_made_on_sqlite(sqlite_deployment: Deployment) -> Any:
        return sqlite_deployment.made

    fixtures = {"deployment": read_made, "sqlite_deployment": read_made_on_sqlite}
    return pytest.fixture(name=build.__name__)(fixtures[parameter])


class Originals:
    """What was prepared before, by its build and the kind of database."""

    def __init__(self) -> None:
        self._known: dict[tuple[Build, str], Original] = {}

    def find(
        self, request: pytest.FixtureRequest, kind: str, make_place: Callable[[], tuple[str, Path]]
    ) -> Original | None:
        """Return what the test's one prepared fixture is to copy, if it asks for one.

        Args:
            make_place: Gives the URL of a migrated database and a data directory to prepare something in.
        """
        wanted = ((request.node.module.__name__, name) for name in request.fixturenames)
        [build] = [_builds[each] for each in wanted if each in _builds] or [None]
        if build is None:
            return None
        if (build, kind) not in self._known:
            self._known[build, kind] = asyncio.run(_prepare(build, *make_place()))
        return self._known[build, kind]


async def _prepare(build: Build, database_url: str, data_dir: Path) -> Original:
    async with running_deployment(database_url, data_dir) as deployment:
        return Original(deployment, await build(deployment))


@asynccontextmanager
async def running_copy(
    original: Original | None, database_url: str, data_dir: Path, **how: Any
) -> AsyncIterator[Deployment]:
    """Open a deployment on a copy of the original's database, with copies of its keys and of what was made with it."""
    if original is None:
        async with running_deployment(database_url, data_dir, **how) as running:
            yield running
        return
    shutil.copytree(original.deployment.settings.data_dir / "keys", data_dir / "keys")
    async with running_deployment(database_url, data_dir, **how) as running:
        running.clock.now = original.deployment.clock.now
        running.tokens |= original.deployment.tokens
        running.made = copy.deepcopy(original.made, {id(original.deployment): running})
        yield running
