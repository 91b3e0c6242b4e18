"""Show a platform's page, with what its templates ask about the viewer."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from service.console.pages import render
from service.console.platform.access import may_write, sees_all
from service.console.viewer import Viewer


def show_page(request: Request, viewer: Viewer, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render ``platform/<template>``, which also knows ``may_write`` and ``sees_all``."""
    known = {"may_write": may_write(viewer), "sees_all": sees_all(viewer)}
    return render(request, viewer, f"platform/{template}", status=status, **known | values)
