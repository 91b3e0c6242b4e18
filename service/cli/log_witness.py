"""``log witness``: cosign the checkpoints of logs, as a process of its own."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.listening import listen
from service.cli.output import printable
from service.composition import read_clock
from service.credentials.signed_note import format_vkey, parse_vkey


def witness(
    name: Annotated[str, typer.Option(help="Name of the witness, a URL without its scheme; cannot be changed.")],
    log: Annotated[list[str], typer.Option(help="Verifier key of a log to cosign; may be repeated.")],
    home: Annotated[Path, typer.Option(help="Directory of the key and of what was cosigned.")] = Path("witness"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8010,
) -> None:
    """Run a witness: it cosigns a checkpoint if it continues the one that it cosigned last, and refuses any other.

    Prints its verifier key first. Run it where whoever runs the log has no say.
    """
    import uvicorn  # here, so that the other commands about the log start fast

    from service.log.witness import Witness
    from service.log.witness_api import create_witness_app

    running = Witness(home, name=name, log_keys=[parse_vkey(each) for each in log], clock=read_clock)
    listener = listen(host, port)
    typer.echo(format_vkey(running.key))
    typer.echo(f"The witness {printable(name)} listens on {host} port {port}.", err=True)
    config = uvicorn.Config(create_witness_app(running), log_config=None, access_log=False, server_header=False)
    try:
        uvicorn.Server(config).run([listener])
    finally:
        running.close()
