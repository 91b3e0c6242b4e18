"""One deployment and one set of foreign parties for the whole folder: each takes seconds to start."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from service.demo.processes import free_port, run_command, running_service
from tests.interop.support import Deployment, Node, NodeParty, find_node, make_settings, new_fetcher


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the libraries of this folder."""
    return find_node()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def foreign_issuer(node: Node) -> AsyncIterator[NodeParty]:
    """An issuer made of independent libraries."""
    fetcher = new_fetcher()
    async with node.serving("issuer.mjs", free_port()) as base_url:
        yield NodeParty(base_url, fetcher)
    await fetcher.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def foreign_verifier(node: Node) -> AsyncIterator[NodeParty]:
    """A verifier made of independent libraries."""
    fetcher = new_fetcher()
    async with node.serving("verifier.mjs", free_port()) as base_url:
        yield NodeParty(base_url, fetcher)
    await fetcher.close()


async def _run(settings: dict[str, str], *arguments: str) -> None:
    finished = await run_command(*arguments, settings=settings)
    assert finished.code == 0, finished.err


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def deployment(foreign_issuer: NodeParty, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """Our service with seeded organisations; it may fetch from the foreign issuer."""
    folder: Path = tmp_path_factory.mktemp("interop")
    settings = make_settings(folder, free_port(), int(foreign_issuer.base_url.rpartition(":")[2]))
    await _run(settings, "init")
    await _run(settings, "seed", "--out", str(folder / "seed.json"))
    seed = json.loads((folder / "seed.json").read_text())
    fetcher = new_fetcher()
    async with running_service(fetcher, settings, folder / "service.log"):
        yield Deployment(settings, folder, fetcher, seed)
    await fetcher.close()
