"""``webhooks``: receive them, have an example sent, and have one sent again."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import select

from service.cli.listening import listen as open_socket
from service.cli.orgs import find_by_slug
from service.cli.output import JsonOption, new_app, print_fields, print_json, printable
from service.cli.support import run_with_context
from service.cli.webhook_check import parse_secret
from service.composition import read_clock
from service.errors import NotFoundError
from service.events.deliveries import DeliveryView, redeliver, send_test
from service.events.endpoints import ACTIVE, list_endpoints
from service.storage.event_types import EVENT_SCOPES
from service.storage.tables import WebhookDelivery
from service.web.context import Context

app = new_app("Webhooks: receive them, have an example sent, and have one sent again.")


@app.command()
def listen(
    secret_file: Annotated[
        Path, typer.Option(help="File of the endpoint's secret; read at each message, and may be there only later.")
    ] = Path("webhook-secret"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8020,
    as_json: JsonOption = False,
) -> None:
    """Receive webhooks: answer the challenge, verify each message, and print it.

    Start it, make an endpoint with its address, and put the secret of the answer into the file. Before that nothing but
    the challenge is accepted. What is not authentic, is older than five minutes or came before is printed with a
    remark; with --json each line is a document, and the remark a member of it.
    """
    import uvicorn  # here, so that the other commands start fast

    from service.cli.webhook_receiver import WebhookReceiver

    def read_keys() -> list[bytes]:
        written = secret_file.read_text(encoding="utf-8").split() if secret_file.exists() else []
        return [parse_secret(each) for each in written]

    receiver = WebhookReceiver(read_keys, read_clock, _show_json if as_json else _show)
    read_keys()  # a secret that is none is said now
    listener = open_socket(host, port)
    typer.echo(f"Webhooks are received on {host} port {port}.", err=True)
    uvicorn.Server(uvicorn.Config(receiver, lifespan="off", log_config=None, access_log=False)).run([listener])


def _show(message: dict[str, Any], remark: str | None) -> None:
    told = " ".join(printable(each) for each in (message.get("id"), message["type"], message["data"]))
    typer.echo(f"{remark}: {told}" if remark else told)


def _show_json(message: dict[str, Any], remark: str | None) -> None:
    typer.echo(json.dumps(message | ({"remark": remark} if remark else {})))


@app.command()
def trigger(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="Event type, such as transfer.decided.")],
    org: Annotated[str, typer.Option(help="Slug of the organisation.")],
    endpoint: Annotated[str | None, typer.Option(help="Only this endpoint.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Have an example of an event sent to the organisation's active endpoints that get its type, marked as a test."""

    async def use(context: Context) -> list[DeliveryView]:
        org_id = (await find_by_slug(context, org)).id
        async with context.database.transaction() as session:
            now, visible = context.clock(), EVENT_SCOPES.keys()
            found = await list_endpoints(session, org_id, visible=visible, now=now)
            chosen = [each for each in found if endpoint in (None, each.id) and kind in each.types]
            return [
                await send_test(session, org_id, each.id, kind, visible=visible, now=now)
                for each in chosen
                if endpoint is not None or each.state == ACTIVE
            ]

    if kind not in EVENT_SCOPES:
        raise NotFoundError(f"There is no event type of this name; there are {', '.join(sorted(EVENT_SCOPES))}.")
    made = run_with_context(use)
    if not made:
        raise NotFoundError(
            "No active endpoint gets events of this type. One that was made just now is active once it has answered "
            "its challenge, which is tried again after 5 seconds and after 5 minutes."
        )
    _print(made, as_json=as_json)


@app.command()
def resend(
    delivery: Annotated[str, typer.Argument(help="Id of the delivery, dlv_...")], as_json: JsonOption = False
) -> None:
    """Send a message again, with the id that it had, whatever became of it before; the running service does it."""

    async def use(context: Context) -> DeliveryView:
        async with context.database.transaction() as session:
            query = select(WebhookDelivery.org_id).where(WebhookDelivery.id == delivery)
            org_id = (await session.exec(query)).first()
            if org_id is None:
                raise NotFoundError("No such delivery.")
            return await redeliver(session, org_id, delivery, visible=EVENT_SCOPES.keys(), now=context.clock())

    _print([run_with_context(use)], as_json=as_json)


def _print(views: list[DeliveryView], *, as_json: bool) -> None:
    rows = [
        {
            "id": view.id,
            "endpoint_id": view.endpoint_id,
            "event_id": view.event_id,
            "type": view.kind,
            "state": view.state,
        }
        for view in views
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print_fields(row)
