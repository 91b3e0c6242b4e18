"""``keys``: list and rotate signing keys."""

from typing import Annotated

import typer
from sqlmodel import select

from service.cli.orgs import find_by_slug
from service.cli.output import JsonOption, new_app, print_fields, print_json, print_table
from service.cli.support import run_with_context
from service.errors import InvalidInputError
from service.organizations.organizations import SYSTEM_SLUG
from service.storage.tables import Organization, SigningKey
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web import signing
from service.web.context import Context

app = new_app("Signing keys of organisations, and of the deployment itself (system).")
OrgOption = Annotated[str, typer.Option(help=f"Slug of the organisation, or {SYSTEM_SLUG}.")]
PURPOSES = tuple(signing.KEY_ALGORITHMS)


class KeyPurposeUnknownError(InvalidInputError):
    """No key is made for such a purpose."""

    code = "key_purpose_unknown"


async def _org_id(context: Context, slug: str) -> str:
    return SYSTEM_ORG_ID if slug == SYSTEM_SLUG else (await find_by_slug(context, slug)).id


def _describe(key: SigningKey, slug: str) -> dict[str, str | None]:
    return {
        "org": slug,
        "purpose": key.purpose,
        "kid": key.kid,
        "alg": key.alg,
        "created_at": key.created_at.isoformat(),
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
        "published_until": key.published_until.isoformat() if key.published_until else None,
    }


async def _list(context: Context, slug: str | None) -> list[dict[str, str | None]]:
    only = None if slug is None else await _org_id(context, slug)
    async with context.database.reading() as session:
        slugs = {row.id: row.slug for row in (await session.exec(select(Organization))).all()}
        keys = (await session.exec(select(SigningKey))).all()
    slugs[SYSTEM_ORG_ID] = SYSTEM_SLUG
    wanted = [key for key in keys if only in (None, key.org_id)]
    wanted.sort(key=lambda key: (slugs[key.org_id], key.purpose, key.created_at))
    return [_describe(key, slugs[key.org_id]) for key in wanted]


async def _rotate(context: Context, slug: str, purpose: str) -> dict[str, str | None]:
    org_id, now = await _org_id(context, slug), context.clock()
    async with context.database.transaction() as session:
        await signing.get_active_key(session, org_id, purpose)
        key = await signing.rotate_signing_key(session, context.signer, org_id=org_id, purpose=purpose, now=now)
    return _describe(key, slug)


@app.command("list")
def list_all(org: Annotated[str | None, OrgOption] = None, as_json: JsonOption = False) -> None:
    """List keys: their purpose, and until when a retired one stays published."""
    found = run_with_context(lambda context: _list(context, org))
    if as_json:
        print_json(found)
        return
    columns = ["org", "purpose", "kid", "alg", "created_at", "published_until"]
    print_table(columns, [[key[column] or "" for column in columns] for key in found])


@app.command()
def rotate(
    org: OrgOption,
    purpose: Annotated[str, typer.Option(help=f"One of {', '.join(PURPOSES)}.")],
    as_json: JsonOption = False,
) -> None:
    """Make a new key that signs from now on; the old one stays published while what it signed is valid."""
    if purpose not in PURPOSES:
        raise KeyPurposeUnknownError(f"purpose: one of {', '.join(PURPOSES)}.")
    made = run_with_context(lambda context: _rotate(context, org, purpose))
    if as_json:
        print_json(made)
    else:
        print_fields({name: made[name] for name in ("org", "purpose", "kid", "alg")})
