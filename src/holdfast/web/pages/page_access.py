"""Who may see a page, and what becomes of one that fails.

    @page(Permission.MANAGE)
    async def show(request: Request, visitor: Visitor) -> Response: ...

The unknown are sent to the sign-in, others without the permission are told so (403). Whatever a handler raises becomes
an error page, with a reference that is also in the log.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.access import Permission
from holdfast.web.pages.failure import failure_page, page_of_error
from holdfast.web.pages.layout import HEADERS, Visitor, origin_of, visitor_of

Handler = Callable[[Request, Visitor], Awaitable[Response]]
OpenHandler = Callable[[Request], Awaitable[Response]]


def page(permission: Permission, *, fragment: bool = False) -> Callable[[Handler], OpenHandler]:
    """Make a handler a page for those with the permission; a `fragment` is fetched by a page's script."""

    def wrap(handler: Handler) -> OpenHandler:
        @open_page
        @functools.wraps(handler)
        async def endpoint(request: Request) -> Response:
            visitor = await visitor_of(request)
            if visitor is None:
                if fragment:
                    return Response(status_code=401, headers=HEADERS)
                here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", 303, HEADERS)
            if not visitor.actor.has(permission):
                request.app.state.application.auth.log.refused(visitor.actor, "FORBIDDEN", origin_of(request))
                return failure_page(request, 403, visitor)
            return await handler(request, visitor)

        return endpoint

    return wrap


def open_page(handler: OpenHandler) -> OpenHandler:
    """Make a handler a page for everybody: whatever fails in it becomes an error page."""

    @functools.wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:  # noqa: BLE001 - the last resort: a page instead of nothing, and a log line
            return page_of_error(request, error)

    return endpoint
