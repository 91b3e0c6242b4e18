"""The bundled contexts are the published ones."""

import json
import re
from hashlib import sha256
from pathlib import Path

from service.credentials.credential_types import CREDENTIAL_TYPES

FOLDER = Path(__file__).parents[2] / "service" / "linked_data" / "contexts"
_ROW = re.compile(
    r"^\| `([\w-]+\.json)` \| `((?:https://|urn:)[^`]+)` \| .* \| `([0-9a-f]{64})` \|$", flags=re.MULTILINE
)


def test_every_file_has_the_digest_that_the_page_beside_it_names() -> None:
    named = {name: digest for name, _, digest in _ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))}
    assert named == {path.name: sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.json")}


def test_our_context_names_every_type_and_makes_every_claim_a_json_literal() -> None:
    terms = json.loads((FOLDER / "goodstanding-v1.json").read_text(encoding="utf-8"))["@context"]
    types = {kind.w3c_type: kind.vct for kind in CREDENTIAL_TYPES.values()}
    claims = {claim for kind in CREDENTIAL_TYPES.values() for claim in kind.disclosable} - {
        "sub"
    }  # version 2.0 protects it
    literals = {claim: {"@id": f"urn:goodstanding:claim:{claim}", "@type": "@json"} for claim in claims}
    assert terms == {"@protected": True, **types, **literals}
