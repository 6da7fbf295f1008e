"""Signing in and out, and the start page that sends everybody where they belong."""

from __future__ import annotations

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.db.browser_sessions import OPEN
from holdfast.web.http.problems import RATE_LIMITED, UNAVAILABLE, Problem
from holdfast.web.identity.cookies import SESSION_COOKIE, cookie, cookie_name, session_cookie, session_token
from holdfast.web.identity.sign_in import DEVICE_SECONDS, PENDING_SECONDS, Entered
from holdfast.web.pages.form import own_path, posted
from holdfast.web.pages.layout import HEADERS, origin_of, render, sent_cookies, visitor_of
from holdfast.web.pages.page_access import open_page, opens
from holdfast.web.pages.sections import TILL, has_section

_WRONG = "That email address and password do not belong together. Check both and try again."
_WRONG_CODE = "That code is wrong, or was used before. Type the one that the app shows now."
_BUSY = "Too many people sign in at this moment. Try again in a few seconds."
_PAGES = {"code": "/sign-in/code", "password": "/account/password", "factor": "/account/two-steps"}


@open_page
async def start(request: Request) -> Response:
    """The start page of the visitor's role, or the sign-in."""
    visitor = await visitor_of(request)
    if visitor is None:
        return RedirectResponse("/sign-in", 303, HEADERS)
    return RedirectResponse(visitor.start, 303, HEADERS)


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
    auth = request.app.state.application.auth
    given = fields.get("password", "")[:1000]
    before = session_token(dict(request.scope["headers"]), secure=request.url.is_secure)
    try:
        origin, cookies = origin_of(request), sent_cookies(request)
        place = await run_in_threadpool(auth.sign_in.look, email, origin, cookies)
        entered = await auth.hashing.run(auth.sign_in.enter, email, given, origin, cookies, place=place)
    except Problem as problem:
        if problem.code not in (RATE_LIMITED, UNAVAILABLE):
            raise
        words = later(problem) if problem.code == RATE_LIMITED else _BUSY
        response = _form(request, going, email=email, problem=words, status=problem.status)
        response.headers.update(problem.headers)
        return response
    if entered is None:
        return _form(request, going, email=email, problem=_WRONG, status=401)
    if before is not None:
        await run_in_threadpool(auth.logout, before, origin_of(request))
    return await enter_stage(request, entered, going)


@open_page
async def ask_code(request: Request) -> Response:
    """The form for the code of the app."""
    return _code_form(request, own_path(request.query_params.get("next")))


@open_page
async def give_code(request: Request) -> Response:
    """Take the code."""
    fields = await posted(request)
    going = own_path(fields.get("next"))
    sign_in = request.app.state.application.auth.sign_in
    token = session_token(dict(request.scope["headers"]), secure=request.url.is_secure) or ""
    if await run_in_threadpool(sign_in.pending, token) is None:
        return RedirectResponse(f"/sign-in?next={quote(going, safe='')}", 303, HEADERS)
    code = fields.get("code", "")[:100]
    try:
        entered = await run_in_threadpool(sign_in.give_code, token, code, origin_of(request), sent_cookies(request))
    except Problem as problem:
        if problem.code != RATE_LIMITED:
            raise
        response = _code_form(request, going, problem=later(problem), status=429)
        response.headers.update(problem.headers)
        return response
    if entered is None:
        return _code_form(request, going, problem=_WRONG_CODE, status=401)
    return await enter_stage(request, entered, going)


@open_page
async def leave(request: Request) -> Response:
    """End the session."""
    await posted(request)
    token = session_token(dict(request.scope["headers"]), secure=request.url.is_secure)
    if token is not None:
        await run_in_threadpool(request.app.state.application.auth.logout, token, origin_of(request))
    ended = session_cookie(None, secure=request.url.is_secure)
    return RedirectResponse("/sign-in?signed_out", 303, {**HEADERS, "Set-Cookie": ended})


async def enter_stage(request: Request, entered: Entered, going: str) -> Response:
    """Send who has entered where they go, or to what has to be done before; to no page that would refuse them."""
    path = f"{_PAGES[entered.stage]}?next={quote(going, safe='')}" if entered.stage != OPEN else going
    if entered.stage == OPEN and not await _opens(request, entered.token, going):
        path = "/"
    response = RedirectResponse(path, 303, HEADERS)
    set_cookie(request, response, entered)
    return response


async def _opens(request: Request, token: str, path: str) -> bool:
    """May who has just signed in open the page at the path?"""
    secure = request.url.is_secure
    headers = {b"cookie": f"{cookie_name(SESSION_COOKIE, secure=secure)}={token}".encode()}
    actor = await request.app.state.application.auth.actor_of(headers, origin=origin_of(request))
    return actor is None or opens(request, actor, path)


def set_cookie(request: Request, response: Response, entered: Entered) -> None:
    """Give the browser its session, and the mark by which it is known at the account."""
    secure = request.url.is_secure
    seconds = request.app.state.session_seconds if entered.stage == OPEN else PENDING_SECONDS
    response.headers.append("Set-Cookie", session_cookie(entered.token, secure=secure, seconds=seconds))
    if entered.device is not None:
        name, value = entered.device
        response.headers.append("Set-Cookie", cookie(name, value, secure=secure, seconds=DEVICE_SECONDS))


def later(problem: Problem) -> str:
    """How long to wait, in plain words."""
    seconds = problem.numbers.get("retry_after", 60)
    return f"Too many attempts. Wait {seconds} second{'' if seconds == 1 else 's'}, then try again."


def _code_form(request: Request, going: str, *, problem: str = "", status: int = 200) -> Response:
    return render(request, "sign_in_code.html", None, status=status, next=going, problem=problem)


def _form(
    request: Request, going: str, *, email: str = "", problem: str = "", signed_out: bool = False, status: int = 200
) -> Response:
    return render(
        request,
        "sign_in.html",
        None,
        status=status,
        next=going,
        email=email,
        problem=problem,
        signed_out=signed_out,
        till=TILL if has_section(TILL) else "",
    )
