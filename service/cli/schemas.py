"""``schemas``: the written contract of the HTTP surface."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from service.app import create_app
from service.cli.output import new_app
from service.cli.problem_docs import render_problem_docs
from service.cli.projection_docs import render_projection_docs
from service.cli.rule_docs import render_rule_docs
from service.schema_files import SCHEMAS_DIR
from service.settings import load_settings

app = new_app("Generated files: schemas/openapi.json, docs/problems.md, docs/rules.md and docs/projections.md.")
DRIFTED = 1


def render_openapi() -> str:
    """Return the OpenAPI document of the application, the same text on every machine."""
    with TemporaryDirectory() as empty:
        settings = load_settings(
            base_url="http://localhost:8000", data_dir=Path(empty), database_url="", key_passphrase=None
        )
        document = create_app(settings).openapi()
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


GENERATED: dict[str, Callable[[], str]] = {
    "schemas/openapi.json": render_openapi,
    "docs/problems.md": render_problem_docs,
    "docs/rules.md": render_rule_docs,
    "docs/projections.md": render_projection_docs,
}


@app.command()
def write() -> None:
    """Write the generated files anew."""
    for name, render in GENERATED.items():
        (SCHEMAS_DIR.parent / name).write_text(render(), encoding="utf-8")


@app.command()
def check() -> None:
    """Tell whether the generated files are what the code says; exit 1 if not."""
    for name, render in GENERATED.items():
        path = SCHEMAS_DIR.parent / name
        if not path.exists() or path.read_text(encoding="utf-8") != render():
            typer.echo(f"{name} is out of date; run `python -m service schemas write`.", err=True)
            raise typer.Exit(DRIFTED)
