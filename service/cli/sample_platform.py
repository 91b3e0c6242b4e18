"""``sample-platform``: a small platform with the button on its page, beside a running service."""

import json
import multiprocessing
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
import uvicorn
from starlette.applications import Starlette

from service.cli.children import end_with_parent
from service.cli.listening import AddressUnavailableError, listen
from service.demo.platform.app import create_platform
from service.demo.platform.backend import Backend
from service.demo.processes import DemoError
from service.fetch import Fetcher
from service.settings import Settings, load_settings
from service.web.logs import configure_logs

DEFAULT_PORT = 8001


def build_sample_platform(settings: Settings, port: int) -> Starlette:
    """Build the application from the seed document in the data directory.

    Raises:
        DemoError: There is none.
    """
    try:
        seed: dict[str, Any] = json.loads((settings.data_dir / "seed.json").read_bytes())
    except (FileNotFoundError, ValueError):
        raise DemoError("There is no seed document: run the command seed first.") from None
    fetcher = Fetcher(settings.fetch_allow, allow_loopback=True)

    @asynccontextmanager
    async def close_fetcher(_app: Starlette) -> AsyncIterator[None]:
        yield
        await fetcher.close()

    origin = f"http://localhost:{port}"
    app = create_platform(Backend(fetcher, seed, origin), origin=origin, deployment=settings.base_url)
    app.router.lifespan_context = close_fetcher
    return app


def _run(listener: socket.socket) -> None:
    end_with_parent()
    settings = load_settings()
    configure_logs(settings.log_level)
    app = build_sample_platform(settings, listener.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False)).run([listener])


def start_sample_platform(port: int) -> None:
    """Serve on a loopback port in a process of its own, for as long as this one lives.

    Raises:
        AddressUnavailableError: The port is taken.
    """
    spawning = multiprocessing.get_context("spawn")
    spawning.Process(target=_run, args=(listen("127.0.0.1", port),), daemon=True).start()


def sample_platform(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Loopback port of its pages.")] = DEFAULT_PORT,
) -> None:
    """Run a small platform that sells the demo security; the service has to run, with the demo organisations."""
    if load_settings().base_url == f"http://localhost:{port}":
        raise AddressUnavailableError("That is the port of the service itself.")
    typer.echo(f"Sample platform on http://localhost:{port}/", err=True)
    _run(listen("127.0.0.1", port))
