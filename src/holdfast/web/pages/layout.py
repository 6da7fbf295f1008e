"""The frame of every page: who looks at it, what it is rendered with, and which headers go with it.

    return render(request, "inventory.html", visitor, entries=[...])

It refuses nobody: who may see a page is `page_access`, what failed is `failure`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from holdfast import __version__
from holdfast.access import Actor, Permission
from holdfast.reports import LIMIT_MAX, Json, Reports
from holdfast.web.identity.caller_mark import caller_mark
from holdfast.web.identity.cookies import cookies_of
from holdfast.web.identity.security_log import Origin, origin_in
from holdfast.web.pages.look import DENSITIES, SYSTEM, THEMES, Look, look_cookies, look_of
from holdfast.web.pages.sections import is_here, sections_of, start_path

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load and where its forms may go: only here."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_OF_THE_LIST = ("store", "cursor")
"""What of an address does not go along to another store."""

FIGURES = "figures"
"""The name, in the pages' state, of what remembers overview figures."""


FINDER = "/admin/inventory"
"""The page that the search of the header opens, for those who may."""

BAR_MAX = 3
"""Most sections in the bar of a phone, beside More."""

CHOICES_MAX = 1000
"""Most stores that a switch offers."""

ALL_STORES = "all"
"""What `?store=` says for all stores together."""


class Store(NamedTuple):
    """A store to choose."""

    id: str
    code: str
    name: str


class Visitor(msgspec.Struct, frozen=True):
    """Who looks at a page: the actor, what the frame shows of the organisation, and how they want to see it."""

    actor: Actor
    organisation: str
    timezone: str
    mode: str = "advanced"
    look: Look = Look()
    all_stores: tuple[Store, ...] = ()
    """The stores that they may see, by name; only where the page has a switch."""

    store: Store | None = None
    """The store that is chosen (None: all that they may see)."""

    @property
    def name(self) -> str:
        """The name without its kind: `user:ana@example.org` is ana@example.org."""
        return self.actor.name.partition(":")[2] or self.actor.name

    @property
    def role(self) -> str:
        """The role as a word."""
        return str(self.actor.role)

    @property
    def mark(self) -> str:
        """By what their stream and their look are known."""
        return caller_mark(self.actor)

    @property
    def start(self) -> str:
        """Where they begin."""
        return start_path(self.actor, self.mode)

    @property
    def stores(self) -> frozenset[str] | None:
        """The stores that reads are limited to (None: all)."""
        return frozenset(self.actor.stores) if self.actor.stores else None


_templates = Environment(
    loader=PackageLoader("holdfast.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def origin_of(request: Request) -> Origin:
    """Where the request comes from."""
    return origin_in(request.scope, dict(request.scope["headers"]), str(request.scope.get("request_id", "")))


def sent_cookies(request: Request) -> dict[str, str]:
    """The cookies that came with the request; `Request.cookies` would take them out of quotes, which is slow."""
    return cookies_of(dict(request.scope["headers"]).get(b"cookie", b""))


async def visitor_of(request: Request) -> Visitor | None:
    """Who looks, or None when nobody known does."""
    application = request.app.state.application
    headers = dict(request.scope["headers"])
    actor: Actor | None = await application.auth.actor_of(headers, origin=origin_of(request))
    if actor is None:
        return None
    settings = await run_in_threadpool(application.shop.reports.settings, actor.org_id)
    look = look_of(sent_cookies(request), caller_mark(actor), secure=request.url.is_secure)
    return Visitor(actor, settings["name"], settings["timezone"], settings["mode"], look)


async def with_stores(request: Request, visitor: Visitor) -> Visitor:
    """The visitor with the stores that they may see, and the one that the address names, if it is one of them."""
    reports = request.app.state.application.shop.reports
    stores = await run_in_threadpool(stores_of, reports, visitor)
    asked = request.query_params.get("store", "")
    store = next((one for one in stores if asked in (one.id, one.code)), None) if asked else None
    return msgspec.structs.replace(visitor, all_stores=stores, store=store)


def stores_of(reports: Reports, visitor: Visitor) -> tuple[Store, ...]:
    """The stores that somebody may see, by name."""
    found = everything(reports.stores, visitor)
    return tuple(Store(one["id"], one["code"], one["name"]) for one in sorted(found, key=lambda one: str(one["name"])))


def everything(read: Any, visitor: Visitor) -> list[Json]:
    """All that a list of the organisation has for somebody, and no more than a choice can offer."""
    items: list[Json] = []
    cursor: str | None = None
    while len(items) < CHOICES_MAX:
        part = read(visitor.actor.org_id, stores=visitor.stores, cursor=cursor, limit=LIMIT_MAX)
        items += part.items
        cursor = part.next_cursor
        if cursor is None:
            break
    return items


def keep_look(request: Request, response: Response, visitor: Visitor, look: Look) -> None:
    """Give the browser the look to keep."""
    for value in look_cookies(look, visitor.mark, secure=request.url.is_secure):
        response.headers.append("Set-Cookie", value)


def render(
    request: Request, template: str, visitor: Visitor | None, *, status: int = 200, **context: Any
) -> HTMLResponse:
    """A whole page in its frame."""
    traffic = demo_traffic(request)
    if visitor is None or not visitor.actor.has(Permission.MANAGE):
        traffic = None
    html = _templates.get_template(template).render(
        context, who=visitor, traffic=traffic, version=__version__, **_frame(request, visitor)
    )
    return HTMLResponse(html, status, HEADERS)


def _frame(request: Request, visitor: Visitor | None) -> dict[str, Any]:
    """What the frame shows around every page: sections, store switch, look."""
    here = request.url.path
    look = look_of(sent_cookies(request), "", secure=request.url.is_secure) if visitor is None else visitor.look
    sections = [] if visitor is None else sections_of(visitor.actor, visitor.mode)
    bar = [one for one in sections if one.bar][:BAR_MAX]
    store = "" if visitor is None or visitor.store is None else f"?store={quote(visitor.store.code)}"
    return {
        "here": here,
        "here_again": here + (f"?{request.url.query}" if request.url.query else ""),
        "sections": [
            {"name": one.name, "href": one.path + store, "here": is_here(one, here), "bar": one in bar}
            for one in sections
        ],
        "look": look,
        "theme": "" if look.theme == SYSTEM else look.theme,
        "themes": THEMES,
        "densities": DENSITIES,
        "finds": any(one.path == FINDER for one in sections),
        "asked": [(name, value) for name, value in request.query_params.multi_items() if name not in _OF_THE_LIST],
    }


def render_part(template: str, **context: Any) -> HTMLResponse:
    """A fragment of a page, fetched by its script."""
    return HTMLResponse(_templates.get_template(template).render(context), headers=HEADERS)


def demo_traffic(request: Request) -> Any:
    """The demo's customers, an object with `start()`, `stop()` and `running`; None outside a demo."""
    return getattr(getattr(request.app.state.application, "state", None), "demo_traffic", None)


class StaticFolder(StaticFiles):
    """Our stylesheets, scripts and pictures; browsers ask each time whether theirs is still right (ETag)."""

    def __init__(self) -> None:
        super().__init__(directory=str(files("holdfast.web") / "static"))

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with the headers that every answer of the pages has."""
        response = await super().get_response(path, scope)
        response.headers.update({**HEADERS, "Cache-Control": "no-cache"})
        return response
