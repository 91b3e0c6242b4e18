"""``letters``: check a letter against the record."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, new_app, print_fields, print_json
from service.cli.support import run_with_context
from service.errors import ServiceError
from service.issuer.letters import LetterRecord, check_letter
from service.web.context import Context
from service.web.instants import format_instant

app = new_app("Letters about qualified investors.")
MAX_BYTES = 10 << 20


class LetterFileError(ServiceError):
    """The file cannot be read, or is too large to be a letter."""

    code = "letter_file_unusable"


@app.callback()
def root() -> None:
    """Check letters about qualified investors."""


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LetterFileError("The file is too large to be a letter.")
        return path.read_bytes()
    except OSError as error:
        raise LetterFileError(f"The file cannot be read: {error.strerror}.") from error


def _describe(found: LetterRecord | None) -> dict[str, Any]:
    if found is None:
        return {"valid": False, "reason": "No organisation of this deployment made a letter with these bytes."}
    reason = None if found.is_recorded else "The audit record does not bind this letter."
    return {
        "valid": found.is_recorded,
        "reason": reason,
        "organization": found.organization,
        "credential_id": found.credential_id,
        "credential_status": found.status,
        "credential_expires_at": format_instant(found.expires_at),
        "made_by": found.made_by,
        "made_at": format_instant(found.made_at),
        "log_index": found.log_index,
    }


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The PDF as it was received.")], as_json: JsonOption = False
) -> None:
    """Tell whether a file is a letter of this deployment, byte for byte; exit 1 if it is not."""
    pdf = _read(file)

    async def check(context: Context) -> LetterRecord | None:
        async with context.database.reading() as session:
            return await check_letter(session, pdf)

    answer = _describe(run_with_context(check))
    if as_json:
        print_json(answer)
    else:
        print_fields({name: str(value) for name, value in answer.items() if value is not None})
    if not answer["valid"]:
        raise typer.Exit(1)
