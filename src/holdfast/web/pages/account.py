"""One's account: password, PIN, two steps, and where one is signed in; also for who has to do one of them first.

A session whose stage is `password` or `factor` opens the page of that alone, without the frame of who is signed in;
when it is done the session opens under a new token. Every change asks for the present password.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from holdfast.access import Actor, Permission, Role
from holdfast.core.organisation.sign_in import ChangeOwnPassword, ChangeOwnPin, NoteSecurity
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.time import instant_text
from holdfast.db import browser_sessions
from holdfast.db import credentials as directory
from holdfast.db.browser_sessions import Factor
from holdfast.db.credentials import UserRow
from holdfast.db.engine import Database
from holdfast.passwords import PASSWORD_CHARACTERS_MAX, WeakPassword, hashed, refuse_weak
from holdfast.pins import LONG_PIN_DIGITS_MIN, LONG_PIN_ROLES
from holdfast.tokens import digest_of
from holdfast.web.http.problems import RATE_LIMITED, Problem
from holdfast.web.identity import second_factor
from holdfast.web.identity.cashiers import OWN_PINS_MAX, Chooser
from holdfast.web.identity.cookies import session_token
from holdfast.web.identity.hashing import Place
from holdfast.web.identity.sign_in import Entered, SignIn
from holdfast.web.pages.form import own_path, posted
from holdfast.web.pages.layout import HEADERS, Visitor, origin_of, render, sent_cookies, visitor_of
from holdfast.web.pages.page_access import open_page, page
from holdfast.web.pages.sign_in import enter_stage, later, set_cookie

_WRONG = "That is not your present password."
_WRONG_CODE = "That is not the code which your app shows now, nor a recovery code. A code is taken once."
_DONE = {
    "password": "Your password is changed. Everywhere else you are signed out.",
    "pin": "Your PIN is changed.",
    "ended": "Signed out there.",
    "one-step": "You sign in with one step again.",
}


class Person(NamedTuple):
    """Who changes what is their own: the user, the session's token, and its stage (`open` when they are signed in)."""

    user: UserRow
    token: str
    stage: str
    visitor: Visitor | None


class Refused(Exception):
    """The form cannot be done; the message says why beside its fields."""


def _sign_in(request: Request) -> SignIn:
    sign_in: SignIn = request.app.state.application.auth.sign_in
    return sign_in


async def _person(request: Request, stage: str) -> Person | None:
    """Who is signed in, or has to do what the stage is before."""
    token = session_token(dict(request.scope["headers"]), secure=request.url.is_secure)
    if token is None:
        return None
    visitor = await visitor_of(request)
    database = request.app.state.application.shop.database
    if visitor is not None:
        email, org_id, user_id = visitor.name, visitor.actor.org_id, visitor.actor.id
    else:
        waiting = await run_in_threadpool(_sign_in(request).pending, token)
        if waiting is None or waiting.stage != stage:
            return None
        email, org_id, user_id = waiting.email, waiting.org_id, waiting.user_id
    users = await run_in_threadpool(directory.users_of, database, email)
    user = next((one for one in users if (one.org_id, one.id) == (org_id, user_id)), None)
    return None if user is None else Person(user, token, browser_sessions.OPEN if visitor else stage, visitor)


def _to_sign_in() -> Response:
    return RedirectResponse("/sign-in?next=/account", 303, HEADERS)


def _organisation(request: Request, org_id: str) -> str:
    settings = request.app.state.application.shop.reports.settings(org_id)
    return "" if settings is None else str(settings["name"])


def _actor(request: Request, person: Person) -> Actor:
    origin = origin_of(request)
    user = person.user
    return Actor(
        user.org_id,
        user.name,
        Role(user.role),
        user.stores,
        id=user.id,
        address=origin.address or None,
        request_id=origin.request_id or "page",
    )


async def _confirm(request: Request, person: Person, password: str) -> None:
    """The present password, or Refused; hashed when its turn comes."""
    application = request.app.state.application
    given = password if len(password) <= PASSWORD_CHARACTERS_MAX else ""
    sign_in, whose = _sign_in(request), (person.user, origin_of(request), sent_cookies(request))
    place = await run_in_threadpool(sign_in.look_own, *whose)
    user, origin, cookies = whose
    if not await application.auth.hashing.run(sign_in.confirm, user, given, origin, cookies, place=place):
        raise Refused(_WRONG)


async def _confirm_code(request: Request, person: Person, code: str) -> Factor | None:
    """The second factor that the user has, whose present code or recovery code was given; or Refused."""
    database, user = request.app.state.application.shop.database, person.user
    known = await run_in_threadpool(browser_sessions.factor, database, user.org_id, user.id)
    if known is None:
        return None
    sign_in = _sign_in(request)
    if not await run_in_threadpool(sign_in.confirm_code, user, code[:100], origin_of(request), sent_cookies(request)):
        raise Refused(_WRONG_CODE)
    return known


def _words(problem: Problem) -> str:
    if problem.code == RATE_LIMITED:
        return later(problem)
    raise problem


# The page ------------------------------------------------------------------------------------------------------------


@page(Permission.READ)
async def show(request: Request, visitor: Visitor) -> Response:
    """Where one is signed in, and ways to change how."""
    return await _show(request, visitor, done=_DONE.get(request.query_params.get("done", ""), ""))


async def _show(request: Request, visitor: Visitor, *, problem: str = "", done: str = "") -> Response:
    application = request.app.state.application
    database, actor = application.shop.database, visitor.actor
    now = time.time_ns() // 1000
    found = await run_in_threadpool(
        browser_sessions.listed, database, actor.org_id, actor.id, now, application.auth.idle
    )
    factor = await run_in_threadpool(browser_sessions.factor, database, actor.org_id, actor.id)
    own = digest_of(session_token(dict(request.scope["headers"]), secure=request.url.is_secure) or "")
    return render(
        request,
        "account.html",
        visitor,
        status=400 if problem else 200,
        problem=problem,
        done=done,
        has_factor=factor is not None,
        codes_left=0 if factor is None else len(factor.codes),
        sessions=[
            {
                "id": one.id,
                "device": one.device,
                "address": one.address,
                "begun": _minute(one.begun_at),
                "used": _minute(one.used_at),
                "this": one.token_hash == own,
            }
            for one in found
        ],
    )


def _minute(at: int) -> str:
    return instant_text(at)[:16].replace("T", " ") + " UTC"


@page(Permission.READ)
async def end_sessions(request: Request, visitor: Visitor) -> Response:
    """End a session, or all others."""
    fields = await posted(request)
    application = request.app.state.application
    actor = visitor.actor
    own = digest_of(session_token(dict(request.scope["headers"]), secure=request.url.is_secure) or "")
    session_id = fields.get("id") or None
    if session_id is not None and not _is_id(session_id):
        return RedirectResponse("/account", 303, HEADERS)
    ended = await run_in_threadpool(
        lambda: browser_sessions.end(application.shop.database, actor.org_id, actor.id, session_id, but=own)
    )
    application.auth.forget_sessions(actor.org_id, ended)
    if ended:
        note = NoteSecurity("sessions_ended", "app_user", actor.id, count=len(ended))
        application.auth.log.note(actor.org_id, actor.name, origin_of(request), note)
    return RedirectResponse("/account?done=ended", 303, HEADERS)


def _is_id(text: str) -> bool:
    return len(text) == 36 and all(sign in "0123456789abcdef-" for sign in text)


# Password and PIN ----------------------------------------------------------------------------------------------------


@open_page
async def password(request: Request) -> Response:
    """The form to change one's password."""
    person = await _person(request, "password")
    if person is None:
        return _to_sign_in()
    return _password_form(request, person, own_path(request.query_params.get("next")))


@open_page
async def change_password(request: Request) -> Response:
    """Change it; where it was a first password, the session opens."""
    fields = await posted(request)
    person = await _person(request, "password")
    if person is None:
        return _to_sign_in()
    going = own_path(fields.get("next"))
    try:
        await _change_password(request, person, fields)
    except Refused as refused:
        return _password_form(request, person, going, problem=str(refused))
    except Problem as problem:
        return _password_form(request, person, going, problem=_words(problem), status=429)
    application = request.app.state.application
    if person.stage == browser_sessions.OPEN:
        user = person.user
        await run_in_threadpool(
            browser_sessions.keep, application.shop.database, digest_of(person.token), user.org_id, user.id, _now()
        )
        application.auth.forget_sessions(user.org_id, [digest_of(person.token)])
        users = await run_in_threadpool(directory.users_of, application.shop.database, user.email)
        renewed = next(one for one in users if one.id == user.id)
        response = RedirectResponse("/account?done=password", 303, HEADERS)
        set_cookie(request, response, Entered(person.token, person.stage, _sign_in(request).device_of(renewed)))
        return response
    return await _opened(request, person, "password", going)


async def _change_password(request: Request, person: Person, fields: dict[str, str]) -> None:
    chosen = fields.get("password", "")
    if chosen != fields.get("again", ""):
        raise Refused("The new password is not the same both times.")
    await _confirm(request, person, fields.get("current_password", ""))
    if chosen == fields.get("current_password", ""):
        raise Refused("That is the password which you have already.")
    name = await run_in_threadpool(_organisation, request, person.user.org_id)
    application = request.app.state.application
    try:
        await run_in_threadpool(refuse_weak, chosen, email=person.user.email, organisation=name)
    except WeakPassword as error:
        raise Refused(str(error)) from None
    place = Place((f"user:{person.user.id}",), known=True)
    password_hash = await application.auth.hashing.run(hashed, chosen, place=place)
    await _do(request, person, ChangeOwnPassword(person.user.id, password_hash))
    if person.stage != browser_sessions.OPEN:
        await run_in_threadpool(
            browser_sessions.keep,
            application.shop.database,
            digest_of(person.token),
            person.user.org_id,
            person.user.id,
            _now(),
        )


async def _do(request: Request, person: Person, command: Any) -> None:
    reply = await request.app.state.application.shop.ask(_actor(request, person), command)
    if isinstance(reply.answer, Rejected):
        raise Refused(reply.answer.detail)


def _now() -> int:
    return time.time_ns() // 1000


async def _opened(request: Request, person: Person, done: str, going: str) -> Response:
    """Go on with a session whose stage is done."""
    entered = await run_in_threadpool(
        _sign_in(request).advance, person.token, done, origin_of(request), sent_cookies(request)
    )
    return _to_sign_in() if entered is None else await enter_stage(request, entered, going)


def _password_form(request: Request, person: Person, going: str, *, problem: str = "", status: int = 0) -> Response:
    return render(
        request,
        "account_password.html",
        person.visitor,
        status=status or (400 if problem else 200),
        first=person.stage == "password",
        problem=problem,
        next=going,
    )


@page(Permission.READ)
async def pin(request: Request, visitor: Visitor) -> Response:
    """The form to change one's PIN."""
    return _pin_form(request, visitor)


@page(Permission.READ)
async def change_pin(request: Request, visitor: Visitor) -> Response:
    """Change it."""
    fields = await posted(request)
    person = await _person(request, "")
    if person is None:
        return _to_sign_in()
    chosen = fields.get("pin", "")
    try:
        _test_pin(chosen, person.user.role)
        await _confirm(request, person, fields.get("current_password", ""))
        made = await _new_pin(request, person, chosen) if chosen else None
        await _do(request, person, ChangeOwnPin(person.user.id, made))
    except Refused as refused:
        return _pin_form(request, visitor, problem=str(refused))
    except Problem as problem:
        return _pin_form(request, visitor, problem=_words(problem), status=429)
    return RedirectResponse("/account?done=pin", 303, HEADERS)


def _test_pin(chosen: str, role: str) -> None:
    least = LONG_PIN_DIGITS_MIN if role in LONG_PIN_ROLES else 4
    if chosen and not (chosen.isascii() and chosen.isdigit() and least <= len(chosen) <= 8):
        raise Refused(_pin_rule(role))


async def _new_pin(request: Request, person: Person, chosen: str) -> Any:
    auth, user = request.app.state.application.auth, person.user
    chooser = Chooser(user.org_id, user.id, user.name, OWN_PINS_MAX)
    place = Place((f"caller:{user.id}",), known=True)
    return await auth.pins.run(auth.cashiers.chosen, chooser, user.id, chosen, origin_of(request), place=place)


def _pin_rule(role: str) -> str:
    return f"The PIN of a {role} has {LONG_PIN_DIGITS_MIN if role in LONG_PIN_ROLES else 4} to 8 digits."


def _pin_form(request: Request, visitor: Visitor, *, problem: str = "", status: int = 0) -> Response:
    status = status or (400 if problem else 200)
    return render(request, "account_pin.html", visitor, status=status, problem=problem, rule=_pin_rule(visitor.role))


# Two steps -----------------------------------------------------------------------------------------------------------


@open_page
async def factor(request: Request) -> Response:
    """A new secret, as a picture and as text."""
    person = await _person(request, "factor")
    if person is None:
        return _to_sign_in()
    return await _factor_form(request, person, second_factor.new_secret(), own_path(request.query_params.get("next")))


@open_page
async def set_factor(request: Request) -> Response:
    """Switch it on, when the app shows the right code, and show the recovery codes."""
    fields = await posted(request)
    person = await _person(request, "factor")
    secret, going = fields.get("secret", ""), own_path(fields.get("next"))
    if person is None or not second_factor.is_secret(secret):
        return _to_sign_in()
    step = second_factor.step_of(secret, fields.get("code", "").replace(" ", ""), _now())
    known = None
    try:
        if person.stage == browser_sessions.OPEN:
            await _confirm(request, person, fields.get("current_password", ""))
        if step is None:
            raise Refused("That is not the code which the app should show. Is the phone's clock right?")
        if person.stage == browser_sessions.OPEN:
            known = await _confirm_code(request, person, fields.get("present_code", ""))
    except Refused as refused:
        return await _factor_form(request, person, secret, going, problem=str(refused))
    except Problem as problem:
        return await _factor_form(request, person, secret, going, problem=_words(problem), status=429)
    codes = second_factor.new_codes()
    made = Factor(secret, second_factor.kept(codes), step)
    application, user = request.app.state.application, person.user
    instead = None if known is None else known.secret
    if not await run_in_threadpool(_keep_factor, application.shop.database, user, made, instead):
        return _to_sign_in()  # another session set one up meanwhile: this one has not shown its code
    note = NoteSecurity("second_factor_on", "app_user", user.id)
    application.auth.log.note(user.org_id, user.name, origin_of(request), note)
    if person.stage == browser_sessions.OPEN:
        return _codes(request, person.visitor, codes, "/account")
    entered = await run_in_threadpool(
        _sign_in(request).advance, person.token, "factor", origin_of(request), sent_cookies(request)
    )
    if entered is None:
        return _to_sign_in()
    response = _codes(request, None, codes, going)
    set_cookie(request, response, entered)
    return response


def _keep_factor(database: Database, user: UserRow, made: Factor, instead: str | None) -> bool:
    return browser_sessions.set_factor(database, user.org_id, user.id, made, _now(), instead=instead)


def _codes(request: Request, visitor: Visitor | None, codes: list[str], going: str) -> Response:
    return render(request, "account_factor.html", visitor, codes=codes, next=going)


async def _factor_form(
    request: Request, person: Person, secret: str, going: str, *, problem: str = "", status: int = 0
) -> Response:
    name = await run_in_threadpool(_organisation, request, person.user.org_id)
    database = request.app.state.application.shop.database
    known = await run_in_threadpool(browser_sessions.factor, database, person.user.org_id, person.user.id)
    if known is not None and person.stage != browser_sessions.OPEN:
        return _to_sign_in()  # set up in another session meanwhile
    link = second_factor.link(secret, person.user.email, name)
    return render(
        request,
        "account_factor.html",
        person.visitor,
        status=status or (400 if problem else 200),
        codes=[],
        due=person.stage == "factor",
        has_factor=known is not None,
        problem=problem,
        secret=secret,
        link=link,
        picture=second_factor.picture(link),
        next=going,
    )


@page(Permission.READ)
async def drop_factor(request: Request, visitor: Visitor) -> Response:
    """Sign in with one step again, unless the role needs two."""
    fields = await posted(request)
    person = await _person(request, "")
    if person is None:
        return _to_sign_in()
    application, user = request.app.state.application, person.user
    demands = await run_in_threadpool(browser_sessions.demands, application.shop.database, user.org_id, user.id)
    try:
        await _confirm(request, person, fields.get("current_password", ""))
        if demands.needs_factor:
            raise Refused("Your role needs two steps to sign in.")
        await _confirm_code(request, person, fields.get("present_code", ""))
    except Refused as refused:
        return await _show(request, visitor, problem=str(refused))
    except Problem as problem:
        return await _show(request, visitor, problem=_words(problem))
    if await run_in_threadpool(browser_sessions.drop_factor, application.shop.database, user.org_id, user.id):
        note = NoteSecurity("second_factor_off", "app_user", user.id)
        application.auth.log.note(user.org_id, user.name, origin_of(request), note)
    return RedirectResponse("/account?done=one-step", 303, HEADERS)
