"""Registers over HTTP: tills, their sessions, the cash in their drawers, and the X and Z reports.

    POST /api/v1/registers/{id}/sessions {"opening_float": "100.00"}     -> {"id", "token", "number", ...}
    POST /api/v1/pos/session/close {"counted_cash": "119.80"}            -> the Z report   (Authorization: Register ...)

The token is told once: what is kept for an Idempotency-Key does not hold it. Who counts is not told before what should
be in the drawer; the report that closing answers says it to everybody, because it cannot be changed any more. A
manager can close a session whose token was lost.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec

from holdfast.access import Permission
from holdfast.core.organisation.settings import AddRegister, ChangeRegister, RegisterChanges, RemoveRegister
from holdfast.core.organisation.sign_in import NoteSecurity
from holdfast.core.records.command import Command, given
from holdfast.core.records.number import to_minor
from holdfast.core.records.organisation import Register
from holdfast.core.records.rejection import Code
from holdfast.core.records.time import instant_text
from holdfast.core.sales.register import (
    CashDocument,
    CloseSession,
    MoveCash,
    OpenSession,
    SessionDocument,
)
from holdfast.db.cashiers import Entry, cashier_of
from holdfast.db.idempotency import kept_answer
from holdfast.db.queries.registers import shown_register
from holdfast.reports import Reports
from holdfast.tokens import TILL, new_token
from holdfast.web.api.own import Pin
from holdfast.web.api.records import require_store, settings_of
from holdfast.web.api.shapes import CashierDocument, NewSessionDocument, RegisterDocument, RegisterSeen
from holdfast.web.http.problems import Problem, invalid, not_found
from holdfast.web.http.route import PAGED, STORE, Call, Pages, PlannedCommand, Route, encode, found
from holdfast.web.http.strict_json import Text
from holdfast.web.identity.auth import from_elsewhere, till_not_open
from holdfast.web.identity.cashiers import wrong_pin
from holdfast.web.identity.cookies import same_origin
from holdfast.web.identity.till_cookie import CASHIER_IDLE_SECONDS, PinMark, till_cookie

NUMBER_DIGITS_MAX = 9
"""Digits of a session's number that can be one."""


class OpenBody(msgspec.Struct, forbid_unknown_fields=True):
    """The cash in the drawer as it is opened; with `pin` it is opened as that user, with `cookie` in this browser."""

    opening_float: Text
    pin: Pin | None = None
    cookie: bool = False


class CashBody(msgspec.Struct, forbid_unknown_fields=True):
    """Cash put into the drawer or taken out by hand; with `account` the books know."""

    direction: Literal["in", "out"]
    amount: Text
    reason: Text
    account: Text | None = None


class CloseSessionBody(msgspec.Struct, forbid_unknown_fields=True):
    """What was counted in the drawer."""

    counted_cash: Text


# Registers -----------------------------------------------------------------------------------------------------------


def _register(call: Call) -> dict[str, Any]:
    """The path's register, to act on: 403 when it is another store's."""
    one = call.shop.reports.register(call.actor.org_id, call.args["id"])
    if one is None or not one["active"]:
        raise _no_register(call)
    require_store(call, one["store_id"])
    return one


def _register_seen(call: Call) -> dict[str, Any]:
    """The path's register, to read; also a removed one, whose history stays. Another store's does not exist."""
    one = call.shop.reports.register(call.actor.org_id, call.args["id"])
    if one is None or (call.stores is not None and one["store_id"] not in call.stores):
        raise _no_register(call)
    return one


def _no_register(call: Call) -> Problem:
    return not_found(Code.NOT_FOUND, "Register", call.args["id"])


def _render_register(register: Register) -> bytes:
    return encode(shown_register(register))


def plan_add_register(call: Call) -> PlannedCommand:
    """Make a register."""
    body: AddRegister = call.body
    store = call.shop.reports.store(call.actor.org_id, body.store_id)
    store_id = found(store, Code.STORE_NOT_FOUND, "Store", body.store_id)["id"]
    require_store(call, store_id)
    return PlannedCommand(AddRegister(store_id, body.code, body.name), _render_register)


def plan_change_register(call: Call) -> PlannedCommand:
    """Change a register."""
    return PlannedCommand(ChangeRegister(_register(call)["id"], **given(call.body)), _render_register)


def plan_remove_register(call: Call) -> Command:
    """Remove a register; one with an open session stays."""
    return RemoveRegister(_register(call)["id"])


def read_register(call: Call) -> Any:
    """A register."""
    return _register_seen(call)


# Sessions ------------------------------------------------------------------------------------------------------------


def _forget_tills(call: Call, _: Any) -> None:
    """A session was opened or closed: whoever acts at a till is looked up again."""
    call.auth.forget_tills()


def plan_open(call: Call) -> PlannedCommand:
    """Open a register. What is kept for an Idempotency-Key does not hold the token: a replay shows it as null.

    A PIN is looked at last, so that nobody learns whether it is right without opening the register. Where the key has
    opened it, the PIN is looked at and counted all the same; the answer is told to none but the user who opened it.
    """
    body: OpenBody = call.body
    actor = call.actor
    if body.cookie and not same_origin(call.headers, secure=call.origin.secure):
        raise from_elsewhere()
    register = _register(call)
    opened_by, opener_id, means = actor.name, actor.id or None, ""
    if body.pin is not None:
        opened = _opened_before(call, register)
        if opened is None:
            _require_ready(call, register, body.opening_float)
        entry = Entry(actor.org_id, register["id"], actor.id or actor.name)
        call.auth.cashiers.require_unlocked(entry)
        with call.auth.pins.turn(entry.caller, entry.org_id):
            user = call.auth.cashiers.of(entry, body.pin, actor.name, call.origin)
        if opened is not None and opened["opened_by"] != user.name:
            raise wrong_pin()  # and nothing else is said of it: this opens no register
        if user.stores and register["store_id"] not in user.stores:
            raise Problem("FORBIDDEN", "The cashier may not act in the store of this register.")
        opened_by, opener_id, means = user.name, user.id, user.id
    token = new_token(TILL, actor.org_id)

    def render(session: SessionDocument) -> bytes:
        fields = msgspec.to_builtins(session)
        return encode({name: fields.get(name) for name in NewSessionDocument.__struct_fields__})

    def finish(kept: bytes) -> bytes:
        return encode({**msgspec.json.decode(kept), "token": token.text})

    command = OpenSession(register["id"], body.opening_float, token.digest, opened_by, opener_id, actor.key_id)
    if not body.cookie:
        return PlannedCommand(command, render, finish, means)
    cookie = till_cookie(token.text, secure=call.origin.secure, cashier=_mark(call, means) if means else None)
    return PlannedCommand(command, render, means=means, set_cookies=(cookie,))


def _mark(call: Call, user_id: str) -> PinMark:
    """The mark of a user whose PIN was right just now."""
    found = cashier_of(call.shop.database, call.actor.org_id, user_id)
    if found is None:
        raise wrong_pin()  # it was taken away meanwhile
    return PinMark(user_id, found.pin_hash, int(time.time()))


def _opened_before(call: Call, register: dict[str, Any]) -> dict[str, Any] | None:
    """The opening of this register that the call's key was answered with; None where it was not answered yet.

    A key that has another answer is refused here, before anybody learns something of a PIN.
    """
    kept = None if call.key is None else kept_answer(call.shop.database, call.actor.org_id, call.key)
    if kept is None:
        return None
    said = msgspec.json.decode(kept.body) if kept.body else None
    if not isinstance(said, dict) or "opened_by" not in said or said.get("register_id") != register["id"]:
        raise Problem("IDEMPOTENCY_KEY_REUSED", "The Idempotency-Key was used for another request.")
    return said


def _require_ready(call: Call, register: dict[str, Any], opening_float: str) -> None:
    """The register could be opened with that amount, whoever opens it."""
    amount = to_minor(opening_float, settings_of(call).minor_digits)
    if amount is None or amount < 0:
        raise Problem("INVALID_AMOUNT", "opening_float is not an amount of money.")
    last = call.shop.reports.register_sessions(call.actor.org_id, register["id"], limit=1).items
    if last and last[0]["status"] == "open":
        raise Problem("INVALID_STATE", "The register has an open session.")


def list_sessions(call: Call) -> Any:
    """The sessions of a register."""
    register = _register_seen(call)
    seen = call.actor.has(Permission.MANAGE)
    return call.shop.reports.register_sessions(call.actor.org_id, register["id"], may_see_cash=seen, **call.paging())


def read_session(call: Call) -> Any:
    """A session of a register by its number."""
    return _session(call, _register_seen(call))


def _session(call: Call, register: dict[str, Any]) -> Any:
    text = call.args["number"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX else 0
    session = call.shop.reports.register_session(
        call.actor.org_id, register["id"], number, may_see_cash=call.actor.has(Permission.MANAGE)
    )
    return found(session, Code.NOT_FOUND, "Register session", text)


def plan_close_lost(call: Call) -> Command:
    """Close a session whose token was lost."""
    return CloseSession(call.body.counted_cash, _session(call, _register(call))["id"])


# At the till ---------------------------------------------------------------------------------------------------------


def read_own_session(call: Call) -> Any:
    """The drawer as it stands (X report)."""
    assert call.actor.session_id is not None, "the route needs a till"
    session = call.shop.reports.register_session_by_id(
        call.actor.org_id, call.actor.session_id, may_see_cash=call.actor.has(Permission.MANAGE)
    )
    if session is None or session["status"] != "open":  # closed within the half second that its token is remembered
        raise till_not_open()
    return session


def plan_take_over(call: Call) -> PlannedCommand:
    """Make the user of the PIN, which has been looked at already, the cashier at this browser's till."""
    shown, actor = call.till, call.actor
    if shown is None:
        raise invalid("", "The token is in no cookie here: send X-Cashier-Pin with each request instead.")
    if b"x-cashier-pin" not in call.headers:
        raise invalid("X-Cashier-Pin", "is needed: the PIN of who takes over.")
    mark = _mark(call, actor.id)
    document = _cashier(call, mark.since)
    cookie = till_cookie(shown.token.decode(), secure=call.origin.secure, cashier=mark)
    note = NoteSecurity("cashier_changed", "register_session", str(actor.session_id))
    return PlannedCommand(note, lambda _: encode(document), means=actor.id, set_cookies=(cookie,), set_again=True)


def read_cashier(call: Call) -> CashierDocument:
    """Who acts at the till."""
    shown = call.till
    marked = shown is not None and shown.user_id is not None and b"x-cashier-pin" not in call.headers
    return _cashier(call, shown.since if marked and shown is not None else None)


def _cashier(call: Call, since: int | None) -> CashierDocument:
    until = None if since is None else instant_text((since + CASHIER_IDLE_SECONDS) * 1_000_000)
    return CashierDocument(call.actor.id, call.actor.name, str(call.actor.role), until)


def plan_cash(call: Call) -> Command:
    """Put cash in or take it out."""
    body: CashBody = call.body
    return MoveCash(body.direction, body.amount, body.reason, body.account)


def plan_close(call: Call) -> Command:
    """Count the drawer and close it."""
    return CloseSession(call.body.counted_cash)


# The table -----------------------------------------------------------------------------------------------------------

_REGISTERS = "/api/v1/registers"
_ONE = f"{_REGISTERS}/{{id}}"
_SESSIONS = f"{_ONE}/sessions"
_RECORDS: dict[str, Any] = {"tag": "Registers", "permission": Permission.MANAGE}
_READ: dict[str, Any] = {"tag": "Registers", "permission": Permission.READ}
_TILL: dict[str, Any] = {"tag": "Point of sale", "permission": Permission.SELL, "till": True}

ROUTES = (
    Route(
        method="POST",
        path=_REGISTERS,
        summary="Make a register",
        plan=plan_add_register,
        body=AddRegister,
        answer=RegisterDocument,
        status=201,
        codes=(Code.STORE_NOT_FOUND, Code.ALREADY_EXISTS),
        example={"store_id": "MAIN", "code": "TILL-1", "name": "By the door"},
        looks_up=True,
        **_RECORDS,
    ),
    Route(
        method="GET",
        path=_REGISTERS,
        summary="List registers",
        about="Those of one's stores, for cashiers too: who has a drawer open since when, and nothing of its cash.",
        answer_with=Pages(Reports.registers),
        answer=[RegisterSeen],
        query=(STORE, *PAGED),
        **_READ,
    ),
    Route(
        method="GET",
        path=_ONE,
        summary="Read a register",
        answer_with=read_register,
        answer=RegisterSeen,
        codes=(Code.NOT_FOUND,),
        **_READ,
    ),
    Route(
        method="PATCH",
        path=_ONE,
        summary="Change a register",
        plan=plan_change_register,
        body=RegisterChanges,
        answer=RegisterDocument,
        about="`quick_keys` are all its buttons that sell a product, at most 24.",
        codes=(Code.NOT_FOUND, Code.PRODUCT_NOT_FOUND, Code.ALREADY_EXISTS),
        example={"name": "By the window"},
        looks_up=True,
        **_RECORDS,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        summary="Remove a register",
        about="One with an open session stays. The reports of a removed register are still there under its id.",
        plan=plan_remove_register,
        status=204,
        codes=(Code.NOT_FOUND, Code.INVALID_STATE),
        looks_up=True,
        **_RECORDS,
    ),
    Route(
        method="POST",
        path=_SESSIONS,
        summary="Open a register session",
        about="Answers the `token` of the session, this once: `Authorization: Register <token>` acts as who opened it, "
        "in the register's store alone. With `pin` the session is opened as that user. Five wrong PINs within a minute "
        "lock the till for a minute, and longer when it goes on; many of one caller lock that caller. With `cookie` "
        "the token is in an `HttpOnly` cookie of this browser and nowhere else: `/pos/*` takes it from there, other "
        "routes with `Authorization: Register` and no token. Only a page of this server may ask for that.",
        tag="Registers",
        permission=Permission.SELL,
        plan=plan_open,
        after=_forget_tills,
        body=OpenBody,
        answer=NewSessionDocument,
        status=201,
        codes=(Code.NOT_FOUND, Code.INVALID_AMOUNT, Code.INVALID_STATE),
        example={"opening_float": "100.00"},
        looks_up=True,
    ),
    Route(
        method="GET",
        path=_SESSIONS,
        summary="List the sessions of a register",
        answer_with=list_sessions,
        answer=[SessionDocument],
        query=PAGED,
        codes=(Code.NOT_FOUND,),
        **_RECORDS,
    ),
    Route(
        method="GET",
        path=f"{_SESSIONS}/{{number}}",
        summary="Read a session (Z report)",
        answer_with=read_session,
        answer=SessionDocument,
        codes=(Code.NOT_FOUND,),
        **_RECORDS,
    ),
    Route(
        method="POST",
        path=f"{_SESSIONS}/{{number}}/close",
        summary="Close a session whose token was lost",
        plan=plan_close_lost,
        after=_forget_tills,
        body=CloseSessionBody,
        answer=SessionDocument,
        codes=(Code.NOT_FOUND, Code.INVALID_AMOUNT, Code.INVALID_STATE),
        example={"counted_cash": "119.80"},
        looks_up=True,
        **_RECORDS,
    ),
    Route(
        method="GET",
        path="/api/v1/pos/session",
        summary="Read the drawer as it stands (X report)",
        about="`expected_cash` is for managers until the drawer was counted.",
        answer_with=read_own_session,
        answer=SessionDocument,
        **_TILL,
    ),
    Route(
        method="GET",
        path="/api/v1/pos/cashier",
        summary="Read who acts at the till",
        answer_with=read_cashier,
        answer=CashierDocument,
        **_TILL,
    ),
    Route(
        method="POST",
        path="/api/v1/pos/cashier",
        summary="Take over the till of this browser",
        about="With `X-Cashier-Pin`: from now on that user acts at the till, until somebody else takes over or nothing "
        "was changed for ten minutes. Then the answer is 401 with `pin_needed`, and the carts stay. Only for a till "
        "whose token is in a cookie.",
        plan=plan_take_over,
        answer=CashierDocument,
        looks_up=True,
        audited=True,
        **_TILL,
    ),
    Route(
        method="POST",
        path="/api/v1/pos/cash",
        summary="Put cash into the drawer, or take some out",
        about="Nothing is booked unless `account` names the other side: `5100`, `5200` or an expense that was added; "
        "with `inventory:manage` others as well, but for `1000`, `1200` and `2200`. More than should be in the drawer "
        "cannot be taken out.",
        plan=plan_cash,
        body=CashBody,
        answer=CashDocument,
        status=201,
        codes=(Code.INVALID_AMOUNT, Code.INVALID_STATE),
        example={"direction": "out", "amount": "5.00", "reason": "window cleaner", "account": "5100"},
        **_TILL,
    ),
    Route(
        method="POST",
        path="/api/v1/pos/session/close",
        summary="Count the drawer and close the session (Z report)",
        about="What is over or short is booked to account 5200. The token ends: it is only good for the "
        "same request again with the same `Idempotency-Key`, which answers the same report. Open carts stay in the "
        "queue.",
        ends_till=True,
        plan=plan_close,
        after=_forget_tills,
        body=CloseSessionBody,
        answer=SessionDocument,
        codes=(Code.INVALID_AMOUNT, Code.INVALID_STATE),
        example={"counted_cash": "119.80"},
        **_TILL,
    ),
)
