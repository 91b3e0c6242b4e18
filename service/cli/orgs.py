"""``org``: organisations and their API clients."""

from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, new_app, print_fields, print_json, print_table
from service.cli.support import run_with_context
from service.credentials.jose import MalformedJoseError, parse_json
from service.errors import NotFoundError
from service.organizations.clients import ClientCredentials, ClientKeysInvalidError, describe_client
from service.organizations.clients import create_client as record_client
from service.organizations.organizations import (
    NewOrganization,
    create_organization,
    describe_organization,
    find_organization,
    list_organizations,
)
from service.storage.tables import Organization
from service.web.context import Context

app = new_app("Organisations, their roles and their API clients.")
PAGE = 500


async def find_by_slug(context: Context, slug: str) -> Organization:
    """Return an organisation.

    Raises:
        NotFoundError: No organisation has this slug.
    """
    async with context.database.reading() as session:
        row = await find_organization(session, slug)
    if row is None:
        raise NotFoundError("No organisation has this slug.")
    return row


async def _create(context: Context, new: NewOrganization) -> Organization:
    async with context.database.transaction() as session:
        return await create_organization(session, context.signer, context.base_url, new, context.clock())


async def _list(context: Context) -> list[dict[str, Any]]:
    found: list[Organization] = []
    async with context.database.reading() as session:
        while page := await list_organizations(session, after=found[-1].id if found else None, limit=PAGE):
            found += page
    return [describe_organization(row, context.base_url) for row in found]


async def _create_client(
    context: Context, slug: str, name: str, scopes: list[str], jwks: dict[str, Any] | None
) -> ClientCredentials:
    organization = await find_by_slug(context, slug)
    async with context.database.transaction() as session:
        return record_client(session, organization, name=name, scopes=scopes, now=context.clock(), jwks=jwks)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name that investors and partners see.")],
    slug: Annotated[str, typer.Option(help="Part of its addresses and its DID; cannot be changed.")],
    role: Annotated[list[str], typer.Option(help="issuer, platform or operator; may be repeated.")],
    attester_class: Annotated[str | None, typer.Option(help="What kind of attester an issuer is, e.g. us_cpa.")] = None,
    attester_register_id: Annotated[str | None, typer.Option(help="Its number in the register of its kind.")] = None,
    transfer_agent: Annotated[bool, typer.Option("--transfer-agent", help="It is a transfer agent.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create an organisation and the keys of its roles."""
    new = NewOrganization(name, slug, role, attester_class, attester_register_id, transfer_agent)

    async def describe(context: Context) -> dict[str, object]:
        return describe_organization(await _create(context, new), context.base_url)

    described = run_with_context(describe)
    if as_json:
        print_json(described)
    else:
        print_fields({key: described[key] for key in ("id", "slug", "did")})


@app.command("list")
def list_all(as_json: JsonOption = False) -> None:
    """List the organisations."""
    found = run_with_context(_list)
    if as_json:
        print_json(found)
        return
    rows = [[item["slug"], ",".join(item["roles"]), item["did"], item["name"]] for item in found]
    print_table(["slug", "roles", "did", "name"], rows)


@app.command()
def client(
    slug: Annotated[str, typer.Argument(help="Slug of the organisation.")],
    scope: Annotated[list[str], typer.Option(help="A scope that its roles allow; may be repeated.")],
    name: Annotated[str, typer.Option(help="What the client is for.")] = "command line",
    jwks: Annotated[
        typer.FileText | None,
        typer.Option(help="File with its public keys (a JWK Set): it then signs what it authenticates with."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create an API client; its secret, if it has one, is printed now and never again."""
    keys = None if jwks is None else _read_keys(jwks.read())
    printed = describe_client(run_with_context(lambda context: _create_client(context, slug, name, scope, keys)))
    if as_json:
        print_json(printed)
    else:
        print_fields(printed | {"scopes": " ".join(printed["scopes"])})


def _read_keys(text: str) -> dict[str, Any]:
    try:
        keys = parse_json(text)
    except MalformedJoseError as error:
        raise ClientKeysInvalidError(f"The file is no JWK Set: {error.detail}") from error
    if not isinstance(keys, dict):
        raise ClientKeysInvalidError("The file is no JWK Set.")
    return keys
