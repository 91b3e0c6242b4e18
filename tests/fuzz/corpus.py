"""The saved corpus: inputs that once reached something new, a JSON file of texts for each target.

Bytes are written as the characters U+0000 to U+00FF, so that most of a file can be read.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def read_corpus(target: str) -> list[bytes]:
    """Return the inputs of a target, in the order of the file."""
    texts: list[str] = json.loads((FOLDER / f"{target}.json").read_text(encoding="utf-8"))
    return [text.encode("latin-1") for text in texts]


def write_corpus(target: str, inputs: list[bytes]) -> None:
    """Replace a target's inputs: shortest first, each once."""
    texts = [data.decode("latin-1") for data in sorted(set(inputs), key=lambda data: (len(data), data))]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.json").write_text(json.dumps(texts, indent=0) + "\n", encoding="utf-8")
