"""A missing requirement is a skip on a developer's machine and a failure in the run that must be whole."""

from pathlib import Path

import pytest

from tests.requirements_support import REQUIRE_ALL, require_or_skip, require_program


@pytest.mark.parametrize("value", [None, "", "0"])
def test_missing_requirement_skips_by_default(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv(REQUIRE_ALL, raising=False)
    if value is not None:
        monkeypatch.setenv(REQUIRE_ALL, value)
    with pytest.raises(pytest.skip.Exception, match="softhsm2 is not installed: no module"):
        require_or_skip("softhsm2", "no module")


def test_missing_requirement_fails_when_all_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_ALL, "1")
    with pytest.raises(pytest.fail.Exception, match="softhsm2 is required"):
        require_or_skip("softhsm2", "no module")


def test_program_is_looked_up_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "node"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(REQUIRE_ALL, "1")
    assert require_program("node", package="nodejs") == str(program)
    with pytest.raises(pytest.fail.Exception, match="chromium is required"):
        require_program("chromium-browser", package="chromium")
