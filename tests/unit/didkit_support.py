"""didkit as an issuer in a process of its own: an oracle for tests, with keys that it makes itself."""

import json
import subprocess
import sys
from typing import Any

_PROGRAM = """
import asyncio, json, os, sys
import didkit

async def run():
    asked = json.load(sys.stdin)
    key = json.dumps(asked["key"]) if asked["key"] else didkit.generate_ed25519_key()
    did = didkit.key_to_did(asked["method"], key)
    method = await didkit.key_to_verification_method(asked["method"], key)
    named = {name: did for name in ("issuer", "holder") if asked["document"].get(name) == ""}
    options = {"verificationMethod": method, "created": "2026-11-23T14:00:00Z", **asked["options"]}
    work = didkit.issue_presentation if "holder" in named else didkit.issue_credential
    made = await work(json.dumps(asked["document"] | named), json.dumps(options), key)
    print(made, flush=True)

asyncio.run(run())
os._exit(0)
"""


def issue_by_didkit(
    document: dict[str, Any], *, method: str = "key", key: dict[str, str] | None = None, **options: str
) -> dict[str, Any]:
    """Return a document with a proof of didkit's; an empty issuer or holder becomes the DID of the key.

    Args:
        method: A DID method that didkit makes from keys.
        key: Private JWK; None for an Ed25519 key of didkit's own.
        options: Of the proof.
    """
    asked = {"document": document, "method": method, "key": key, "options": options}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    made: dict[str, Any] = json.loads(done.stdout)
    return made
