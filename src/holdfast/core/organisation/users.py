"""Users: who works in the organisation, with which role, in which stores; and who may give what to whom.

    AddUser(email="bo@shop.example", role="cashier", password_hash=...) -> a user; a password is hashed at the door
    ChangeUser(user_id, role="manager")                                 -> the user as they are now

In a change `UNSET` leaves a field as it is, None takes it away. An organisation is never left without an owner. Nobody
makes, changes or removes a user who may do more than they may, before the change or after it; the lock of the user's
row is held while this is tested, so a user cannot become more in between.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.core.organisation.changes import (
    ApiKey,
    User,
    existing,
    lock_organisation,
    put,
    refuse_taken_name,
    written,
)
from holdfast.core.organisation.pin import NewPin, refuse_taken_pin
from holdfast.core.organisation.places import store_id_of
from holdfast.core.records.command import Command, Decision, given
from holdfast.core.records.field import Email, Text
from holdfast.core.records.permission import GRANT_WORDS, Permission, Rights, Role, RoleName
from holdfast.core.records.rejection import Code, Refused, invalid_state
from holdfast.core.records.wants import Owners
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

STORES_MAX = 1000

PasswordHash = Annotated[str, Meta(pattern=r"^\$argon2[a-z]*\$", max_length=500)]
"""What `holdfast.organisation.password_hash` made: it takes too long to be made under a lock."""

Stores = Annotated[tuple[Text, ...], Meta(max_length=STORES_MAX)]
"""Stores by id or code; none: all of them."""


class AddUser(Command, frozen=True, gc=False, kw_only=True):
    """A user; no stores mean all of them. `holdfast.organisation.new_user` makes it of a password."""

    email: Email
    password_hash: PasswordHash
    role: RoleName
    stores: Stores = ()
    pin: NewPin | None = None
    first_password: bool = False


class ChangeUser(Command, frozen=True, gc=False):
    """Change a user."""

    user_id: str
    email: Email | UnsetType = UNSET
    password_hash: PasswordHash | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    stores: Stores | UnsetType = UNSET
    pin: NewPin | UnsetType | None = UNSET
    first_password: bool | UnsetType = UNSET


class RemoveUser(Command, frozen=True, gc=False):
    """Take away a user."""

    user_id: str


def add_user(stock: Stock, command: AddUser) -> User:
    """Decide an AddUser."""
    stores = stores_of(stock, command.stores)
    refuse_taken_name(stock, "app_user", command.email, None)
    if command.pin is not None:
        refuse_taken_pin(stock, command.pin, "")
    user = User(
        id=stock.new_id(),
        email=command.email,
        password_hash=command.password_hash,
        role=command.role,
        stores=stores,
        pin_hash=None if command.pin is None else command.pin.hash,
        pin_index=None if command.pin is None else command.pin.index,
        first_password=command.first_password,
        created_at=stock.now,
        updated_at=stock.now,
    )
    _refuse_grant(stock, user)
    put(stock, "app_user", user)
    return user


def change_user(stock: Stock, command: ChangeUser) -> User:
    """Decide a ChangeUser."""
    user = _user(stock, command.user_id)
    fields = with_stores(stock, given(command, "user_id"))
    pin = command.pin
    if not isinstance(pin, UnsetType):
        del fields["pin"]
        fields |= {"pin_hash": None if pin is None else pin.hash, "pin_index": None if pin is None else pin.index}
    if "password_hash" in fields:
        fields["sessions_from"] = stock.now
    changed = replace(user, **fields, updated_at=stock.now)
    _refuse_grant(stock, changed)
    if "email" in fields:
        refuse_taken_name(stock, "app_user", fields["email"], user.id)
    if isinstance(pin, NewPin):
        refuse_taken_pin(stock, pin, user.id)
    refuse_last_owner(stock, user, changed)
    put(stock, "app_user", changed)
    if changed.role != user.role:
        stock.tell("UserRoleChanged", None, {"user_id": user.id, "role": changed.role, "before": user.role})
    return changed


def remove_user(stock: Stock, command: RemoveUser) -> User:
    """Decide a RemoveUser: the last owner stays."""
    user = _user(stock, command.user_id)
    removed = replace(user, active=False, updated_at=stock.now)
    refuse_last_owner(stock, user, removed)
    put(stock, "app_user", removed)
    return removed


def _user(stock: Stock, user_id: str) -> User:
    """The user, locked; refused when there is none, or when they may do more than the caller."""
    user: User = existing(stock, "app_user", user_id)
    _refuse_grant(stock, user)
    return user


def refuse_grant(stock: Stock, rights: Rights) -> None:
    """Refuse to touch somebody whose rights the caller's do not cover: their secret would be a way to those rights."""
    if not stock.caller.rights.covers(rights):
        raise Refused(Code.FORBIDDEN, GRANT_WORDS)


def _refuse_grant(stock: Stock, user: User) -> None:
    refuse_grant(stock, Rights(Role(user.role), frozenset(user.stores)))


def stores_of(stock: Stock, references: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of stores given by id or code, each once."""
    return tuple(dict.fromkeys(store_id_of(stock, reference) for reference in references))


def with_stores(stock: Stock, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with the ids of the stores."""
    if "stores" not in fields:
        return fields
    return {**fields, "stores": stores_of(stock, fields["stores"])}


def refuse_last_owner(stock: Stock, user: User | ApiKey, changed: User | ApiKey) -> None:
    """Refuse to take away the last owner of the whole organisation: nobody could give the role again."""
    if not _owns_all(user) or _owns_all(changed):
        return
    lock_organisation(stock)
    others = stock.unread(stock.require(Owners()), "app_user", "api_key")
    others.update(one.id for table in ("app_user", "api_key") for one in written(stock, table) if _owns_all(one))
    if not others - {user.id}:
        words = "The organisation would be left without an owner: make another user or key an owner first."
        raise invalid_state(words)


def _owns_all(one: User | ApiKey) -> bool:
    """Is it an owner of everything, for good? A key that is narrowed or ends may leave nobody behind."""
    if isinstance(one, ApiKey) and any(bound is not None for bound in (one.permissions, one.addresses, one.expires_at)):
        return False
    return one.active and one.role == "owner" and not one.stores


DECISIONS = (
    Decision(AddUser, add_user, Permission.CONFIGURE, changes_catalog=True),
    Decision(ChangeUser, change_user, Permission.CONFIGURE, changes_catalog=True),
    Decision(RemoveUser, remove_user, Permission.CONFIGURE, changes_catalog=True),
)
