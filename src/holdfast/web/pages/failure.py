"""Error pages, in the frame of all pages: what is wrong in plain words, and a way out.

    failure_page(request, 404)     -> "There is nothing at this address."

A 500 shows a reference and nothing of what went wrong; the log has the rest under the same reference.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

import structlog
import uuid_utils
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.access import Permission
from holdfast.db.credentials import is_away
from holdfast.executor import Overloaded, Unavailable
from holdfast.reports import BadCursor
from holdfast.web.http.problems import INTERNAL_ERROR, Problem, problem_of_error
from holdfast.web.http.request_log import REFUSED_PAGE, trace_of
from holdfast.web.pages.layout import HEADERS, Visitor, render, visitor_of
from holdfast.web.pages.sections import who_may

log = structlog.get_logger("holdfast.web")


class _Words(NamedTuple):
    heading: str
    text: str


_WORDS = {
    400: _Words("This address is not complete", "Something in it cannot be read. Start again from the page itself."),
    403: _Words("Your role does not open this page", "Nothing was done. Go back, and do it from a page of your own."),
    404: _Words("There is nothing at this address", "It may have been removed, or mistyped."),
    405: _Words("That cannot be done here", "The address exists, but not for this kind of request."),
    413: _Words("That is too much at once", "The form is larger than this page takes."),
    429: _Words("That was too often", "Wait a little, then try again."),
    500: _Words("Something went wrong on our side", "Try again. If it stays, tell the reference to whoever runs this."),
    503: _Words("Holdfast is not available right now", "Nothing was lost. Try again in a moment."),
}


def failure_page(
    request: Request,
    status: int,
    visitor: Visitor | None = None,
    *,
    text: str = "",
    reference: str = "",
    permission: Permission | None = None,
) -> Response:
    """The page of an error; of one that somebody may not open, with the `permission` that it needs."""
    words = _WORDS.get(status, _WORDS[400])
    way_out = {"path": "/", "name": "To the start page"}
    other_way = None
    if permission is not None and visitor is not None:
        text = f"It is for {who_may(permission)}. You are signed in as {visitor.name} ({visitor.role})."
        other_way = {"path": visitor.start, "name": "To my start page"}
        way_out = {"path": f"/sign-in?next={quote(request.url.path, safe='')}", "name": "Sign in as somebody else"}
    response = render(
        request,
        "failure.html",
        visitor,
        status=status,
        heading=words.heading,
        text=text or words.text,
        reference=reference,
        way_out=way_out,
        other_way=other_way,
        code=status,
    )
    if reference:
        response.headers["X-Request-Id"] = reference
    return response


def page_of_error(request: Request, error: Exception) -> Response:
    """The page of whatever a handler raised; its code, and the trace of a bug, are left for the log."""
    problem = problem_of_error(error)
    if problem is not None:
        request.scope[REFUSED_PAGE] = (problem.code, "")
    match error:
        case HTTPException():
            return failure_page(request, error.status_code)
        case BadCursor():
            return failure_page(request, 400)
        case Overloaded() | Unavailable():
            response = failure_page(request, 503)
            response.headers["Retry-After"] = str(error.retry_after)
            return response
        case Problem():
            response = failure_page(request, error.status, text=error.detail)
            response.headers.update(error.headers)
            return response
    if is_away(error):
        return failure_page(request, 503)
    reference = str(request.scope.get("request_id") or uuid_utils.uuid7())
    request.scope[REFUSED_PAGE] = (INTERNAL_ERROR, trace_of(error))
    return failure_page(request, 500, reference=reference)


async def not_found_page(request: Request, error: Exception) -> Response:
    """What the router itself refuses: an unknown address or method."""
    assert isinstance(error, HTTPException)
    if error.status_code < 400:
        return RedirectResponse("/", error.status_code, HEADERS)
    try:
        visitor = await visitor_of(request)
    except Exception as inner:  # noqa: BLE001 - whoever asks gets the page of a stranger
        log.warning("visitor unknown", request_id=request.scope.get("request_id"), error=repr(inner))
        visitor = None
    response = failure_page(request, error.status_code, visitor)
    response.headers.update(error.headers or {})
    return response
