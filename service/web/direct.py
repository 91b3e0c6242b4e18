"""Routes that call their endpoint straight, where the framework would only pass on what is there already.

Solving dependencies, finding the body's type by an e-mail parser and serializing anew cost a short request more than
what it asks for. Whatever is unusual about a request is left to the framework, whose answer stays the only one.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

from fastapi import APIRouter, Request, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute

from service.web.auth import ScopeCheck
from service.web.dependencies import get_context, provide_context

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_JSON = "application/json"


@dataclass(slots=True)
class _Plan:
    """Where an endpoint's arguments come from, by their names."""

    requests: list[str] = field(default_factory=list)
    contexts: list[str] = field(default_factory=list)
    checks: list[tuple[str, ScopeCheck]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    body: str | None = None


class DirectRoute(APIRoute):
    """A route whose endpoint answers with a ``Response``, and takes of a request what a ``_Plan`` can name."""

    reads_json = False
    """Whether requests come with a ``json()`` that raises errors of ours."""
    is_direct = False
    """Whether the endpoint is such a one."""

    def get_route_handler(self) -> Handler:
        """Return a handler of our own in front of the framework's."""
        handle = super().get_route_handler()
        plan = _make_plan(self)
        self.is_direct = plan is not None
        return handle if plan is None else self._handle_directly(plan, handle)

    def _handle_directly(self, plan: _Plan, handle: Handler) -> Handler:
        endpoint: Callable[..., Awaitable[Response]] = self.endpoint

        async def handle_directly(request: Request) -> Response:
            if plan.body is not None and request.headers.get("content-type") != _JSON:
                return await handle(request)
            values: dict[str, Any] = dict.fromkeys(plan.requests, request)
            values |= dict.fromkeys(plan.contexts, get_context(request)) if plan.contexts else {}
            values |= {name: request.path_params[name] for name in plan.texts}
            for name, check in plan.checks:
                values[name] = await check(request)
            if plan.body is not None:
                assert self.body_field is not None
                if not await request.body():
                    return await handle(request)
                values[plan.body], errors = self.body_field.validate(await request.json(), {}, loc=("body",))
                if errors:
                    return await handle(request)
            return await endpoint(**values)

        return handle_directly


def _make_plan(route: DirectRoute) -> _Plan | None:
    """Return how to call the endpoint; None where that needs the framework."""
    hints = get_type_hints(route.endpoint, include_extras=True)
    answer = hints.pop("return", None)
    if not (inspect.iscoroutinefunction(route.endpoint) and isinstance(answer, type) and issubclass(answer, Response)):
        return None
    if route.dependencies:
        return None
    plan = _Plan()
    defaults = {each.default for each in inspect.signature(route.endpoint).parameters.values()}
    if defaults - {inspect.Parameter.empty} or not all(_place(plan, route, *each) for each in hints.items()):
        return None
    return plan


def _place(plan: _Plan, route: DirectRoute, name: str, hint: Any) -> bool:
    """Find a place for a parameter; False if there is none."""
    provider = _find_provider(hint)
    if hint is Request:
        plan.requests.append(name)
    elif provider is provide_context:
        plan.contexts.append(name)
    elif isinstance(provider, ScopeCheck):
        plan.checks.append((name, provider))
    elif hint is str and f"{{{name}}}" in route.path:
        plan.texts.append(name)
    elif _is_whole_body(route, name, hint):
        plan.body = name
    else:
        return False
    return True


def _is_whole_body(route: DirectRoute, name: str, hint: Any) -> bool:
    body = route.body_field
    return route.reads_json and body is not None and body.name == name and body.field_info.annotation is hint


def _find_provider(hint: Any) -> Any:
    return next((each.dependency for each in get_args(hint)[1:] if isinstance(each, Depends)), None)


def direct_router(**options: Any) -> APIRouter:
    """Make a router of such routes."""
    return APIRouter(route_class=DirectRoute, **options)
