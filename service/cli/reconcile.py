"""``reconcile``: add up every register again."""

from typing import Any

import typer

from service.cli.output import JsonOption, print_json
from service.cli.support import run_with_context
from service.gate.reconciliation import Difference, reconcile
from service.web.context import Context


def reconcile_registers(as_json: JsonOption = False) -> None:
    """Compare the counters of every security with what its rows add up to; exit 1 if one differs."""

    async def check(context: Context) -> tuple[int, list[Difference]]:
        async with context.database.reading() as session:
            return await reconcile(await session.connection())

    securities, found = run_with_context(check)
    if as_json:
        print_json({"securities": securities, "differences": [_describe(each) for each in found]})
    else:
        for each in found:
            print(f"{'/'.join(each.security)}: {each.what} is {each.kept}, its rows add up to {each.added_up}")
        print(f"{securities} securities, {len(found)} differences")
    if found:
        raise typer.Exit(1)


def _describe(each: Difference) -> dict[str, Any]:
    registrar, security = each.security
    kept, added_up = (value if isinstance(value, int) else str(value) for value in (each.kept, each.added_up))
    return {
        "org_id": registrar,
        "security_id": security,
        "what": each.what,
        "kept": kept,
        "added_up": added_up,
    }
