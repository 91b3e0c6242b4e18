"""``serve``: run the HTTP service."""

import gc
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from service.app import create_app
from service.cli.children import end_with_parent
from service.cli.garbage import collect_seldom
from service.cli.listening import AddressUnavailableError, listen
from service.cli.punctual_protocol import PunctualProtocol
from service.cli.support import run_with_context
from service.settings import Settings, load_settings, share_metrics
from service.web.context import Context
from service.web.logs import configure_logs

BEHIND_PROXY_PORT = 8000
GRACE_S = 10


def build_application() -> ASGIApp:
    """Build the application from the environment; every worker process starts here."""
    end_with_parent()
    settings = load_settings()
    configure_logs(settings.log_level)
    application = create_app(settings)
    _settle_garbage_collector()
    return application


def _settle_garbage_collector() -> None:
    """Leave what lives as long as the process out of later collections: scanning it took a third of the time."""
    gc.collect()
    gc.freeze()
    collect_seldom()


def _default_port(base_url: str) -> int:
    parts = urlsplit(base_url)
    # An https base is a proxy's address: TLS doesn't end here.
    return (parts.port or 80) if parts.scheme == "http" else BEHIND_PROXY_PORT


async def _check(_context: Context) -> None:
    """Opening the context has checked passphrase, database and schema."""


def _run(settings: Settings, host: str, port: int, workers: int) -> None:
    listeners = [listen(host, wanted) for wanted in (port, settings.admin_port) if wanted is not None]
    typer.echo(f"Serving {settings.base_url} on {host} port {port}.", err=True)
    config = uvicorn.Config(
        "service.cli.serve:build_application",
        factory=True,
        workers=workers,
        loop="auto",
        http=PunctualProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    if workers > 1:
        with TemporaryDirectory(prefix="goodstanding-metrics-") as folder:
            share_metrics(folder)  # else every worker would tell its own counts, and a scrape meets any of them
            Multiprocess(config, listeners).run()
    else:
        uvicorn.Server(config).run(listeners)


def _welcome(settings: Settings, port: int) -> None:
    from service.cli.sample_platform import start_sample_platform
    from service.cli.welcome import describe_welcome, make_welcome_links

    start_sample_platform(port)
    links = run_with_context(make_welcome_links)
    typer.echo(describe_welcome(settings.base_url, links, f"http://localhost:{port}"), err=True)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; default: that of the base URL.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; default: the setting.")] = None,
    seed: Annotated[bool, typer.Option("--seed", help="First do what the command seed does.")] = False,
    sample_platform: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="With --seed: a loopback port for the sample platform; says where to begin."
        ),
    ] = None,
) -> None:
    """Run the service until it is told to stop; needs ``init`` first, or ``--seed``."""
    settings = load_settings()
    if seed:
        from service.cli.seed import seed_database

        run_with_context(seed_database, with_schema=False)
    else:
        run_with_context(_check)
    main_port = port or _default_port(settings.base_url)
    if sample_platform is not None:
        _welcome(settings, sample_platform)
    if settings.admin_port == main_port:
        raise AddressUnavailableError("GOODSTANDING_ADMIN_PORT is the port of the service itself.")
    _run(settings, host, main_port, workers or settings.workers)
