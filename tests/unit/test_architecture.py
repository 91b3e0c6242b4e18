"""What import-linter cannot say about the source: who alone may use a library, calls that reach outside, sizes."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 600

ONLY_IN = {
    "fastapi": ["service/*/*api.py", "service/web/*", "service/web.py", "service/app.py", "service/console"],
    "didkit": ["service/linked_data.py", "service/linked_data/*"],
    "pyld": ["service/credentials/rdf.py"],
    "webauthn": ["service/accounts/passkeys.py"],
    "httpx2": ["service/fetch.py", "service/fetch/*"],
    "pydantic_settings": ["service/settings.py", "service/settings/*"],
}
ENVIRONMENT = re.compile(r"environb?|getenvb?|putenv")
PRIVATE_KEY = re.compile(r"\w*Private(Key|Numbers)|(generate|derive|load\w*)_private_key|from_private_bytes")
WALL_CLOCK = re.compile(r"(datetime|date)\.(now|utcnow|today)|time\.\w+")
OUTSIDE = re.compile(
    r"open|input|print|breakpoint|__import__|import_module|read_text|read_bytes|write_text|write_bytes"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One parsed file; ``path`` is relative to the project."""

    path: PurePosixPath
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def is_in(self, *patterns: str) -> bool:
        """Tell whether the path starts with one of ``patterns``, compared part by part."""
        return any(
            len(self.path.parts) >= len(PurePosixPath(pattern).parts)
            and PurePosixPath(*self.path.parts[: len(PurePosixPath(pattern).parts)]).match(pattern)
            for pattern in patterns
        )

    def imports(self) -> tuple[str, ...]:
        """Return every imported module, and every imported name behind its module."""
        return list_imports(self.text)

    def names(self) -> Iterator[str]:
        """Yield every name and attribute that the code mentions, in whatever way it was imported."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr
        yield from (imported.rsplit(".", 1)[-1] for imported in self.imports())

    def calls(self) -> Iterator[str]:
        """Yield what is called, as written: ``open``, ``datetime.now``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func)


@cache  # a dozen tests ask the same of every file
def list_imports(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or "."
            found += (module, *(f"{module}.{alias.name}" for alias in node.names))
    return tuple(found)


def sources(folder: str) -> list[Source]:
    paths = sorted(ROOT.joinpath(folder).rglob("*.py"))
    return [Source(PurePosixPath(path.relative_to(ROOT).as_posix()), path.read_text()) for path in paths]


def import_offenders(library: str, files: list[Source]) -> list[str]:
    allowed = ONLY_IN[library]
    return [
        str(source.path)
        for source in files
        if not source.is_in(*allowed) and any(name.split(".")[0] == library for name in source.imports())
    ]


FINDS_PACKS = "service/rules/catalog.py: import_module"
"""Packs are part of the package; finding them when it is imported reads nothing that an answer could depend on."""


def name_offenders(pattern: re.Pattern[str], files: list[Source], *allowed: str) -> list[str]:
    return [
        f"{source.path}: {name}"
        for source in files
        if not source.is_in(*allowed)
        for name in source.names()
        if pattern.fullmatch(name)
    ]


def reaches_outside(call: str) -> bool:
    """Tell whether a call reads the clock or touches files: ``x.open`` counts, ``reopen`` does not."""
    clock = WALL_CLOCK.fullmatch(".".join(call.split(".")[-2:]))
    return bool(clock or OUTSIDE.fullmatch(call.rsplit(".", 1)[-1]))


def call_offenders(files: list[Source]) -> list[str]:
    core = [source for source in files if source.is_in("service/rules", "service/credentials")]
    found = [f"{source.path}: {call}" for source in core for call in source.calls() if reaches_outside(call)]
    return [offence for offence in found if offence != FINDS_PACKS]


@pytest.mark.parametrize("library", ONLY_IN)
def test_library_is_imported_only_where_it_belongs(library: str) -> None:
    assert import_offenders(library, sources("service")) == []


def test_environment_is_read_only_in_settings() -> None:
    assert name_offenders(ENVIRONMENT, sources("service"), "service/settings.py", "service/settings") == []


def test_private_keys_are_made_and_loaded_only_in_keys() -> None:
    assert name_offenders(PRIVATE_KEY, sources("service"), "service/keys.py", "service/keys") == []


def test_core_reads_no_clock_and_no_file() -> None:
    assert call_offenders(sources("service")) == []


@pytest.mark.parametrize("folder", ["service", "tests"])
def test_files_stay_short(folder: str) -> None:
    lengths = {str(source.path): source.text.count("\n") for source in sources(folder)}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_tests_run_the_real_code() -> None:
    """Our own code is never replaced by a mock; ``monkeypatch`` sets environments and paths."""
    mocked = {"unittest.mock", "mock", "pytest_mock"}
    assert [str(source.path) for source in sources("tests") if mocked & set(source.imports())] == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("service/gate/transfers.py", "import fastapi"),
        ("service/gate/deep/api.py", "from fastapi.routing import APIRoute"),
        ("service/application.py", "def late():\n    from fastapi import FastAPI"),
    ],
)
def test_import_check_finds_an_offender(path: str, text: str) -> None:
    assert import_offenders("fastapi", [Source(PurePosixPath(path), text)]) == [path]


@pytest.mark.parametrize(
    "path", ["service/gate/api.py", "service/web/deps.py", "service/web/deep/a.py", "service/app.py"]
)
def test_import_check_allows_its_places(path: str) -> None:
    assert import_offenders("fastapi", [Source(PurePosixPath(path), "import fastapi")]) == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (ENVIRONMENT, "import os\nos.environ['A']"),
        (ENVIRONMENT, "from os import getenv as look"),
        (PRIVATE_KEY, "ec.generate_private_key(ec.SECP256R1())"),
        (PRIVATE_KEY, "from x import Ed25519PrivateKey as Key"),
        (PRIVATE_KEY, "serialization.load_pem_private_key(data, None)"),
    ],
)
def test_name_check_finds_an_offender(pattern: re.Pattern[str], text: str) -> None:
    source = Source(PurePosixPath("service/issuer/issuance.py"), text)
    assert len(name_offenders(pattern, [source], "service/keys.py")) == 1
    assert name_offenders(pattern, [source], "service/issuer") == []


@pytest.mark.parametrize(
    "call", ["datetime.now(UTC)", "dt.date.today()", "time.time()", "open('a')", "path.read_text()"]
)
def test_call_check_finds_an_offender(call: str) -> None:
    assert len(call_offenders([Source(PurePosixPath("service/rules/engine.py"), call)])) == 1


@pytest.mark.parametrize("call", ["datetime.fromisoformat(a)", "reopen(a)", "evaluate(now, today)", "facts.time(a)"])
def test_call_check_leaves_pure_code_alone(call: str) -> None:
    assert call_offenders([Source(PurePosixPath("service/rules/engine.py"), call)]) == []
