"""The frame of every page: who looks at it, what it is rendered with, and which headers go with it.

    return render(request, "inventory.html", visitor, entries=[...])

It refuses nobody: who may see a page is `page_access`, what failed is `failure`.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from holdfast import __version__
from holdfast.access import Actor, Permission
from holdfast.web.identity.cookies import cookies_of
from holdfast.web.identity.security_log import Origin, origin_in

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

FIGURES = "figures"
"""The name, in the pages' state, of what remembers overview figures."""


class Section(NamedTuple):
    """An entry of the navigation."""

    name: str
    path: str
    permission: Permission


SECTIONS = (Section("Inventory", "/admin/inventory", Permission.MANAGE),)
"""The sections that there are; each is shown to those who may open it."""


class Visitor(msgspec.Struct, frozen=True):
    """Who looks at a page: the actor, and what the frame shows of the organisation."""

    actor: Actor
    organisation: str
    timezone: str

    @property
    def name(self) -> str:
        """The name without its kind: `user:ana@example.org` is ana@example.org."""
        return self.actor.name.partition(":")[2] or self.actor.name

    @property
    def role(self) -> str:
        """The role as a word."""
        return str(self.actor.role)

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
    return Visitor(actor, settings["name"], settings["timezone"])


def render(
    request: Request, template: str, visitor: Visitor | None, *, status: int = 200, **context: Any
) -> HTMLResponse:
    """A whole page in its frame."""
    demo = demo_traffic(request)
    actor = None if visitor is None else visitor.actor
    html = _templates.get_template(template).render(
        context,
        who=visitor,
        sections=[] if actor is None else [one for one in SECTIONS if actor.has(one.permission)],
        here=request.url.path,
        traffic=demo if actor is not None and actor.has(Permission.MANAGE) else None,
        version=__version__,
    )
    return HTMLResponse(html, status, HEADERS)


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
