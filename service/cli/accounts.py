"""``accounts``: the people who work for an organisation, and links with which they sign in."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from service.accounts.accounts import (
    create_account,
    describe_account,
    disable_account,
    get_account,
    list_accounts,
)
from service.accounts.sign_in_links import LIFETIME, LONGEST_LIFETIME, make_sign_in_link
from service.cli.orgs import find_by_slug
from service.cli.output import JsonOption, new_app, print_fields, print_json, print_table
from service.cli.support import run_with_context
from service.web.context import Context

ACTOR = "command line"
app = new_app("The people who work for an organisation, and how they sign in to its pages.")

Slug = Annotated[str, typer.Argument(help="Slug of the organisation.")]
AccountId = Annotated[str, typer.Argument(help="Id of the account, as `accounts list` prints it.")]
Minutes = Annotated[
    int,
    typer.Option(
        min=1, max=LONGEST_LIFETIME // timedelta(minutes=1), help="For how many minutes the link can be used."
    ),
]
_MINUTES = LIFETIME // timedelta(minutes=1)


@app.command()
def create(
    slug: Slug,
    name: Annotated[str, typer.Argument(help="What colleagues call the person.")],
    role: Annotated[list[str], typer.Option(help="officer, approver, auditor, compliance or admin; may be repeated.")],
    language: Annotated[str, typer.Option(help="Of the pages: en or zh.")] = "en",
    minutes: Minutes = _MINUTES,
    as_json: JsonOption = False,
) -> None:
    """Create an account and print a link that signs it in once."""

    async def work(context: Context) -> dict[str, Any]:
        organization, now = await find_by_slug(context, slug), context.clock()
        async with context.database.transaction() as session:
            account = await create_account(
                session, org_id=organization.id, name=name, roles=role, language=language, actor=ACTOR, now=now
            )
            await session.flush()
            link = make_sign_in_link(
                session,
                account,
                base_url=context.base_url,
                actor=ACTOR,
                now=now,
                lifetime=timedelta(minutes=minutes),
            )
        return describe_account(account) | {"sign_in_link": link}

    _print(run_with_context(work), as_json=as_json)


@app.command("list")
def list_all(slug: Slug, as_json: JsonOption = False) -> None:
    """List an organisation's accounts."""

    async def work(context: Context) -> list[dict[str, Any]]:
        organization = await find_by_slug(context, slug)
        async with context.database.reading() as session:
            return [describe_account(row) for row in await list_accounts(session, organization.id)]

    found = run_with_context(work)
    if as_json:
        print_json(found)
        return
    rows = [[each["id"], ",".join(each["roles"]), "yes" if each["disabled_at"] else "", each["name"]] for each in found]
    print_table(["id", "roles", "disabled", "name"], rows)


@app.command("sign-in-link")
def sign_in_link(slug: Slug, account: AccountId, minutes: Minutes = _MINUTES, as_json: JsonOption = False) -> None:
    """Print a link that signs an account in once."""

    async def work(context: Context) -> dict[str, Any]:
        organization, now = await find_by_slug(context, slug), context.clock()
        lifetime = timedelta(minutes=minutes)
        async with context.database.transaction() as session:
            row = await get_account(session, organization.id, account)
            link = make_sign_in_link(session, row, base_url=context.base_url, actor=ACTOR, now=now, lifetime=lifetime)
        expires_at = (now + lifetime).isoformat(timespec="seconds")
        return {"id": row.id, "name": row.name, "sign_in_link": link, "expires_at": expires_at}

    _print(run_with_context(work), as_json=as_json)


@app.command()
def disable(slug: Slug, account: AccountId, as_json: JsonOption = False) -> None:
    """Disable an account for good and sign it out everywhere."""

    async def work(context: Context) -> dict[str, Any]:
        organization = await find_by_slug(context, slug)
        async with context.database.transaction() as session:
            row = await disable_account(session, organization.id, account, actor=ACTOR, now=context.clock())
        return describe_account(row)

    _print(run_with_context(work), as_json=as_json)


def _print(described: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(described)
        return
    shown = {name: value for name, value in described.items() if value is not None and name != "created_at"}
    print_fields({name: " ".join(value) if isinstance(value, list) else value for name, value in shown.items()})
