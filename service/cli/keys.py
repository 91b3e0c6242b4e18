"""``keys``: list and rotate signing keys."""

from pathlib import Path
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
from service.web import certification, signing
from service.web.context import Context

app = new_app("Signing keys of organisations, and of the deployment itself (system).")
PurposeOption = Annotated[str, typer.Option(help=f"One of {', '.join(certification.CERTIFIED_PURPOSES)}.")]
OrgOption = Annotated[str, typer.Option(help=f"Slug of the organisation, or {SYSTEM_SLUG}.")]
PURPOSES = tuple(signing.KEY_ALGORITHMS)


class KeyPurposeUnknownError(InvalidInputError):
    """No key is made for such a purpose."""

    code = "key_purpose_unknown"


class CertificateFileError(InvalidInputError):
    """The file with certificates is not there, or is no PEM."""

    code = "certificate_file_unreadable"


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
        "certified_until": key.certified_until.isoformat() if key.certified_until else None,
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


async def _request_certificate(context: Context, slug: str, purpose: str) -> dict[str, str]:
    organization = await find_by_slug(context, slug)
    async with context.database.reading() as session:
        key = await signing.get_active_key(session, organization.id, purpose)
    return {
        "kid": key.kid,
        "request": certification.request_certificate(context.signer, key, organization, context.base_url),
    }


async def _import_certificate(
    context: Context, slug: str, purpose: str, pem: str, anchor_pem: str | None
) -> dict[str, str | None]:
    organization = await find_by_slug(context, slug)
    async with context.database.transaction() as session:
        key = await signing.get_active_key(session, organization.id, purpose)
        certification.import_certificate(
            session,
            key,
            pem=pem,
            anchor_pem=anchor_pem,
            expected_name=certification.name_for_certificate(organization, purpose, context.base_url),
            now=context.clock(),
        )
    return _describe(key, slug)


def _check_certified(purpose: str) -> None:
    if purpose not in certification.CERTIFIED_PURPOSES:
        raise KeyPurposeUnknownError(f"purpose: one of {', '.join(certification.CERTIFIED_PURPOSES)}.")


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


@app.command()
def request_certificate(org: OrgOption, purpose: PurposeOption, as_json: JsonOption = False) -> None:
    """Print a certificate signing request (PEM) for the key that signs now."""
    _check_certified(purpose)
    made = run_with_context(lambda context: _request_certificate(context, org, purpose))
    if as_json:
        print_json(made)
    else:
        typer.echo(made["request"], nl=False)


@app.command()
def import_certificate(
    chain: Annotated[Path, typer.Argument(help="PEM file: the key's certificate, then intermediates.")],
    org: OrgOption,
    purpose: PurposeOption,
    anchor: Annotated[Path | None, typer.Option(help="PEM file of the root, where the chain ends without it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the certificate chain of the key that signs now; what it signs carries it, without the root."""
    _check_certified(purpose)
    pem, anchor_pem = _read_text(chain), None if anchor is None else _read_text(anchor)
    kept = run_with_context(lambda context: _import_certificate(context, org, purpose, pem, anchor_pem))
    if as_json:
        print_json(kept)
    else:
        print_fields({name: kept[name] for name in ("org", "purpose", "kid", "certified_until")})


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CertificateFileError(f"The file {path.name} cannot be read.") from error
