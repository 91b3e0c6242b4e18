"""``schemas``: the written contract of the HTTP surface."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from service.app import create_app
from service.cli.output import new_app
from service.schema_files import SCHEMAS_DIR
from service.settings import load_settings

app = new_app("Generated schemas: schemas/openapi.json.")
OPENAPI_FILE = SCHEMAS_DIR / "openapi.json"
DRIFTED = 1


def render_openapi() -> str:
    """Return the OpenAPI document of the application, the same text on every machine."""
    with TemporaryDirectory() as empty:
        settings = load_settings(
            base_url="http://localhost:8000", data_dir=Path(empty), database_url="", key_passphrase=None
        )
        document = create_app(settings).openapi()
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@app.command()
def write() -> None:
    """Write schemas/openapi.json anew."""
    OPENAPI_FILE.write_text(render_openapi(), encoding="utf-8")


@app.command()
def check() -> None:
    """Tell whether schemas/openapi.json is what the application answers; exit 1 if not."""
    if not OPENAPI_FILE.exists() or OPENAPI_FILE.read_text(encoding="utf-8") != render_openapi():
        typer.echo("schemas/openapi.json is out of date; run `python -m service schemas write`.", err=True)
        raise typer.Exit(DRIFTED)
