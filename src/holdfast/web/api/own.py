"""What is one's own over HTTP: password, PIN and sessions, of whoever is signed in with a browser.

    POST /api/v1/me/password {"current_password": "...", "password": "..."}     -> the other sessions end
    GET /api/v1/me/sessions                                                     -> when begun, last used, from where
    DELETE /api/v1/me/sessions/{id}

An API key and a till belong to no person: they are refused. Whoever changes password or PIN gives the present password,
so that a session that was left open is not enough.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.organisation.changes import User
from holdfast.core.organisation.pin import NewPin
from holdfast.core.organisation.sign_in import ChangeOwnPassword, ChangeOwnPin, NoteSecurity
from holdfast.core.organisation.views import VIEWS_MAX, PagePath, QueryText, RemoveView, SavedView, SaveView
from holdfast.core.records.field import Text
from holdfast.core.records.rejection import Code
from holdfast.core.records.time import instant_text
from holdfast.db import browser_sessions
from holdfast.db import credentials as directory
from holdfast.db.credentials import UserRow
from holdfast.db.queries.records import user_fields, view_fields
from holdfast.passwords import (
    PASSWORD_CHARACTERS_MAX,
    PASSWORD_CHARACTERS_MIN,
    WeakPassword,
    hashed,
    refuse_weak,
)
from holdfast.pins import LONG_PIN_DIGITS_MIN, LONG_PIN_ROLES
from holdfast.web.api.shapes import EndedSessions, SessionSeen, UserDocument, ViewDocument
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.route import Call, PlannedCommand, Route, encode
from holdfast.web.http.secret_fields import SECRET
from holdfast.web.identity.cashiers import GIVEN_PINS_MAX, OWN_PINS_MAX, Chooser

Password = Annotated[str, Meta(min_length=PASSWORD_CHARACTERS_MIN, max_length=PASSWORD_CHARACTERS_MAX, extra=SECRET)]
Present = Annotated[str, Meta(min_length=1, max_length=PASSWORD_CHARACTERS_MAX, extra=SECRET)]
Pin = Annotated[str, Meta(pattern="^[0-9]{4,8}$", extra=SECRET)]


class OwnPasswordBody(msgspec.Struct, forbid_unknown_fields=True):
    """The present password and the one to come."""

    current_password: Present
    password: Password


class OwnPinBody(msgspec.Struct, forbid_unknown_fields=True):
    """The present password and the PIN to come; null takes the PIN away."""

    current_password: Present
    pin: Pin | None


class ViewBody(msgspec.Struct, forbid_unknown_fields=True):
    """A page's path, a name, and the query string that shows it so."""

    page: PagePath
    name: Text
    query: QueryText = ""


# What anybody's password and PIN may be ------------------------------------------------------------------------------


def chosen_password(call: Call, password: str, email: str) -> str:
    """What is kept of a password, if it may be one; hashed when its turn comes."""
    settings = call.shop.reports.settings(call.actor.org_id)
    assert settings is not None, "an actor belongs to an organisation"
    try:
        refuse_weak(password, email=email, organisation=settings["name"])
    except WeakPassword as error:
        raise invalid("password", str(error)) from None
    with call.auth.hashing.turn(caller_of(call), call.actor.org_id):
        return hashed(password)


def caller_of(call: Call) -> str:
    """What a caller's turns and wrong PINs are counted for."""
    return call.actor.id or call.actor.name


def chosen_pin(call: Call, pin: str, role: str, own_id: str | None, *, most: int = GIVEN_PINS_MAX) -> NewPin:
    """A PIN as it is kept, together with those that it was compared with; it is for the user `own_id`, or a new one.

    The answer tells whether somebody has that PIN, so that it counts as one that was tried: 429 after a few.
    """
    if role in LONG_PIN_ROLES and len(pin) < LONG_PIN_DIGITS_MIN:
        raise invalid("pin", f"The PIN of a {role} has {LONG_PIN_DIGITS_MIN} to 8 digits.")
    chooser = Chooser(call.actor.org_id, caller_of(call), call.actor.name, most)
    with call.auth.pins.turn(chooser.caller, chooser.org_id):
        return call.auth.cashiers.chosen(chooser, own_id, pin, call.origin)


# One's own -----------------------------------------------------------------------------------------------------------


def _me(call: Call) -> UserRow:
    """Who is signed in."""
    if not call.browser_session:
        raise Problem("FORBIDDEN", "This is for people who are signed in: an API key or a till has no password.")
    email = call.actor.name.partition(":")[2]
    users = directory.users_of(call.shop.database, email)
    me = next((one for one in users if (one.org_id, one.id) == (call.actor.org_id, call.actor.id)), None)
    if me is None:
        raise Problem("UNAUTHORIZED", "The login has ended.")
    return me


def _confirm(call: Call, me: UserRow, password: str) -> None:
    call.auth.sign_in.look_own(me, call.origin, {})
    with call.auth.hashing.turn(caller_of(call), call.actor.org_id):
        right = call.auth.sign_in.confirm(me, password, call.origin, {})
    if not right:
        raise invalid("current_password", "is not your password.")


def confirm_own(call: Call, password: str | None) -> None:
    """Refuse who is signed in and does not give their present password: a session left open is not enough."""
    if password is None:
        raise invalid("current_password", "is needed to change your own email address.")
    _confirm(call, _me(call), password)


def _render_user(user: User) -> bytes:
    return encode(user_fields(user))


def plan_change_password(call: Call) -> PlannedCommand:
    """Change one's own password: this session goes on, all others end."""
    body: OwnPasswordBody = call.body
    me = _me(call)
    _confirm(call, me, body.current_password)
    password_hash = chosen_password(call, body.password, me.email)

    def finish(kept: bytes) -> bytes:
        browser_sessions.keep(call.shop.database, call.browser_session, me.org_id, me.id, time.time_ns() // 1000)
        call.auth.forget_sessions(me.org_id, [call.browser_session])
        return kept

    return PlannedCommand(ChangeOwnPassword(me.id, password_hash), _render_user, finish, me.id)


def plan_change_pin(call: Call) -> PlannedCommand:
    """Change one's own PIN."""
    body: OwnPinBody = call.body
    me = _me(call)
    _confirm(call, me, body.current_password)
    pin = None if body.pin is None else chosen_pin(call, body.pin, me.role, me.id, most=OWN_PINS_MAX)
    return PlannedCommand(ChangeOwnPin(me.id, pin), _render_user, means=me.id)


def list_own_sessions(call: Call) -> Any:
    """One's own open sessions."""
    me = _me(call)
    found = browser_sessions.listed(call.shop.database, me.org_id, me.id, time.time_ns() // 1000, call.auth.idle)
    items = [
        {
            "id": one.id,
            "begun_at": instant_text(one.begun_at),
            "used_at": instant_text(one.used_at),
            "address": one.address,
            "device": one.device,
            "this": one.token_hash == call.browser_session,
        }
        for one in found
    ]
    return {"items": items, "next_cursor": None}


def plan_end_session(call: Call) -> PlannedCommand:
    """End one of one's own sessions."""
    return _end(call, call.id(Code.NOT_FOUND, "Session"))


def plan_end_sessions(call: Call) -> PlannedCommand:
    """End all of one's own sessions but this one."""
    return _end(call, None)


def _end(call: Call, session_id: str | None) -> PlannedCommand:
    me = _me(call)
    but = call.browser_session if session_id is None else ""
    ended = browser_sessions.end(call.shop.database, me.org_id, me.id, session_id, but=but)
    if session_id is not None and not ended:
        raise Problem("NOT_FOUND", f"Session {session_id!r} does not exist.")
    call.auth.forget_sessions(me.org_id, ended)
    note = NoteSecurity("sessions_ended", "app_user", me.id, count=max(len(ended), 1))
    return PlannedCommand(note, lambda _: encode({"ended": len(ended)}), means=me.id)


def list_views(call: Call) -> Any:
    """One's own saved views."""
    me = _me(call)
    return {"items": call.shop.reports.saved_views(me.org_id, me.id), "next_cursor": None}


def _render_view(view: SavedView) -> bytes:
    return encode(view_fields(view))


def plan_save_view(call: Call) -> PlannedCommand:
    """Save a view."""
    body: ViewBody = call.body
    me = _me(call)
    return PlannedCommand(SaveView(me.id, body.page, body.name, body.query), _render_view, means=me.id)


def plan_remove_view(call: Call) -> PlannedCommand:
    """Forget a view."""
    me = _me(call)
    return PlannedCommand(RemoveView(me.id, call.id(Code.NOT_FOUND, "View")), _render_view, means=me.id)


# The table -----------------------------------------------------------------------------------------------------------

_ME = "/api/v1/me"
_OWN: dict[str, Any] = {"tag": "One's own", "permission": Permission.READ, "audited": True}
_VIEWS: dict[str, Any] = {"tag": "One's own", "permission": Permission.READ}
_PERSON = "Only for who is signed in with a browser."

ROUTES = (
    Route(
        method="POST",
        path=f"{_ME}/password",
        summary="Change one's own password",
        about=f"{_PERSON} All other sessions of the user end.",
        plan=plan_change_password,
        body=OwnPasswordBody,
        answer=UserDocument,
        example={"current_password": "correct horse", "password": "battery staple"},
        looks_up=True,
        **_OWN,
    ),
    Route(
        method="POST",
        path=f"{_ME}/pin",
        summary="Change one's own PIN",
        about=f"{_PERSON} A cashier's or staff member's PIN has 4 to 8 digits, others have at least 6. "
        f"It may be changed {OWN_PINS_MAX} times a day; one that another user has counts as a wrong PIN.",
        plan=plan_change_pin,
        body=OwnPinBody,
        answer=UserDocument,
        codes=(Code.ALREADY_EXISTS,),
        example={"current_password": "correct horse", "pin": "471100"},
        looks_up=True,
        **_OWN,
    ),
    Route(
        method="GET",
        path=f"{_ME}/sessions",
        summary="List one's own sessions",
        about=f"{_PERSON} The last used comes first, all on one page.",
        answer_with=list_own_sessions,
        answer=[SessionSeen],
        **_OWN,
    ),
    Route(
        method="DELETE",
        path=f"{_ME}/sessions",
        summary="End one's own other sessions",
        about=_PERSON,
        plan=plan_end_sessions,
        answer=EndedSessions,
        looks_up=True,
        **_OWN,
    ),
    Route(
        method="DELETE",
        path=f"{_ME}/sessions/{{id}}",
        summary="End one of one's own sessions",
        about=_PERSON,
        plan=plan_end_session,
        answer=EndedSessions,
        codes=(Code.NOT_FOUND,),
        looks_up=True,
        **_OWN,
    ),
    Route(
        method="GET",
        path=f"{_ME}/views",
        summary="List one's own saved views",
        about=f"{_PERSON} By page and name, all on one page.",
        answer_with=list_views,
        answer=[ViewDocument],
        **_VIEWS,
    ),
    Route(
        method="POST",
        path=f"{_ME}/views",
        summary="Save a view",
        about=f"{_PERSON} A page and its query string under a name; saved again under that name it is changed. "
        f"A person has at most {VIEWS_MAX}.",
        plan=plan_save_view,
        body=ViewBody,
        answer=ViewDocument,
        status=201,
        codes=(Code.INVALID_STATE,),
        example={"page": "/admin/inventory", "name": "Low at the door", "query": "low_stock=true&location=MAIN"},
        looks_up=True,
        **_VIEWS,
    ),
    Route(
        method="DELETE",
        path=f"{_ME}/views/{{id}}",
        summary="Forget a saved view",
        about=_PERSON,
        plan=plan_remove_view,
        status=204,
        codes=(Code.NOT_FOUND,),
        looks_up=True,
        **_VIEWS,
    ),
)
