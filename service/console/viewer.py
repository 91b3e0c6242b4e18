"""Who looks at a page, and what they may do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request

from service.accounts.accounts import BY_BROWSER, LANGUAGES
from service.accounts.sessions import find_session
from service.console.cookies import derive_form_token, read_language, read_session_secret
from service.console.translation import choose_language
from service.errors import ForbiddenError
from service.web.dependencies import get_context

SIGN_IN = "/console/sign-in"


class SignInNeededError(Exception):
    """Nobody is signed in; ``service.console.routing`` leads to the sign-in page."""


class RoleMissingError(ForbiddenError):
    """The account lacks the role that a page needs, or its organisation does."""

    code = "role_missing"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person in front of a page.

    Attributes:
        org_roles: Of the organisation: ``issuer``, ``platform``, ``operator``.
        roles: Of the account: ``officer``, ``approver``, ``auditor``, ``admin``.
        form_token: Hidden field ``form_token`` of every form.
    """

    org_id: str
    org_name: str
    org_roles: tuple[str, ...]
    account_id: str
    account_name: str
    roles: frozenset[str]
    language: str
    form_token: str


async def find_viewer(request: Request) -> Viewer | None:
    """Return who is signed in in this browser; asked of the database once per request."""
    if not hasattr(request.state, "viewer"):
        request.state.viewer = await _find_viewer(request)
    viewer: Viewer | None = request.state.viewer
    return viewer


def language_of_browser(request: Request) -> str:
    """Return the language that was chosen in this browser, else the one of ours that it asks for."""
    chosen = request.query_params.get("language") or read_language(request)
    return chosen if chosen in LANGUAGES else choose_language(request.headers.get("accept-language", ""))


async def _find_viewer(request: Request) -> Viewer | None:
    secret, context = read_session_secret(request), get_context(request)
    found = None if secret is None else await find_session(context.database, secret, context.clock())
    if found is None:
        return None
    return Viewer(
        org_id=found.org_id,
        org_name=found.org_name,
        org_roles=found.org_roles,
        account_id=found.account_id,
        account_name=found.account_name,
        roles=found.roles,
        language=language_of_browser(request) if found.language == BY_BROWSER else found.language,
        form_token=derive_form_token(request),
    )


def require_role(*roles: str, org_role: str | None = None) -> Callable[[Request], Awaitable[Viewer]]:
    """Make a dependency that gives the ``Viewer``.

    Args:
        roles: One of them is needed; none at all lets everybody in who is signed in.
        org_role: What the viewer's organisation has to be: ``issuer`` or ``platform``.

    Raises:
        SignInNeededError: Becomes the way to the sign-in page.
        RoleMissingError: Becomes a page that says which role it takes.
    """

    async def provide_viewer(request: Request) -> Viewer:
        viewer = await find_viewer(request)
        if viewer is None:
            raise SignInNeededError
        if roles and viewer.roles.isdisjoint(roles):
            raise RoleMissingError(f"This page needs the role {' or '.join(roles)}.")
        if org_role is not None and org_role not in viewer.org_roles:
            raise RoleMissingError(f"This page is for organisations that are {org_role}.")
        return viewer

    provide_viewer.roles, provide_viewer.org_role = roles, org_role  # type: ignore[attr-defined]  # a test lists every route's
    return provide_viewer


def sign_in_address(request: Request) -> str:
    """Return the address of the sign-in page that leads back to this page afterwards."""
    wanted = request.url.path if request.method == "GET" else "/console"
    return f"{SIGN_IN}?next={quote(wanted, safe='/')}"
