"""What ``make serve`` prints: where each kind of person begins."""

from collections.abc import Mapping

from service.demo.people import LINKS_LIVE, make_links
from service.demo.seed import find_demo_organizations
from service.web.context import Context

_HOURS = int(LINKS_LIVE.total_seconds()) // 3600


async def make_welcome_links(context: Context) -> dict[str, dict[str, str]]:
    """Make a sign-in link for each person of the demo organisations, which must have been seeded."""
    async with context.database.transaction() as session:
        return await make_links(session, context, await find_demo_organizations(session))


def describe_welcome(base_url: str, links: Mapping[str, Mapping[str, str]], platform_url: str) -> str:
    """Return the text."""
    lines = [
        "",
        "Where to begin, in a browser on this machine:",
        "",
        f"  The investor's wallet       {base_url}/wallet/",
        f"  A platform that sells       {platform_url}/",
        f"  The API, for engineers      {base_url}/docs",
        "",
        f"Sign in for an organisation. Each link works once, for {_HOURS} hours; the next start prints others.",
    ]
    for organization, by_role in links.items():
        lines += ["", f"  {organization}", *(f"    {role:<12}{link}" for role, link in by_role.items())]
    return "\n".join([*lines, ""])
