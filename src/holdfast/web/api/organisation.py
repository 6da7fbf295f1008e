"""The organisation over HTTP: its settings, its users, its API keys.

    PATCH /api/v1/settings {"default_reorder_point": 5}
    POST /api/v1/api-keys {"name": "till 3", "role": "cashier", "stores": ["MAIN"]}   -> the key, this once

It refuses to make anybody mightier than who asks, and never shows a password, a PIN or a key again.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.access import Permission, Role
from holdfast.core.decision import Command, given
from holdfast.core.field import Email
from holdfast.core.organisation import (
    AddUser,
    ChangeKey,
    ChangeSettings,
    ChangeUser,
    RemoveKey,
    RemoveUser,
    RoleName,
)
from holdfast.core.product import Settings
from holdfast.core.records import ApiKey, User
from holdfast.core.rejection import Code
from holdfast.db.queries.records import Within, api_key_fields, settings_fields, user_fields
from holdfast.organisation import new_key
from holdfast.web.api.own import Password, Pin, chosen_password, chosen_pin
from holdfast.web.api.records import require_grant, store_ids
from holdfast.web.api.shapes import KeyDocument, NewKeyDocument, SettingsDocument, UserDocument
from holdfast.web.body import Text
from holdfast.web.problems import Problem
from holdfast.web.route import PAGED, Call, Planned, Route, encode, found

Stores = Annotated[list[Text], Meta(max_length=1000)]


class UserBody(msgspec.Struct, forbid_unknown_fields=True):
    """A user; no stores mean all of them."""

    email: Email
    password: Password
    role: RoleName
    stores: Stores | None = None
    pin: Pin | None = None


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a user."""

    email: Email | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    stores: Stores | UnsetType = UNSET
    pin: Pin | UnsetType | None = UNSET


class KeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """An API key; no stores mean all of them."""

    role: RoleName
    name: Text | None = None
    stores: Stores | None = None


class KeyChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of an API key."""

    name: Text | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    stores: Stores | UnsetType = UNSET


# Settings ------------------------------------------------------------------------------------------------------------


def read_settings(call: Call) -> Any:
    """The organisation's rules."""
    return found(call.shop.reports.settings(call.actor.org_id), Code.NOT_FOUND, "Organisation", call.actor.org_id)


def _render_settings(settings: Settings) -> bytes:
    return encode(settings_fields(settings))


def plan_change_settings(call: Call) -> Planned:
    """Change the organisation's rules."""
    return Planned(call.body, _render_settings)


def _within(call: Call) -> Within | None:
    """Whom the caller may see of users and keys; None: everybody."""
    return None if call.stores is None else Within(call.stores, call.actor.id)


def _seen(call: Call, record: dict[str, Any], what: str) -> dict[str, Any]:
    """The user or key, unless it is hidden from who is limited to stores."""
    within = _within(call)
    shown = record if within is None or within.shows(record) else None
    return found(shown, Code.NOT_FOUND, what, call.args["id"])  # type: ignore[no-any-return] # what was given


# Users ---------------------------------------------------------------------------------------------------------------


def _user(call: Call) -> dict[str, Any]:
    user_id = call.id(Code.NOT_FOUND, "User")
    user = call.shop.reports.user(call.actor.org_id, user_id)
    if user is None or not user["active"]:
        raise Problem("NOT_FOUND", f"User {user_id!r} does not exist.")
    return user


def _render_user(user: User) -> bytes:
    return encode(user_fields(user))


def plan_add_user(call: Call) -> Planned:
    """Make a user."""
    body: UserBody = call.body
    stores = store_ids(call, body.stores)
    require_grant(call, body.role, stores)
    command = AddUser(
        email=body.email,
        password_hash=chosen_password(call, body.password, body.email),
        role=body.role,
        stores=stores,
        pin=None if body.pin is None else chosen_pin(call, body.pin, body.role),
        first_password=True,
    )
    return Planned(command, _render_user)


def plan_change_user(call: Call) -> Planned:
    """Change a user."""
    old = _user(call)
    require_grant(call, old["role"], tuple(old["stores"]))
    fields = given(call.body)
    if call.session and call.actor.id == old["id"] and {"password", "pin"} & fields.keys():
        raise Problem("FORBIDDEN", "Your own password and PIN need your present password: POST /api/v1/me/password.")
    _change_rights(call, old, fields)
    email, role = fields.get("email", old["email"]), fields.get("role", old["role"])
    if "password" in fields:
        fields["password_hash"] = chosen_password(call, fields.pop("password"), email)
        fields["first_password"] = True
    if "pin" in fields:
        fields["pin"] = None if fields["pin"] is None else chosen_pin(call, fields["pin"], role)
    return Planned(ChangeUser(old["id"], **fields), _render_user)


def plan_remove_user(call: Call) -> Command:
    """Remove a user: they are signed out everywhere within a second."""
    old = _user(call)
    require_grant(call, old["role"], tuple(old["stores"]))
    return RemoveUser(old["id"])


def _change_rights(call: Call, old: dict[str, Any], fields: dict[str, Any]) -> None:
    if "stores" in fields:
        fields["stores"] = store_ids(call, fields["stores"])
    require_grant(call, fields.get("role", old["role"]), tuple(fields.get("stores", old["stores"])))


def list_users(call: Call) -> Any:
    """Active users."""
    return call.shop.reports.users(call.actor.org_id, within=_within(call), **call.paging())


def read_user(call: Call) -> Any:
    """A user."""
    return _seen(call, _user(call), "User")


# API keys ------------------------------------------------------------------------------------------------------------


def _key(call: Call) -> dict[str, Any]:
    key_id = call.id(Code.NOT_FOUND, "API key")
    key = call.shop.reports.api_key(call.actor.org_id, key_id)
    if key is None or not key["active"]:
        raise Problem("NOT_FOUND", f"API key {key_id!r} does not exist.")
    return key


def _render_key(key: ApiKey) -> bytes:
    return encode(api_key_fields(key))


def plan_add_key(call: Call) -> Planned:
    """Make an API key. What is kept for an Idempotency-Key does not hold it: a replay shows it as null."""
    body: KeyBody = call.body
    stores = store_ids(call, body.stores)
    require_grant(call, body.role, stores)
    made = new_key(Role(body.role), stores, name=body.name or body.role)

    def render(key: ApiKey) -> bytes:
        return encode({**api_key_fields(key), "api_key": None})

    def finish(kept: bytes) -> bytes:
        return encode({**msgspec.json.decode(kept), "api_key": made.api_key})

    return Planned(made.command, render, finish)


def plan_change_key(call: Call) -> Planned:
    """Change an API key."""
    old = _key(call)
    require_grant(call, old["role"], tuple(old["stores"]))
    fields = given(call.body)
    _change_rights(call, old, fields)
    return Planned(ChangeKey(old["id"], **fields), _render_key)


def plan_remove_key(call: Call) -> Command:
    """Revoke an API key: it is dead everywhere within a second."""
    old = _key(call)
    require_grant(call, old["role"], tuple(old["stores"]))
    return RemoveKey(old["id"])


def list_keys(call: Call) -> Any:
    """Active API keys."""
    return call.shop.reports.api_keys(call.actor.org_id, within=_within(call), **call.paging())


def read_key(call: Call) -> Any:
    """An API key."""
    return _seen(call, _key(call), "API key")


# The table -----------------------------------------------------------------------------------------------------------


_SELF = {"Users": "themselves", "API keys": "their own key"}
_TOLD_ONCE = (
    "`api_key` is told this once and kept only as a hash: a replay (`Idempotent-Replayed: true`) answers the same with "
    "`api_key` null. Whoever lost the first answer removes the key and makes another."
)


def _routes(
    path: str,
    tag: str,
    noun: str,
    plans: tuple[Any, Any, Any],
    reads: tuple[Any, Any],
    bodies: tuple[type[Any], type[Any]],
    answers: tuple[type[Any], type[Any]],
    examples: tuple[Any, Any],
    about: str = "",
) -> tuple[Route, ...]:
    shared: dict[str, Any] = {"tag": tag, "permission": Permission.CONFIGURE}
    one = f"{path}/{{id}}"
    changes = (Code.STORE_NOT_FOUND, Code.ALREADY_EXISTS)
    kept = (Code.INVALID_STATE,) if tag == "Users" else ()  # the last owner
    seen = f"Who is limited to stores sees those limited to some of the same stores, and {_SELF[tag]}."
    return (
        Route(method="POST", path=path, summary=f"Make {noun}", plan=plans[0], body=bodies[0], answer=answers[0],
              status=201, codes=changes, example=examples[0], looks_up=True, about=about, **shared),
        Route(method="GET", path=path, summary=f"List {tag}", answer_with=reads[0], answer=[answers[1]],
              query=PAGED, about=seen, **shared),
        Route(method="GET", path=one, summary=f"Read {noun}", answer_with=reads[1], answer=answers[1],
              codes=(Code.NOT_FOUND,), **shared),
        Route(method="PATCH", path=one, summary=f"Change {noun}", plan=plans[1], body=bodies[1], answer=answers[1],
              codes=(Code.NOT_FOUND, *changes, *kept), example=examples[1], looks_up=True, **shared),
        Route(method="DELETE", path=one, summary=f"Remove {noun}", plan=plans[2], status=204,
              codes=(Code.NOT_FOUND, *kept), looks_up=True, **shared),
    )  # fmt: skip


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/settings",
        summary="Read the organisation's settings",
        tag="Settings",
        permission=Permission.READ,
        answer_with=read_settings,
        answer=SettingsDocument,
    ),
    Route(
        method="PATCH",
        path="/api/v1/settings",
        summary="Change the organisation's settings",
        tag="Settings",
        permission=Permission.CONFIGURE,
        plan=plan_change_settings,
        body=ChangeSettings,
        answer=SettingsDocument,
        codes=(Code.INVALID_AMOUNT, Code.INVALID_STATE),
        example={"cart_hold_minutes": 45, "default_reorder_point": 5},
        looks_up=True,
        about="They are for all stores: who is limited to some may not change them.",
        of_all_stores=True,
    ),
    *_routes(
        "/api/v1/users",
        "Users",
        "a user",
        (plan_add_user, plan_change_user, plan_remove_user),
        (list_users, read_user),
        (UserBody, UserChange),
        (UserDocument, UserDocument),
        (
            {"email": "bo@shop.example", "password": "correct horse", "role": "cashier", "stores": ["MAIN"]},
            {"role": "staff"},
        ),
        "The password is a first one: at the first sign-in its user has to choose another. A PIN has 4 to 8 digits, "
        "of a manager, admin or owner at least 6. A new password ends the sessions of its user.",
    ),
    *_routes(
        "/api/v1/api-keys",
        "API keys",
        "an API key",
        (plan_add_key, plan_change_key, plan_remove_key),
        (list_keys, read_key),
        (KeyBody, KeyChange),
        (NewKeyDocument, KeyDocument),
        ({"name": "till 3", "role": "cashier", "stores": ["MAIN"]}, {"name": "till 4"}),
        _TOLD_ONCE,
    ),
)
