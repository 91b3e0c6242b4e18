"""Pictures in the repository: small, and each that README shows is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_pictures_are_small() -> None:
    sizes = [file.stat().st_size for file in (ROOT / "docs" / "screenshots").glob("*.png")]
    assert len(sizes) > 10
    assert max(sizes) < 150_000
    assert sum(sizes) < 1_500_000


def test_pictures_of_the_readme_exist() -> None:
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
