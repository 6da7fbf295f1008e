"""Who may see a page, and what becomes of one that fails.

    @page(Permission.MANAGE)
    async def show(request: Request, visitor: Visitor) -> Response: ...

The unknown are sent to the sign-in, others without the permission are told so (403). Whatever a handler raises becomes
an error page, with a reference that is also in the log.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from holdfast.access import Actor, Permission
from holdfast.web.pages.failure import failure_page, page_of_error
from holdfast.web.pages.layout import ALL_STORES, HEADERS, Visitor, keep_look, origin_of, visitor_of, with_stores

Handler = Callable[[Request, Visitor], Awaitable[Response]]
OpenHandler = Callable[[Request], Awaitable[Response]]


def page(permission: Permission, *, fragment: bool = False, by_store: bool = False) -> Callable[[Handler], OpenHandler]:
    """Make a handler a page for those with the permission; a `fragment` is fetched by a page's script.

    A page `by_store` is about one store or all: the address says which (`?store=`), and it is remembered.
    """

    def wrap(handler: Handler) -> OpenHandler:
        @open_page
        @functools.wraps(handler)
        async def endpoint(request: Request) -> Response:
            visitor = await visitor_of(request)
            if visitor is None:
                if fragment:
                    return Response(status_code=401, headers=HEADERS)
                return RedirectResponse(f"/sign-in?next={quote(_here(request), safe='')}", 303, HEADERS)
            if not visitor.actor.has(permission):
                request.app.state.application.auth.log.refused(visitor.actor, "FORBIDDEN", origin_of(request))
                return failure_page(request, 403, visitor, permission=permission)
            if not by_store:
                return await handler(request, visitor)
            visitor = await with_stores(request, visitor)
            elsewhere = None if fragment else _elsewhere(request, visitor)
            if elsewhere is not None:
                return RedirectResponse(elsewhere, 303, HEADERS)
            response = await handler(request, visitor)
            chosen = "" if visitor.store is None else visitor.store.id
            if not fragment and chosen != visitor.look.store and "store" in request.query_params:
                keep_look(request, response, visitor, msgspec.structs.replace(visitor.look, store=chosen))
            return response

        endpoint.permission = permission  # type: ignore[attr-defined] # read by `opens`
        return endpoint

    return wrap


def opens(request: Request, actor: Actor, path: str) -> bool:
    """May the actor open the page at the path? What is no page of ours, or is for everybody, opens."""
    scope = {"type": "http", "method": "GET", "path": path.partition("?")[0], "headers": [], "root_path": ""}
    for route in request.app.routes:
        if route.matches(scope)[0] is Match.FULL:
            permission = getattr(route.endpoint, "permission", None) if isinstance(route, Route) else None
            return permission is None or actor.has(permission)
    return True


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _elsewhere(request: Request, visitor: Visitor) -> str | None:
    """The address that says which store is shown, where this one does not, or names one that there is not."""
    asked = request.query_params.get("store")
    if asked == ALL_STORES or visitor.store is not None or (asked is None and not visitor.look.store):
        return None
    known = next((one for one in visitor.all_stores if one.id == visitor.look.store), None) if asked is None else None
    if asked is None and known is None:
        return None
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "store"]
    pairs = [*others, ("store", ALL_STORES if known is None else known.code)]
    return f"{request.url.path}?{urlencode(pairs)}"


def open_page(handler: OpenHandler) -> OpenHandler:
    """Make a handler a page for everybody: whatever fails in it becomes an error page."""

    @functools.wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:  # noqa: BLE001 - the last resort: a page instead of nothing, and a log line
            return page_of_error(request, error)

    return endpoint
