"""The form by which somebody chooses how their pages look (`look`): POST /account/look."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.access import Permission
from holdfast.web.http.problems import invalid
from holdfast.web.pages.form import own_path, posted
from holdfast.web.pages.layout import HEADERS, Visitor, keep_look
from holdfast.web.pages.look import DENSITIES, THEMES
from holdfast.web.pages.page_access import page


@page(Permission.READ)
async def choose_look(request: Request, visitor: Visitor) -> Response:
    """Keep theme and density, and go back to the page (`next`)."""
    fields = await posted(request)
    theme, density = fields.get("theme", visitor.look.theme), fields.get("density", visitor.look.density)
    if theme not in THEMES:
        raise invalid("theme", f"must be {', '.join(THEMES)}.")
    if density not in DENSITIES:
        raise invalid("density", f"must be {' or '.join(DENSITIES)}.")
    response = RedirectResponse(own_path(fields.get("next")), 303, HEADERS)
    keep_look(request, response, visitor, msgspec.structs.replace(visitor.look, theme=theme, density=density))
    return response
