"""Signing in and out, and the start page that sends everybody where they belong."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.web.auth import session_cookie, session_token
from holdfast.web.pages.form import own_path, posted
from holdfast.web.pages.frame import HEADERS, render, visitor_of
from holdfast.web.pages.gate import open_page
from holdfast.web.problems import RATE_LIMITED, Problem

_WRONG = "That email address and password do not belong together. Check both and try again."


@open_page
async def start(request: Request) -> Response:
    """The start page: the inventory, or the sign-in."""
    known = await visitor_of(request) is not None
    return RedirectResponse("/admin/inventory" if known else "/sign-in", 303, HEADERS)


@open_page
async def show(request: Request) -> Response:
    """The form to sign in."""
    asked = request.query_params
    return _form(request, own_path(asked.get("next")), signed_out="signed_out" in asked)


@open_page
async def enter(request: Request) -> Response:
    """Begin a session, or say why not."""
    fields = await posted(request)
    going, email = own_path(fields.get("next")), fields.get("email", "").strip()[:200]
    application = request.app.state.application
    address = request.client.host if request.client else ""
    try:
        token = await run_in_threadpool(application.auth.login, email, fields.get("password", ""), address=address)
    except Problem as problem:
        if problem.code != RATE_LIMITED:
            raise
        response = _form(request, going, email=email, problem=_later(problem), status=429)
        response.headers.update(problem.headers)
        return response
    if token is None:
        return _form(request, going, email=email, problem=_WRONG, status=401)
    state = request.app.state
    cookie = session_cookie(token, secure=state.secure_cookies, seconds=state.session_seconds)
    return RedirectResponse(going, 303, {**HEADERS, "Set-Cookie": cookie})


@open_page
async def leave(request: Request) -> Response:
    """End the session."""
    await posted(request)
    token = session_token(dict(request.scope["headers"]))
    if token is not None:
        await run_in_threadpool(request.app.state.application.auth.logout, token)
    cookie = session_cookie(None, secure=request.app.state.secure_cookies)
    return RedirectResponse("/sign-in?signed_out", 303, {**HEADERS, "Set-Cookie": cookie})


def _form(
    request: Request, going: str, *, email: str = "", problem: str = "", signed_out: bool = False, status: int = 200
) -> Response:
    return render(
        request, "sign_in.html", None, status=status, next=going, email=email, problem=problem, signed_out=signed_out
    )


def _later(problem: Problem) -> str:
    seconds = problem.numbers.get("retry_after", 60)
    return f"Too many attempts. Wait {seconds} second{'' if seconds == 1 else 's'}, then try again."
