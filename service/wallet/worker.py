"""The web wallet's service worker: told which files the wallet is made of, by their hashes.

Source: Service Workers, section 2.1 (a worker is updated when its bytes change); Subresource Integrity.
"""

import base64
import hashlib
import json
from collections.abc import Mapping

START = "index.html"


def build_worker(script: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return ``script`` behind the list of what it keeps; any changed file makes it another worker.

    Args:
        script: ``sw.js``.
        files: What the wallet needs to open, by path below ``/wallet/``; ``START`` is kept as the page itself.
    """
    integrity = {"" if path == START else path: _hash(content) for path, content in files.items()}
    listed = json.dumps(integrity, sort_keys=True)
    name = hashlib.sha256(listed.encode() + script).hexdigest()[:16]
    return f'const SHELL = {{"name": "{name}", "files": {listed}}};\n'.encode() + script


def _hash(content: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode()
