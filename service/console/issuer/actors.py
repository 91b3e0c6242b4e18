"""Who did something: what the record knows by id, by the names that colleagues use."""

from collections.abc import Callable

from sqlmodel.ext.asyncio.session import AsyncSession

from service.accounts.accounts import list_accounts
from service.console.translation import translate
from service.console.viewer import Viewer


async def read_actors(session: AsyncSession, viewer: Viewer) -> Callable[[str | None], str]:
    """Return a function that names an actor of the viewer's organisation."""
    names = {row.id: row.name for row in await list_accounts(session, viewer.org_id)}

    def name_actor(actor: str | None) -> str:
        if actor is None:
            return ""
        return names.get(actor) or translate(viewer.language, "cases.by_program", id=actor)

    return name_actor
