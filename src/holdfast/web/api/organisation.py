"""The organisation over HTTP: its settings, its users.

    PATCH /api/v1/settings {"default_reorder_point": 5}
    POST /api/v1/users {"email": "bo@shop.example", "password": "correct horse", "role": "cashier"}

It refuses to make anybody mightier than who asks, and never shows a password or a PIN.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.access import Permission
from holdfast.core.organisation.changes import User
from holdfast.core.organisation.settings import ChangeSettings
from holdfast.core.organisation.users import AddUser, ChangeUser, RemoveUser
from holdfast.core.records.command import Command, given
from holdfast.core.records.field import Email
from holdfast.core.records.organisation import Settings
from holdfast.core.records.permission import RoleName
from holdfast.core.records.rejection import Code
from holdfast.db.queries.records import Within, settings_fields, user_fields
from holdfast.web.api.own import Password, Pin, Present, chosen_password, chosen_pin, confirm_own
from holdfast.web.api.records import require_grant, store_ids
from holdfast.web.api.shapes import SettingsDocument, UserDocument
from holdfast.web.http.problems import Problem
from holdfast.web.http.route import PAGED, Call, PlannedCommand, Route, encode, found
from holdfast.web.http.strict_json import Text

Stores = Annotated[list[Text], Meta(max_length=1000)]


class UserBody(msgspec.Struct, forbid_unknown_fields=True):
    """A user; no stores mean all of them."""

    email: Email
    password: Password
    role: RoleName
    stores: Stores | None = None
    pin: Pin | None = None


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a user; who is signed in gives the present password to change their own email address."""

    email: Email | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    stores: Stores | UnsetType = UNSET
    pin: Pin | UnsetType | None = UNSET
    current_password: Present | UnsetType = UNSET


# Settings ------------------------------------------------------------------------------------------------------------


def read_settings(call: Call) -> Any:
    """The organisation's rules."""
    return found(call.shop.reports.settings(call.actor.org_id), Code.NOT_FOUND, "Organisation", call.actor.org_id)


def _render_settings(settings: Settings) -> bytes:
    return encode(settings_fields(settings))


def plan_change_settings(call: Call) -> PlannedCommand:
    """Change the organisation's rules."""
    return PlannedCommand(call.body, _render_settings)


def within(call: Call) -> Within | None:
    """Whom the caller may see of users and keys; None: everybody."""
    return None if call.stores is None else Within(call.stores, call.actor.id)


def seen(call: Call, record: dict[str, Any], what: str) -> dict[str, Any]:
    """The user or key, unless it is hidden from who is limited to stores."""
    only = within(call)
    shown = record if only is None or only.shows(record) else None
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


def plan_add_user(call: Call) -> PlannedCommand:
    """Make a user."""
    body: UserBody = call.body
    stores = store_ids(call, body.stores)
    require_grant(call, body.role, stores)
    command = AddUser(
        email=body.email,
        password_hash=chosen_password(call, body.password, body.email),
        role=body.role,
        stores=stores,
        pin=None if body.pin is None else chosen_pin(call, body.pin, body.role, None),
        first_password=True,
    )
    return PlannedCommand(command, _render_user)


def plan_change_user(call: Call) -> PlannedCommand:
    """Change a user."""
    old = _user(call)
    require_grant(call, old["role"], tuple(old["stores"]))
    fields = given(call.body)
    if call.browser_session and call.actor.id == old["id"] and {"password", "pin"} & fields.keys():
        raise Problem("FORBIDDEN", "Your own password and PIN need your present password: POST /api/v1/me/password.")
    present = fields.pop("current_password", None)
    if call.browser_session and call.actor.id == old["id"] and fields.get("email", old["email"]) != old["email"]:
        confirm_own(call, present)
    _change_rights(call, old, fields)
    email, role = fields.get("email", old["email"]), fields.get("role", old["role"])
    if "password" in fields:
        fields["password_hash"] = chosen_password(call, fields.pop("password"), email)
        fields["first_password"] = True
    if "pin" in fields:
        fields["pin"] = None if fields["pin"] is None else chosen_pin(call, fields["pin"], role, old["id"])
    return PlannedCommand(ChangeUser(old["id"], **fields), _render_user)


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
    return call.shop.reports.users(call.actor.org_id, within=within(call), **call.paging())


def read_user(call: Call) -> Any:
    """A user."""
    return seen(call, _user(call), "User")


# The table -----------------------------------------------------------------------------------------------------------


_USERS = "/api/v1/users"
_USER = f"{_USERS}/{{id}}"
_SHARED: dict[str, Any] = {"tag": "Users", "permission": Permission.CONFIGURE}
_CHANGES = (Code.STORE_NOT_FOUND, Code.ALREADY_EXISTS)

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
    Route(
        method="POST",
        path=_USERS,
        summary="Make a user",
        plan=plan_add_user,
        body=UserBody,
        answer=UserDocument,
        status=201,
        codes=_CHANGES,
        example={"email": "bo@shop.example", "password": "correct horse", "role": "cashier", "stores": ["MAIN"]},
        about="The password is a first one: at the first sign-in its user has to choose another. A PIN has 4 to 8 "
        "digits, of a manager, admin or owner at least 6. A new password ends the sessions of its user.",
        looks_up=True,
        **_SHARED,
    ),
    Route(
        method="GET",
        path=_USERS,
        summary="List Users",
        answer_with=list_users,
        answer=[UserDocument],
        query=PAGED,
        about="Who is limited to stores sees those limited to some of the same stores, and themselves.",
        **_SHARED,
    ),
    Route(
        method="GET",
        path=_USER,
        summary="Read a user",
        answer_with=read_user,
        answer=UserDocument,
        codes=(Code.NOT_FOUND,),
        **_SHARED,
    ),
    Route(
        method="PATCH",
        path=_USER,
        summary="Change a user",
        plan=plan_change_user,
        body=UserChange,
        answer=UserDocument,
        codes=(Code.NOT_FOUND, *_CHANGES, Code.INVALID_STATE),
        example={"role": "staff"},
        looks_up=True,
        **_SHARED,
    ),
    Route(
        method="DELETE",
        path=_USER,
        summary="Remove a user",
        plan=plan_remove_user,
        status=204,
        codes=(Code.NOT_FOUND, Code.INVALID_STATE),
        looks_up=True,
        **_SHARED,
    ),
)
