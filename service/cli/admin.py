"""``init``: schema and keys of the deployment."""

from service.cli.output import JsonOption, print_fields, print_json
from service.cli.support import run_with_context
from service.organizations.setup import create_missing_keys, create_system_keys
from service.storage.migrate import upgrade
from service.web.context import Context


async def _init(context: Context) -> None:
    await upgrade(context.database, context.signer)
    async with context.database.transaction() as session:
        await create_system_keys(session, context.signer, context.clock())
        await create_missing_keys(session, context.signer, context.clock())


def init(as_json: JsonOption = False) -> None:
    """Create or migrate the database and make the keys that are missing; safe to repeat."""

    async def prepare(context: Context) -> dict[str, str]:
        await _init(context)
        return {"base_url": context.base_url, "database": "sqlite" if context.database.is_sqlite else "postgresql"}

    done = run_with_context(prepare, with_schema=False)
    if as_json:
        print_json(done)
    else:
        print_fields(done)
