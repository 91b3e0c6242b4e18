"""Have axe-core judge a page as it stands."""

from functools import cache

from playwright.async_api import Page

from tests.interop.support import FOLDER
from tests.requirements_support import require_or_skip

_AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async (tags) => {
  const found = await axe.run(document, {runOnly: tags, resultTypes: ['violations']});
  return found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${rule.help}: ${node.target.flat().join(' ')}: ${node.failureSummary}`));
}"""


@cache
def _source() -> str:
    if not _AXE.exists():
        require_or_skip("axe-core", "run npm ci --ignore-scripts --prefix tests/interop")
    return _AXE.read_text()


async def find_barriers(page: Page) -> list[str]:
    """Return what WCAG 2.2 AA and good practice forbid and the page does, a line each; empty is good.

    The page's own content policy stays in force: the checker is evaluated from outside, as a debugger does.
    """
    if not await page.evaluate("'axe' in globalThis"):
        await page.evaluate(_source())
    found: list[str] = await page.evaluate(_RUN, _RULES)
    return found
