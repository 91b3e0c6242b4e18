"""The bundled contexts are the published ones."""

import re
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "service" / "linked_data" / "contexts"
_ROW = re.compile(r"^\| `([\w-]+\.json)` \| `(https://[^`]+)` \| .* \| `([0-9a-f]{64})` \|$", flags=re.MULTILINE)


def test_every_file_has_the_digest_that_the_page_beside_it_names() -> None:
    named = {name: digest for name, _, digest in _ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))}
    assert named == {path.name: sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.json")}
