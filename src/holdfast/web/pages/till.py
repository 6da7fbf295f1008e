"""The page that sells, and the window that the customer sees.

    GET /pos              the till: its script asks the API for everything that it shows
    GET /pos/customer     a second window at the same till, with nothing of the staff's

Whoever may sell opens it when they are signed in, and so does a browser that is a till already (its cookie), though
nobody is signed in there. It refuses to hold anything of the shop: the page is the same for everybody.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.access import Permission
from holdfast.web.http.problems import UNAUTHORIZED, Problem
from holdfast.web.pages.failure import failure_page
from holdfast.web.pages.layout import HEADERS, origin_of, render, visitor_of
from holdfast.web.pages.page_access import open_page


@open_page
async def show(request: Request) -> Response:
    """The till."""
    return await _shown(request, "pos.html")


@open_page
async def customer(request: Request) -> Response:
    """What the customer sees."""
    return await _shown(request, "pos_customer.html")


async def _shown(request: Request, template: str) -> Response:
    visitor, is_till = await visitor_of(request), await _is_till(request)
    if visitor is None and not is_till:
        return RedirectResponse(f"/sign-in?next={request.url.path}", 303, HEADERS)
    if visitor is not None and not visitor.actor.has(Permission.SELL):
        request.app.state.application.auth.log.refused(visitor.actor, "FORBIDDEN", origin_of(request))
        return failure_page(request, 403, visitor)
    manages = visitor is not None and visitor.actor.has(Permission.MANAGE)
    return render(request, template, visitor, manages=manages, is_till=is_till)


async def _is_till(request: Request) -> bool:
    """Does the browser show an open register session, whoever is at it now?"""
    headers = {**dict(request.scope["headers"]), b"authorization": b"Register"}
    auth = request.app.state.application.auth
    try:
        await auth.identify(headers, request.method, origin=origin_of(request), counted=False)
    except Problem as problem:
        if problem.code != UNAUTHORIZED:
            raise
        return bool(problem.numbers.get("pin_needed"))
    return True
