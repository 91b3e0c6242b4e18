"""The files of ``schemas/``, which lies beside the package: read once, then kept."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from service.credentials.credential_types import type_named
from service.errors import ServiceError

SCHEMAS_DIR = Path(__file__).resolve().parent.parent / "schemas"


class SchemaFilesError(ServiceError):
    """The folder ``schemas/`` is missing beside the package, or one of its files cannot be read."""

    code = "schema_files_unreadable"


@cache
def load_claims_schema(name: str) -> dict[str, Any]:
    """Load the JSON Schema of the claims that an issuer sends for credential type ``name``.

    The result is shared between callers: read it, never change it.

    Raises:
        UnknownCredentialTypeError: ``name`` is no credential type of ours.
        SchemaFilesError: The file is missing or unreadable.
    """
    return _load_json(f"credentials/{type_named(name).name}.schema.json")


@cache
def load_type_metadata(name: str) -> dict[str, Any]:
    """Load the SD-JWT VC type metadata of credential type ``name``; same sharing and errors as the claims schema."""
    return _load_json(f"credentials/{type_named(name).name}.type-metadata.json")


@cache
def load_reason_codes() -> dict[str, dict[str, Any]]:
    """Load the reason and obligation codes, each entry under its ``code``.

    Returns:
        ``{code: {"code", "group", "title", "kind", "outward", "basis", "remedy", "row", "projections"}}`` in the order
        of the file, which is the order of reasons inside one class. Shared between callers: read it, never change it.

    Raises:
        SchemaFilesError: The file is missing or unreadable.
    """
    return {entry["code"]: entry for entry in _load_json("reason-codes.json")["codes"]}


@cache
def load_outcome_projections() -> dict[str, dict[str, Any]]:
    """Load the projections of a decision without reasons: ``{"permit": {...}, "review": {...}}``."""
    outcomes: dict[str, dict[str, Any]] = _load_json("reason-codes.json")["outcomes"]
    return outcomes


@cache
def load_projection_rows() -> dict[str, dict[str, Any]]:
    """Load what each kind of reason becomes in other standards; None is a cell that the standard leaves empty."""
    rows: dict[str, dict[str, Any]] = _load_json("reason-codes.json")["rows"]
    return rows


@cache
def load_generic_failure() -> dict[str, Any]:
    """Load what stands where a standard has nothing that fits."""
    failure: dict[str, Any] = _load_json("reason-codes.json")["generic_failure"]
    return failure


def _load_json(relative: str) -> dict[str, Any]:
    path = SCHEMAS_DIR / relative
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SchemaFilesError(
            f"The file schemas/{relative} cannot be read; the schemas folder must lie beside the service package."
        ) from error
    return document
